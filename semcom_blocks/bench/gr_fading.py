# SPDX-License-Identifier: GPL-3.0-or-later
"""GNU Radio's own fading: a file of samples through ``channels.selective_fading_model``."""

from pathlib import Path
from typing import Any

import numpy as np
from gnuradio import blocks, channels, gr

#: Sinusoids that make a path fade, as its documentation advises.
SINUSOIDS = 8


def fade(path: Path, target: Path, model: dict[str, Any]) -> dict[str, Any]:
    """Read complex64 samples at ``path``, write what arrives of them to ``target``.

    ``model``: doppler_turns (Doppler frequency over sample rate), line (bool), rice_factor, seed,
    delays (samples), magnitudes, taps (length of the filter).
    """
    samples = np.fromfile(path, np.complex64)
    top = gr.top_block()
    source = blocks.vector_source_c(samples.tolist(), False)
    fading = channels.selective_fading_model(
        SINUSOIDS,
        model["doppler_turns"],
        model["line"],
        model["rice_factor"],
        model["seed"],
        model["delays"],
        model["magnitudes"],
        model["taps"],
    )
    sink = blocks.vector_sink_c()
    top.connect(source, fading, sink)
    top.run()
    np.array(sink.data(), np.complex64).tofile(target)
    return {"samples": len(sink.data())}
