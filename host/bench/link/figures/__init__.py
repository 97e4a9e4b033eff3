# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of curves, one file a subject."""

from host.bench.link.figures import estimation, symbols, synchronisation, transmitter
from host.bench.link.figures.style import png
from host.bench.link.targets import Records

PAGES = {
    "link-detection.png": synchronisation.detection,
    "link-clocks.png": synchronisation.clocks,
    "link-snr.png": synchronisation.snr,
    "link-ber.png": symbols.bit_errors,
    "link-packets.png": symbols.packets,
    "link-analog.png": symbols.analog,
    "link-nmse.png": estimation.nmse,
    "link-envelope.png": transmitter.envelope,
}


def draw_all(curves: dict[str, Records]) -> dict[str, bytes]:
    """File name to PNG of every page."""
    return {name: png(draw(curves)) for name, draw in PAGES.items()}


__all__ = ["PAGES", "draw_all"]
