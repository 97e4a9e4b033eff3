# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames in bands through the whole receiver, against theory."""

import numpy as np
import pytest

from semcom_blocks.phy import qam
from semcom_blocks.phy.bands import Band, BandTable, band_index
from semcom_blocks.phy.equalizer import equalize_frame
from semcom_blocks.phy.header import coded_cells, decode_cells, header_symbols
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.payload import extract
from semcom_blocks.phy.preamble import preamble_len
from semcom_blocks.phy.receiver import receive
from semcom_blocks.phy.sync import FrameSync
from tests.semcom_blocks.phy.test_qam import theory_ber

NUM = Numerology()
TWO = BandTable((Band(None, 16, 0.4, 2), Band(1, 32, 0.5, 4)))
#: Five orders in one frame, all shares different.
FIVE = BandTable(
    (
        Band(None, 6, 0.05, 2),
        Band(1, 8, 0.02, 1),
        Band(2, 10, 0.05, 2),
        Band(3, 10, 0.18, 4),
        Band(4, 12, 0.7, 6),
    )
)


def db(ratio):
    return 10 * np.log10(ratio)


def streams(header, symbols):
    """What a frame carries of each stream, by stream id."""
    edges = np.cumsum([chunk.symbols for chunk in header.chunks])[:-1]
    parts = np.split(symbols, edges)
    return {chunk.stream_id: part for chunk, part in zip(header.chunks, parts, strict=True)}


def bit_errors(sent, received, noise_var, bits_per_symbol):
    wanted = qam.demodulate(sent, noise_var, bits_per_symbol) < 0
    return np.count_nonzero((qam.demodulate(received, noise_var, bits_per_symbol) < 0) != wanted)


def transfer(link, sent, **channel):
    channel.setdefault("cfo_hz", link.rng.uniform(-50e3, 50e3))
    return receive(link.find_one(link.send(sent.samples, **channel)), link.numerology)


def count_errors(sent, payload):
    """Bit errors and bits of each stream."""
    table, header = sent.layout.header.bands, sent.layout.header
    wanted, found = streams(header, sent.analog), streams(header, payload.analog)
    noise_var, counts = streams(header, payload.noise_var), {}
    for band in table.bands[1:]:
        n, bits = band.stream_id, band.bits_per_symbol
        counts[n] = bit_errors(wanted[n], found[n], noise_var[n], bits), bits * len(wanted[n])
    return counts


# -- bit errors --------------------------------------------------------------------------


@pytest.mark.parametrize("snr_db", [11.0, 13.0, 15.0])
def test_bit_errors_of_each_band_at_its_own_power_are_those_of_theory(link, snr_db):
    """With the channel known: no more and no less."""
    noise_var, response = 10 ** (-snr_db / 10), np.ones(NUM.n_used, np.complex64)
    sent = link.banded(FIVE, [11_000, 12_000, 14_000, 16_000], 60)
    noise = link.normal(sent.grid.size, noise_var).reshape(sent.grid.shape)
    equalized = equalize_frame(sent.grid + noise, response, noise_var, sent.layout)
    counts = count_errors(sent, extract(equalized, sent.layout))
    for band, amplitude in zip(FIVE.bands, FIVE.amplitudes(NUM), strict=True):
        if band.stream_id is None:
            continue
        errors, bits = counts[band.stream_id]
        expected = bits * theory_ber(band.bits_per_symbol, amplitude**2 / noise_var)
        assert expected > 5
        assert abs(errors - expected) < 4.5 * np.sqrt(expected), band


@pytest.mark.parametrize("snr_db", [13.0, 16.0])
def test_the_whole_receiver_is_near_theory_in_every_band(link, snr_db):
    totals = {band.stream_id: np.zeros(2) for band in FIVE.bands[1:]}
    for _ in range(4):
        sent = link.banded(FIVE, [2000, 2500, 2500, 3000], 60)
        for stream_id, counts in count_errors(
            sent, transfer(link, sent, snr_db=snr_db).payload
        ).items():
            totals[stream_id] += counts
    for band, amplitude in zip(FIVE.bands[1:], FIVE.amplitudes(NUM)[1:], strict=True):
        errors, bits = totals[band.stream_id]
        band_db = snr_db + db(amplitude**2)
        low, high = (
            bits * theory_ber(band.bits_per_symbol, 10 ** ((band_db + off) / 10))
            for off in (0.5, -0.5)
        )
        assert low - 4 * np.sqrt(low) < errors < high + 4 * np.sqrt(high), band


def test_a_faint_band_beside_a_loud_one_keeps_its_snr(link):
    """0.01 of the power beside 0.99: 20 dB a carrier apart, through synchronisation and CFO."""
    table = BandTable((Band(None, 24, 0.99, 2), Band(1, 24, 0.01, 2)))
    snr_db = 27.0
    faint_db = snr_db + db(table.amplitudes(NUM)[1] ** 2)
    for _ in range(5):
        sent = link.banded(table, [4000], 250)
        frame = transfer(link, sent, snr_db=snr_db, sro_ppm=link.rng.uniform(-20, 20))
        assert frame.payload.digital == sent.digital
        error = np.mean(np.abs(frame.payload.analog - sent.analog) ** 2)
        assert -db(error) == pytest.approx(faint_db, abs=0.5)
        assert -db(np.mean(frame.payload.noise_var)) == pytest.approx(faint_db, abs=0.5)


def test_a_packet_in_a_loud_band_beside_a_faint_stream_and_the_other_way_round(link):
    for power in (0.99, 0.01):
        table = BandTable((Band(None, 24, power, 2), Band(1, 24, 1 - power, 2)))
        sent = link.banded(table, [2000], 200)
        # 5.5 dB for the packet, as the payload alone needs, 19 dB more for the other.
        snr_db = 5.5 - db(table.amplitudes(NUM)[0] ** 2)
        assert transfer(link, sent, snr_db=snr_db).payload.digital == sent.digital


# -- a channel that differs from carrier to carrier ---------------------------------------


@pytest.mark.parametrize("equalizer", ["zf", "mmse"])
def test_reported_variance_is_that_of_each_symbol_in_multipath(link, equalizer):
    table = BandTable((Band(None, 8, 0.1, 2), Band(1, 20, 0.3, 6), Band(2, 20, 0.6, 0)))
    for _ in range(3):
        taps = link.rayleigh((0.5, 0.3, 0.2))
        response = link.response(taps)
        sent = link.banded(table, [15_000, 15_000], 60)
        received = sent.grid * response
        received += link.normal(received.size, 0.01).reshape(received.shape)
        payload = extract(
            equalize_frame(received, response, 0.01, sent.layout, equalizer), sent.layout
        )
        header = sent.layout.header
        error = streams(header, np.abs(payload.analog - sent.analog) ** 2)
        reported = streams(header, payload.noise_var)
        for stream_id in (1, 2):
            order = np.argsort(reported[stream_id])
            for group in np.array_split(order, 5):
                told = np.mean(reported[stream_id][group])
                assert np.mean(error[stream_id][group]) == pytest.approx(told, rel=0.12)
        # QAM comes without bias, analog symbols with a mean gain of one.
        for stream_id, sent_part in streams(header, sent.analog).items():
            found = streams(header, payload.analog)[stream_id]
            gain = np.vdot(sent_part, found) / np.vdot(sent_part, sent_part)
            assert abs(gain - 1) < 0.03


def test_bit_errors_in_multipath_are_those_of_every_carrier_together(link):
    snr_db, totals = 14.0, {1: np.zeros(2)}
    expected = 0.0
    for _ in range(6):
        taps = link.rayleigh((0.5, 0.3, 0.2))
        sent = link.banded(TWO, [6000], 60)
        frame = transfer(link, sent, taps=taps, snr_db=snr_db)
        errors, bits = count_errors(sent, frame.payload)[1]
        totals[1] += errors, bits
        power = np.abs(link.response(taps)[band_index(NUM, TWO.carriers)[1]]) ** 2
        es_n0 = TWO.amplitudes(NUM)[1] ** 2 * power * 10 ** (snr_db / 10)
        expected += bits * np.mean([theory_ber(4, value) for value in es_n0])
    errors, bits = totals[1]
    assert expected > 200
    assert 0.85 * expected < errors < 1.3 * expected


@pytest.mark.parametrize("snr_db", [5.0, 15.0, 25.0])
def test_snr_of_each_band_is_that_of_the_channel_before_its_power(link, snr_db):
    errors = []
    for _ in range(6):
        taps = link.rayleigh((0.5, 0.25, 0.25))
        frame = transfer(link, link.banded(TWO, [2000], 60), taps=taps, snr_db=snr_db)
        power = np.abs(link.response(taps)) ** 2
        for index, found in zip(band_index(NUM, TWO.carriers), frame.info.band_snr_db, strict=True):
            errors.append(found - snr_db - db(power[index].mean()))
    assert np.max(np.abs(errors)) < 2.0
    assert abs(np.mean(errors)) < 0.5
    assert frame.info.to_dict()["band_snr_db"] == list(frame.info.band_snr_db)
    plain = transfer(link, link.frame(analog=500), snr_db=20.0)
    assert plain.info.band_snr_db == () and "band_snr_db" not in plain.info.to_dict()


# -- the table ---------------------------------------------------------------------------


def test_the_table_is_6_db_sturdier_than_the_payload(link):
    """A QPSK packet of 128 bytes needs 4.5 dB at full power; the table is read at -1.5 dB."""
    noise_var, wrong = 10**0.15, 0
    for n_streams in [1] * 200 + [8] * 50:
        bands = [Band(n, 4, 0.1, 4) for n in range(n_streams)]
        header = link.banded(
            BandTable((Band(None, 8, 0.1, 2), *bands)), [9] * n_streams
        ).layout.header
        table = header.table_bytes()
        cells = coded_cells(table, NUM)
        cells = cells + link.normal(cells.size, noise_var)
        wrong += decode_cells(cells, np.float32(1 / noise_var), len(table)) != table
    assert wrong <= 1


@pytest.mark.parametrize("table", [TWO, FIVE])
def test_frames_are_found_and_their_tables_read_at_0_db(link, table):
    counts = [50] * len(table.stream_ids)
    sent = [link.banded(table, counts, 30, seq) for seq in range(60)]
    gap = np.zeros(500, np.complex64)
    stream = np.concatenate([piece for frame in sent for piece in (frame.samples, gap)])
    found = link.find(link.send(stream, snr_db=0.0, cfo_hz=2e4, sro_ppm=40.0))
    headers = {capture.header.seq: capture.header for capture in found}
    assert len(headers) >= 58
    assert all(headers[n] == sent[n].layout.header for n in headers)


def spoiled(sent, link):
    """Samples of a frame whose band table is noise."""
    samples, num = sent.samples.copy(), link.numerology
    start = preamble_len(num) + header_symbols(num) * num.symbol_len
    stop = start + sent.layout.bands.n_table * num.symbol_len
    samples[start:stop] = link.normal(stop - start)
    return samples


def test_a_damaged_table_costs_its_frame_and_counts_as_a_bad_header(link):
    sent = [link.banded(TWO, [800], 60, seq) for seq in range(3)]
    samples = [sent[0].samples, spoiled(sent[1], link), sent[2].samples]
    sync = FrameSync(link.numerology)
    stream = link.send(np.concatenate(samples), snr_db=25.0)
    found = link.find(stream, sync)
    assert [capture.header for capture in found] == [sent[n].layout.header for n in (0, 2)]
    assert sync.counters.headers_bad >= 1 and sync.counters.frames == 2
    where = 1000 + len(samples[0]) + preamble_len(NUM)
    assert any(0 <= where - bad.long_position < 200 for bad in sync.bad_headers)


def test_a_frame_behind_a_table_that_broke_off_is_found(link):
    first, second = (link.banded(TWO, [800], 60, seq) for seq in range(2))
    start = preamble_len(NUM) + header_symbols(NUM) * NUM.symbol_len
    for keep in (start + 10, start + 300, start + 790):
        stream = np.concatenate([first.samples[:keep], second.samples])
        found = link.find(link.send(stream, snr_db=25.0))
        assert [capture.header.seq for capture in found] == [1]


def test_frames_do_not_depend_on_how_the_stream_is_cut(link):
    sent = [
        link.frame(seq, 300, 40) if seq % 3 == 2 else link.banded(TWO, [60 * seq], 40, seq)
        for seq in range(8)
    ]
    stream = link.send(np.concatenate([frame.samples for frame in sent]), snr_db=15.0)
    whole = link.find(stream)
    assert [capture.header for capture in whole] == [frame.layout.header for frame in sent]
    for largest in (700, 8192):
        sync = FrameSync(link.numerology)
        found = [c for piece in link.cuts(stream, largest) for c in sync.push(piece)]
        found += sync.flush()
        for one, other in zip(whole, found, strict=True):
            assert (one.header, one.start_sample) == (other.header, other.start_sample)
            assert np.array_equal(one.samples, other.samples)
