// SPDX-License-Identifier: GPL-3.0-or-later
// Times the OFDM frame synchroniser of liquid-dsp on samples in memory.
//
//   liquid_driver make FILE frames payload_bytes        writes back-to-back frames, cf32
//   liquid_driver time FILE first count payload_bytes   receives samples first … first+count
//
// `time` receives the stretch once to warm up and then PASSES times, and prints one line of JSON:
// cpu_s and wall_s of all passes, their samples, and the right frames of one (counted by bytes).
//
// Numerology as in the testbed: 64-point FFT, prefix 16, 48 data carriers and 4 pilots. The
// payload is plain QPSK with neither code nor checksum, which is the fastest that the library has.

#include <complex.h>
#include <liquid/liquid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FFT_SIZE = 64, PREFIX = 16, HALF_USED = 26, CHUNK = 8192, PASSES = 4 };

static unsigned char payload[65536];
static unsigned payload_bytes;
static unsigned good;

static void carriers(unsigned char *kind) {
    memset(kind, OFDMFRAME_SCTYPE_NULL, FFT_SIZE);
    for (int k = 1; k <= HALF_USED; k++) {
        unsigned char what = k == 7 || k == 21 ? OFDMFRAME_SCTYPE_PILOT : OFDMFRAME_SCTYPE_DATA;
        kind[k] = kind[FFT_SIZE - k] = what;
    }
}

static void fill_payload(void) {
    unsigned state = 1; // Lehmer's generator: the same bytes in every frame and every run
    for (unsigned i = 0; i < payload_bytes; i++) {
        state = (unsigned)((unsigned long long)state * 48271u % 2147483647u);
        payload[i] = (unsigned char)(state >> 8);
    }
}

static int on_frame(unsigned char *header, int header_valid, unsigned char *bytes, unsigned n,
                    int payload_valid, framesyncstats_s stats, void *context) {
    (void)header, (void)payload_valid, (void)stats, (void)context;
    good += header_valid && n == payload_bytes && memcmp(bytes, payload, n) == 0;
    return 0;
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int fail(const char *what) {
    perror(what);
    return 1;
}

static int make(const char *path, unsigned n_frames) {
    unsigned char kind[FFT_SIZE], header[8] = {0};
    carriers(kind);
    ofdmflexframegenprops_s properties;
    ofdmflexframegenprops_init_default(&properties);
    properties.check = LIQUID_CRC_NONE;
    properties.fec0 = properties.fec1 = LIQUID_FEC_NONE;
    properties.mod_scheme = LIQUID_MODEM_QPSK;
    ofdmflexframegen generator = ofdmflexframegen_create(FFT_SIZE, PREFIX, 0, kind, &properties);
    FILE *out = fopen(path, "wb");
    if (!generator || !out) return fail(path);
    float complex buffer[CHUNK];
    for (unsigned i = 0; i < n_frames; i++) {
        memcpy(header, &i, sizeof i);
        ofdmflexframegen_assemble(generator, header, payload, payload_bytes);
        for (int last = 0; !last;) {
            // Past the frame's end the generator fills up with zeros, which would be a gap.
            last = ofdmflexframegen_write(generator, buffer, FFT_SIZE + PREFIX);
            fwrite(buffer, sizeof *buffer, FFT_SIZE + PREFIX, out);
        }
    }
    ofdmflexframegen_destroy(generator);
    return fclose(out) ? fail(path) : 0;
}

static void receive(ofdmflexframesync receiver, float complex *samples, long count) {
    ofdmflexframesync_reset(receiver);
    for (long at = 0; at < count; at += CHUNK)
        ofdmflexframesync_execute(receiver, samples + at,
                                  (unsigned)(count - at < CHUNK ? count - at : CHUNK));
}

static int measure(const char *path, long first, long count) {
    unsigned char kind[FFT_SIZE];
    carriers(kind);
    float complex *samples = malloc((size_t)count * sizeof *samples);
    FILE *in = fopen(path, "rb");
    if (!samples || !in || fseek(in, first * (long)sizeof *samples, SEEK_SET)) return fail(path);
    if (fread(samples, sizeof *samples, (size_t)count, in) != (size_t)count) return fail(path);
    fclose(in);
    ofdmflexframesync receiver =
        ofdmflexframesync_create(FFT_SIZE, PREFIX, 0, kind, on_frame, NULL);
    if (!receiver) return fail("ofdmflexframesync");
    receive(receiver, samples, count);
    unsigned good_once = good;
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
    for (int pass = 0; pass < PASSES; pass++) receive(receiver, samples, count);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    printf("{\"cpu_s\": %.9f, \"wall_s\": %.9f, \"samples\": %ld, \"good\": %u}\n", cpu, wall,
           PASSES * count, good_once);
    ofdmflexframesync_destroy(receiver);
    free(samples);
    return 0;
}

int main(int argc, char **argv) {
    int making = argc == 5 && !strcmp(argv[1], "make");
    int timing = argc == 6 && !strcmp(argv[1], "time");
    if (!making && !timing) {
        fprintf(stderr, "usage: %s make FILE frames bytes | time FILE first count bytes\n", argv[0]);
        return 2;
    }
    payload_bytes = (unsigned)atoi(argv[making ? 4 : 5]);
    if (payload_bytes > sizeof payload) return 2;
    fill_payload();
    return making ? make(argv[2], (unsigned)atoi(argv[3]))
                  : measure(argv[2], atol(argv[3]), atol(argv[4]));
}
