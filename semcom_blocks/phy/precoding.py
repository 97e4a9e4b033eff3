# SPDX-License-Identifier: GPL-3.0-or-later
"""Precoding: cells carry a unitary transform of the symbols instead of the symbols.

    x[k] = n^(-1/2) Σ_i s[i] exp(−j 2π i k / n)

    none    the symbols themselves
    frame   n is all analog symbols of the frame, whitened: a cell carries a little of thousands
            of them, and is Gaussian and of equal power whatever they were, since what repeats
            among them (the first coefficient of every block of a picture) makes no spectral line.
            A packet stays as it is: its code makes more of strong carriers than a mean does.
    dft     n is the data carriers of one OFDM symbol: a single carrier again (SC-FDMA; 3GPP
            TS 38.211, 6.3.1.4).  QPSK has lower peaks then; an analog stream of few strong
            symbols among many weak ones has higher ones, since they stand alone in time.

Behind the equaliser the transform is undone.  Where carrier k has the gain g_k and the error
variance e_k, every symbol has the gain ḡ = mean g_k, which is divided out, and then the error
variance (mean e_k − (1 − ḡ)²)/ḡ², interference of the other symbols included: one of all, which
the MMSE gains make least (D. Falconer et al., "Frequency domain equalization for single-carrier
broadband wireless systems", IEEE Commun. Mag. 40(4), 2002).  No symbol is lost to a fade of its
own carrier.
"""

from functools import partial

import numpy as np
import scipy.fft

from semcom_blocks.phy.interleave import whitening

#: Names of the precodings; their places are their numbers in a frame header.
PRECODINGS = ("none", "frame", "dft")
DEFAULT_PRECODING = "frame"

#: Both ways along the last axis, complex64 (…, n) → complex64 (…, n).
precode = partial(scipy.fft.fft, norm="ortho")
undo = partial(scipy.fft.ifft, norm="ortho")


def mix(symbols: np.ndarray) -> np.ndarray:
    """``frame``: whiten and transform the analog symbols of a frame, complex64 (n,), n > 0."""
    return precode(symbols * whitening(len(symbols)))


def unmix(cells: np.ndarray) -> np.ndarray:
    """Undo :func:`mix`, complex64 (n,) → complex64 (n,)."""
    return undo(cells) * np.conj(whitening(len(cells)))


def mean_error(gain: np.ndarray, noise_var: np.ndarray) -> tuple[np.float32, np.float32]:
    """ḡ, and the error variance of symbols that ḡ was divided out of.

    ``gain`` and ``noise_var`` float32 (n,): those of the cells that the symbols are spread over.
    """
    mean = gain.mean()
    return mean, (noise_var.mean() - (1 - mean) ** 2) / mean**2
