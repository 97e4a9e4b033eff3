# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a calibration: drive the radios, hand records to the mathematics.

Levels and images are measured with the radio's own transmitter if it hears itself (a cable
with an attenuator, or two antennas), else with the reference's.  Clocks always need the
reference.  While one transmits the other is silent.
"""

from __future__ import annotations

import contextlib
from typing import Protocol

import numpy as np

from calibration import delay, frequency, gain, imbalance, noise, rate, waveforms
from calibration.continuity import unbroken
from calibration.drivers.base import Radio
from calibration.errors import Clipped, NoSignal
from calibration.outcome import Clocks, Floor, Mixer, Outcome, Way
from calibration.plan import Settings
from calibration.spectrum import find_tones, window
from semcom_blocks.errors import RadioError

#: Records for levels need a tenth of the precision.
LEVEL_SAMPLES = 1 << 14
#: Records for clocks and images are longer by this: in noise both need it.
LONG = 4
#: Peak wanted while levels are sought: far from clipping, far over the converter's own noise.
PEAK_WANTED_DBFS = (-20.0, -3.0)
LEVEL_TRIES = 12
#: A machine that pauses for a moment breaks off the transmission of a USRP.
RECORD_TRIES = 10
#: First guesses, below the ends of the ranges: a cable without attenuator must not hurt.
#: The second is for a tone that drowns in noise otherwise.
TX_START_BELOW_DB, RX_START_ABOVE_DB = (20.0, 0.0), 30.0
#: More brings nothing: the transmitter's own image may lie there.
SNR_ENOUGH_DB = 20.0
#: Gains tried: the transmitter's upper 40 dB, lower only where everything clips.
TX_STEPS_DB = (0.0, -10.0, -20.0, -30.0, -40.0)
RX_STEP_DB = 10.0
RX_FINE_DB = (-6.0, -4.0, -2.0, 2.0, 4.0, 6.0)
#: The receiver's oscillator stands this far below the transmitter's when images are sought.
MOVED = waveforms.OFFSET_BINS / waveforms.PERIOD
#: Of the curves in the plots.
SPECTRUM_BINS = 2048
CORRELATION_LAGS = 24


class Watcher(Protocol):
    """Somebody who watches."""

    def stage(self, name: str) -> None:
        """A step begins."""

    def progress(self, done: int, total: int) -> None:
        """``done`` of ``total`` records of this step are taken."""

    def note(self, text: str) -> None:
        """Something the user should read, one line."""


class Unwatched:
    """Nobody watches."""

    def stage(self, name: str) -> None:
        """Nothing."""

    def progress(self, done: int, total: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


def calibrate(
    radio: Radio,
    reference: Radio | None,
    settings: Settings,
    steps: tuple[str, ...],
    watcher: Watcher,
    *,
    required: tuple[str, ...] = (),
) -> Outcome:
    """Take ``steps``; those in ``required`` fail where they are impossible, others are left out.

    Raises the errors of ``calibration.errors`` and of the drivers.
    """
    work = _Work(radio, reference, settings, watcher)
    try:
        for step in steps:
            watcher.stage(step)
            try:
                getattr(work, step)()
            except Unable as error:
                if step in required:
                    raise NoSignal(f"{step}: {error}") from None
                work.note(f"{step} left out: {error}")
            except (NoSignal, Clipped) as error:
                raise type(error)(f"{step}: {error}") from None
    finally:
        for each in (radio, reference):
            if each is not None:
                with contextlib.suppress(RadioError):  # what happened before is what matters
                    each.silence()
    return work.outcome


class Unable(Exception):
    """A step that this wiring does not permit."""


class _Work:
    """The state between the steps."""

    def __init__(
        self, radio: Radio, reference: Radio | None, settings: Settings, watcher: Watcher
    ) -> None:
        self.radio, self.reference, self.settings, self.watcher = (
            radio, reference, settings, watcher,
        )  # fmt: skip
        self.outcome = Outcome(radio.kind, radio.serial, radio.name, settings)
        self.outcome.xo_hz = radio.xo_hz
        self.outcome.reference = reference.name if reference is not None else None
        self._source: Radio | None = None
        self._sender: Radio | None = None
        self._levels: dict[str, tuple[float, float]] = {}  # transmit and receive gain by source
        self._offset_hz = 0.0  # of the reference's carrier from where this radio looks for it
        self.rate_hz = settings.rate_hz

    # -- steps -------------------------------------------------------------------------------

    def frequency(self) -> None:
        """Both clocks from one record of two tones."""
        reference = self._needed_reference()
        carrier, tuned = self._tune(reference, 0.0)
        self._listen(reference, waveforms.pair())
        found = frequency.find_pair(self._record(LONG), self.rate_hz, self.reference_rate_hz)
        received = float(np.mean(np.subtract(found.received_hz, found.sent_hz)))
        self._offset_hz = received + tuned - carrier
        self.outcome.clocks = Clocks(
            frequency.error_ppm(found, carrier, tuned), rate.from_pair(found), found.snr_db
        )

    def rate(self) -> None:
        """The drift of a wideband waveform, independent of any carrier."""
        if self.outcome.clocks is None:
            self.frequency()
        reference = self._needed_reference()
        carrier, tuned = self._tune(reference, 0.0)
        left_hz = self._offset_hz - (tuned - carrier)  # what the oscillator's steps leave
        waveform = waveforms.wideband()
        self._listen(reference, waveform)
        self.outcome.drift_ppm = rate.from_drift(
            self._record(LONG), waveform, left_hz / self.rate_hz
        )

    def gain(self) -> None:
        """Coarse grid over both gains, then around the best."""
        source = self._heard()
        self._tune(source, MOVED)
        self._send(source, waveforms.single())
        low, high = self.radio.limits.rx_db
        coarse = np.arange(low, high + 1e-9, RX_STEP_DB)
        top, bottom = source.limits.tx_db[1], source.limits.tx_db[0]
        levels = [top + step for step in TX_STEPS_DB if top + step >= bottom]
        points: list[gain.Point] = []
        for done, tx_db in enumerate(levels):
            self.watcher.progress(done, len(levels) + 1)
            points += self._sweep(source, tx_db, coarse)
        while not any(p.usable for p in points) and any(p.clips for p in points):
            if levels[-1] - RX_STEP_DB < bottom:
                break
            levels.append(levels[-1] - RX_STEP_DB)
            points += self._sweep(source, levels[-1], coarse)
        best = gain.recommend(points)
        fine = [best.rx_db + step for step in RX_FINE_DB if low <= best.rx_db + step <= high]
        points += self._sweep(source, best.tx_db, np.array(fine))
        self.outcome.points = points
        self.outcome.best = gain.recommend(points)
        source.gains(tx_db=self.outcome.best.tx_db)
        self._set_rx(self.outcome.best.rx_db)
        self._levels[source.name] = self.outcome.best.tx_db, self.outcome.best.rx_db

    def imbalance(self) -> None:
        """Both mixers from one record of many tones; then the same once corrected."""
        source = self._heard()
        self._tune(source, MOVED)
        wave = waveforms.tones(waveforms.TONE_BINS)
        self._listen(source, wave)
        samples = self._record(LONG)
        self.watcher.progress(1, 4)
        lines, moved = self._lines(samples)
        rx = imbalance.from_tones(samples, lines)
        again = imbalance.correct(self._record(LONG), rx)
        self.watcher.progress(2, 4)
        left = imbalance.from_tones(again, self._lines(again)[0])
        self.outcome.rx = Mixer(
            rx, left.image_dbc, _dbfs(left.offset),
            {"before": spectrum_db(samples), "after": spectrum_db(again)},
        )  # fmt: skip
        self.outcome.blind_image_dbc = imbalance.from_tones(
            imbalance.correct(samples, imbalance.blind(samples)), lines
        ).image_dbc
        if source is not self.radio:
            self.note("the transmitter's image is left out: this radio does not hear itself")
            return
        tx = self._transmitter(imbalance.correct(samples, rx), moved)
        self._send(source, imbalance.predistort(wave, tx))
        self.watcher.progress(3, 4)
        after = imbalance.correct(self._record(LONG), rx)
        remains = self._transmitter(after, self._lines(after)[1])
        self.outcome.tx = Mixer(tx, remains.image_dbc, _dbfs(remains.offset))

    def delay(self) -> None:
        """From converter to converter, on one clock."""
        if self._heard() is not self.radio:
            raise Unable("this radio does not hear its own transmitter")
        self._tune(self.radio, 0.0)
        wave = waveforms.wideband()
        self._listen(self.radio, wave)
        sent, got = self.radio.there_and_back(wave)
        found = delay.measure(sent, got)
        period = len(wave)
        samples = (found.samples + period / 2) % period - period / 2
        correlation = np.abs(np.fft.ifft(np.fft.fft(got) * np.fft.fft(sent).conj()))
        lags = round(samples) + np.arange(-CORRELATION_LAGS, CORRELATION_LAGS + 1)
        level = correlation[lags % period] / correlation.max()
        self.outcome.way = Way(
            samples, self.rate_hz, found.snr_db, 20 * np.log10(np.maximum(level, 1e-4)), lags
        )

    def noise(self) -> None:
        """All transmitters off; before that the tone's SNR at these gains, if there is one."""
        snr_db = self.outcome.best.snr_db if self.outcome.best is not None else None
        if snr_db is None:
            snr_db = self._tone_snr_db()
        self._silence()
        rx_db = self._rx_db
        floor = noise.floor_dbfs(self._record())
        floor_dbm = floor + self.radio.full_scale_dbm - rx_db
        self.outcome.floor = Floor(
            floor, floor_dbm, noise.noise_figure_db(floor_dbm, self.rate_hz), snr_db, rx_db
        )

    def _tone_snr_db(self) -> float | None:
        try:
            source = self._heard()
        except NoSignal:
            self.note("no signal found: noise is measured without its SNR, not kept in the profile")
            return None
        self._tune(source, MOVED)
        self._listen(source, waveforms.single())
        return gain.evaluate(self._record(), 0.0, 0.0, self._single).snr_db

    # -- what the steps share ----------------------------------------------------------------

    def note(self, text: str) -> None:
        """Tell the user, and keep it for the report."""
        self.outcome.notes.append(text)
        self.watcher.note(text)

    def _needed_reference(self) -> Radio:
        if self.reference is None:
            raise Unable("it needs a reference")
        return self.reference

    def _heard(self) -> Radio:
        """The radio itself if it hears itself, else the reference if that is heard."""
        if self._source is None:
            self._source = self._find_source()
            self.outcome.heard = self._source.name
        return self._source

    def _find_source(self) -> Radio:
        try:
            self._tune(self.radio, MOVED)
            self._listen(self.radio, waveforms.single())
            return self.radio
        except NoSignal:
            if self.reference is None:
                raise
        self._tune(self.reference, MOVED)
        self._listen(self.reference, waveforms.single())
        self.note(f"{self.radio.name} does not hear itself: measured with {self.reference.name}")
        return self.reference

    def _tune(self, source: Radio, moved: float) -> tuple[float, float]:
        """Receive ``source`` with this radio's oscillator ``moved`` cycles per sample below it.

        Only ``source`` may transmit from now on.  Returns the carrier sent and tuned to.
        """
        self._silence()
        centre, wanted = self.settings.center_freq_hz, self.settings.rate_hz
        # A known difference of the clocks is tuned away, so that tones lie where they should.
        offset = self._offset_hz if source is not self.radio else 0.0
        receive_hz = centre - moved * wanted + offset
        if source is self.radio:
            self.rate_hz, carrier, tuned = self.radio.tune(wanted, centre, receive_hz)
            self.reference_rate_hz = self.rate_hz
        else:
            self.rate_hz, _, tuned = self.radio.tune(wanted, centre, receive_hz)
            self.reference_rate_hz, carrier, _ = source.tune(wanted, centre, centre)
        return carrier, tuned

    def _silence(self) -> None:
        self._sender = None
        for each in (self.radio, self.reference):
            if each is not None:
                each.silence()

    def _record(self, longer: int = 1) -> np.ndarray:
        """A long record, whole periods of the waveforms."""
        period = waveforms.PERIOD
        return self._receive(longer * self.settings.samples // period * period)

    def _receive(self, count: int) -> np.ndarray:
        """``count`` samples during which the transmission had no gap."""
        if self._sender is None:
            return self.radio.receive(count)
        for _ in range(RECORD_TRIES):
            samples = self.radio.receive(count)
            # A driver may learn of a gap later than the record comes.
            if not self._sender.interrupted() and unbroken(samples, waveforms.PERIOD):
                return samples
        raise RadioError(
            f"{self._sender.name}: transmission breaks off again and again, permitted: a lower "
            "rate or a machine that is less busy"
        )

    def _send(self, source: Radio, waveform: np.ndarray) -> None:
        source.transmit(waveform)
        self._sender = source

    def _listen(self, source: Radio, waveform: np.ndarray) -> None:
        """Transmit at gains at which the record neither clips nor drowns in noise.

        They are sought once with a single tone: all waveforms have its peak.
        Raises :class:`NoSignal`, :class:`Clipped`.
        """
        if source.name not in self._levels:
            self._levels[source.name] = self._find_levels(source)
        tx_db, rx_db = self._levels[source.name]
        source.gains(tx_db=tx_db)
        self._set_rx(rx_db)
        self._send(source, waveform)

    def _find_levels(self, source: Radio) -> tuple[float, float]:
        source.gains(tx_db=source.limits.tx_db[0])  # before it transmits with what was set before
        self._send(source, waveforms.single())
        low, high = source.limits.tx_db
        found = gain.Point(0.0, 0.0, float("-inf"), 0.0, 0.0)
        for below_db in TX_START_BELOW_DB:
            found = self._find_rx(source, max(high - below_db, low))
            if found.snr_db >= SNR_ENOUGH_DB:
                break
        if not np.isfinite(found.snr_db):
            raise NoSignal(
                f"no signal found at tx {found.tx_db:g} dB, rx {found.rx_db:g} dB: SNR too low "
                "(is TX connected to RX, and is the frequency the same?)"
            )
        return found.tx_db, found.rx_db

    def _find_rx(self, source: Radio, tx_db: float) -> gain.Point:
        """A receive gain that puts the peak where it is wanted; ``tx_db`` lower if it must be."""
        (tx_low, tx_high), (rx_low, rx_high) = source.limits.tx_db, self.radio.limits.rx_db
        rx_db = min(rx_low + RX_START_ABOVE_DB, rx_high)
        low, high = PEAK_WANTED_DBFS
        for _ in range(LEVEL_TRIES):
            source.gains(tx_db=tx_db)
            self._set_rx(rx_db)
            samples = self._receive(LEVEL_SAMPLES)
            peak = gain.peak_dbfs(samples)
            if low <= peak <= high:
                break
            # A clipped record tells only that it is too much.
            wanted = -(high - low) if peak > high else (low + high) / 2 - peak
            before = rx_db, tx_db
            rx_db, rest = _moved(rx_db, wanted, rx_low, rx_high)
            if wanted < 0:
                tx_db, _ = _moved(tx_db, rest, tx_low, tx_high)
            if (rx_db, tx_db) != before:
                continue
            if wanted < 0:
                raise Clipped(
                    f"receiver clips at every gain (peak {peak:.1f} dBFS), permitted: up to "
                    f"{high:g} dBFS (30 dB of attenuation between TX and RX helps)"
                )
            break  # as loud as can be
        return gain.evaluate(samples, tx_db, rx_db)

    def _set_rx(self, rx_db: float) -> None:
        self.radio.gains(rx_db=rx_db)
        self._rx_db = rx_db

    def _sweep(self, source: Radio, tx_db: float, rx_gains: np.ndarray) -> list[gain.Point]:
        """Rising receive gains at one transmit gain, until it clips."""
        source.gains(tx_db=tx_db)
        points = []
        for rx_db in rx_gains:
            self._set_rx(float(rx_db))
            point = gain.evaluate(self._receive(LEVEL_SAMPLES), tx_db, float(rx_db), self._single)
            points.append(point)
            if point.clips:
                break
        return points

    @property
    def _single(self) -> float:
        """The single tone as sent, in this radio's cycles per sample."""
        return waveforms.SINGLE_BIN / waveforms.PERIOD * self.reference_rate_hz / self.rate_hz

    def _lines(self, samples: np.ndarray) -> tuple[np.ndarray, float]:
        """Where the tones really are, and how far the oscillators are apart."""
        ratio = self.reference_rate_hz / self.rate_hz
        bins = waveforms.TONE_BINS / waveforms.PERIOD * ratio
        (strongest,) = find_tones(samples, 1)
        nearest = int(np.argmin(np.abs(bins + MOVED - strongest.frequency)))
        moved = strongest.frequency - bins[nearest]
        if abs(moved - MOVED) > 4 / waveforms.PERIOD:
            raise NoSignal(
                f"no signal found: the strongest line is {(moved - MOVED) * self.rate_hz:.0f} Hz "
                "from where it should be (is another transmitter near?)"
            )
        return bins + moved, float(moved)

    def _transmitter(self, samples: np.ndarray, moved: float) -> imbalance.Imbalance:
        wave = waveforms.tones(waveforms.TONE_BINS)
        bins = waveforms.TONE_BINS
        sent = np.fft.fft(wave)[bins] / len(wave)
        return imbalance.transmitter(samples, bins, sent, moved, len(wave))


def spectrum_db(samples: np.ndarray) -> np.ndarray:
    """Power per bin in dB of a full-scale tone, rising frequency, float (SPECTRUM_BINS,)."""
    count = len(samples) // SPECTRUM_BINS
    rows = samples[: count * SPECTRUM_BINS].reshape(count, SPECTRUM_BINS) * window(SPECTRUM_BINS)
    power = np.mean(np.abs(np.fft.fft(rows, axis=1) / SPECTRUM_BINS) ** 2, axis=0)
    return np.fft.fftshift(10 * np.log10(np.maximum(power, 1e-14)))


def _moved(value: float, change: float, low: float, high: float) -> tuple[float, float]:
    """``value + change`` within the range, in whole dB, and what of the change is left."""
    after = min(max(float(np.rint(value + change)), low), high)
    return after, change - (after - value)


def _dbfs(value: complex) -> float:
    return 20 * float(np.log10(max(abs(value), 1e-6)))
