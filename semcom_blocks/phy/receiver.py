# SPDX-License-Identifier: GPL-3.0-or-later
"""The receive chain behind the synchroniser, stage by stage and as one call.

The GNU Radio blocks call the same stages one by one; a test holds both ways to
identical output.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from semcom_blocks.phy import equalizer, estimators
from semcom_blocks.phy.bands import band_snr_db
from semcom_blocks.phy.demodulator import frame_grid, symbol_starts, to_grid
from semcom_blocks.phy.equalizer import Equalized
from semcom_blocks.phy.estimators import ChannelEstimate
from semcom_blocks.phy.grid import FrameLayout, frame_layout
from semcom_blocks.phy.header import FrameHeader
from semcom_blocks.phy.measure import evm_db
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.payload import Payload, extract
from semcom_blocks.phy.phasor import sloped_phasors, unit_phasor
from semcom_blocks.phy.preamble import long_field
from semcom_blocks.phy.sync import Capture
from semcom_blocks.phy.tracking import track

#: Timing drift over a frame, in samples, from which single windows are shifted.
SLIP_THRESHOLD = 0.5


@dataclass(frozen=True)
class FrameInfo:
    """All that was measured about a frame; travels with it in the PDU dictionary.

    ``band_snr_db``: Es/N0 of each band at unit power; empty in a frame without bands.
    """

    job_id: int
    seq: int
    snr_db: float
    cfo_hz: float
    sro_ppm: float
    evm_db: float
    timing_sample: int
    power_dbfs: float
    noise_var: float
    delay_spread: float
    band_snr_db: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As a plain mapping, without ``band_snr_db`` where there are no bands."""
        fields = asdict(self)
        bands = list(fields.pop("band_snr_db"))
        return fields | ({"band_snr_db": bands} if bands else {})


@dataclass(frozen=True)
class Demodulated:
    """Grid of a frame with phase and timing drift removed.

    ``long`` complex64 (2, n_used), ``grid`` complex64 (n_symbols, n_used),
    ``cfo_hz`` in total, ``sro_ppm`` of this frame.
    """

    long: np.ndarray
    grid: np.ndarray
    cfo_hz: float
    sro_ppm: float


@dataclass(frozen=True)
class ReceivedFrame:
    """A frame with its payload and measurements."""

    header: FrameHeader
    payload: Payload
    channel: ChannelEstimate
    info: FrameInfo


def demodulate(capture: Capture, numerology: Numerology) -> Demodulated:
    """FFT of a captured frame, tracked by its known cells.

    Where the sampling clocks drift by more than half a sample over the frame, the
    windows are shifted by whole samples and the frame is transformed again.
    """
    num = numerology
    layout = frame_layout(num, capture.header)
    long, grid = frame_grid(capture.samples, layout.n_symbols, capture.cfo_hz, num)
    channel = estimators.estimate_long(long, num).response
    followed = track(grid, channel, layout)
    starts = symbol_starts(layout.n_symbols, num)
    if abs(followed.sro_ppm) * 1e-6 * starts[-1] > SLIP_THRESHOLD:
        late = np.rint(followed.sro_ppm * 1e-6 * starts).astype(int)
        grid = to_grid(capture.samples, starts, capture.cfo_hz, num, late)
        followed = track(grid, channel, layout)
    carriers = num.carriers
    grid *= sloped_phasors(-followed.phase, -followed.slope, carriers)
    middle = followed.long_phase + followed.long_slope * carriers
    # Half a symbol either side of the middle: the residual CFO turns the two long symbols apart.
    apart = 2 * np.pi * followed.cfo_hz * num.fft_size / num.sample_rate_hz * np.array([-0.5, 0.5])
    long *= unit_phasor(-(middle + apart[:, None]))
    return Demodulated(long, grid, capture.cfo_hz + followed.cfo_hz, followed.sro_ppm)


def known_stack(layout: FrameLayout) -> tuple[np.ndarray, np.ndarray]:
    """Long field, header and pilots as one stack for an estimator.

    Returns reference complex64 and known bool, each (2 + n_symbols, n_used).
    """
    long = long_field(layout.numerology)
    known = np.ones(long.shape, bool)
    return np.concatenate([long, layout.reference]), np.concatenate([known, layout.known])


def pilot_evm_db(equalized: Equalized, layout: FrameLayout) -> float:
    """EVM over the known cells after equalisation, in dB."""
    return evm_db(layout.select(equalized.cells).flat(), layout.known_cells.flat())


def frame_band_snr_db(
    response: np.ndarray, noise_var: float, layout: FrameLayout
) -> tuple[float, ...]:
    """Es/N0 of each band of a frame at unit power, in dB; empty where it has none."""
    if layout.header.bands is None:
        return ()
    return tuple(band_snr_db(response, noise_var, layout.header.bands, layout.numerology))


def receive(
    capture: Capture,
    numerology: Numerology,
    estimator: str = "lmmse",
    equalizer_method: str = "mmse",
) -> ReceivedFrame:
    """Run every stage on a captured frame.

    Raises :class:`ConfigError` for an unknown estimator or equalizer.
    """
    layout = frame_layout(numerology, capture.header)
    demodulated = demodulate(capture, numerology)
    received = layout.select(demodulated.grid).below(demodulated.long)
    reference = layout.known_cells.below(long_field(numerology))
    channel = estimators.estimate_known(received, reference, numerology, estimator)
    equalized = equalizer.equalize_frame(
        demodulated.grid, channel.response, channel.noise_var, layout, equalizer_method
    )
    payload = extract(equalized, layout)
    info = FrameInfo(
        job_id=capture.header.job_id,
        seq=capture.header.seq,
        snr_db=channel.snr_db,
        cfo_hz=demodulated.cfo_hz,
        sro_ppm=demodulated.sro_ppm,
        evm_db=pilot_evm_db(equalized, layout),
        timing_sample=capture.start_sample,
        power_dbfs=capture.power_dbfs,
        noise_var=channel.noise_var,
        delay_spread=channel.delay_spread,
        band_snr_db=frame_band_snr_db(channel.response, channel.noise_var, layout),
    )
    return ReceivedFrame(capture.header, payload, channel, info)
