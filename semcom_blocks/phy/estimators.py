# SPDX-License-Identifier: GPL-3.0-or-later
"""Channel estimation behind one call.

    ls       every known cell of a carrier, no smoothing
    linear   comb carriers alone, straight lines between them
    spline   comb carriers alone, natural cubic spline
    dft      LS, then only delays within the cyclic prefix
    lmmse    LS, then smoothed by an exponential delay profile chosen by evidence
    cgan     not here: a network in the model service, which starts from lmmse

The channel is taken as constant over a frame once the tracked phase and slope
are removed, so every known cell of a carrier is one more look at it.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import log10

import numpy as np

from semcom_blocks.errors import require_choice
from semcom_blocks.phy.interpolate import delay_window, linear, mean_delay_phasor, spline
from semcom_blocks.phy.known import KnownCells, pack
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import long_field

#: Names that :func:`estimate` takes.
METHODS = ("ls", "linear", "spline", "dft", "lmmse")
#: The estimator that the model service computes; see :mod:`semcom_blocks.remote_estimator`.
REMOTE = "cgan"
#: What a receiver can be asked for, and what it falls back on where the service is away.
CHOICES, FALLBACK = (*METHODS, REMOTE), "lmmse"
INTERPOLATIONS = {"linear": linear, "spline": spline, "dft": delay_window}
#: RMS delays, in samples, of the exponential profiles among which the evidence chooses.
DELAY_SPREADS = (0.0, 0.15, 0.5, 1.0, 2.0, 4.0, 8.0)
#: Share of power that every profile leaves to any delay within the prefix, so that none excludes.
ROBUST_SHARE = 1e-3
#: Delay spread of an estimate that chose none.
NO_SPREAD = float("nan")


_Part = tuple[np.ndarray, np.ndarray, slice | np.ndarray]


@dataclass(frozen=True)
class ChannelEstimate:
    """Channel over the used carriers.

    ``response`` complex64 (n_used,); ``noise_var`` complex noise variance of a
    cell; ``snr_db`` mean Es/N0 over the carriers; ``delay_spread`` in samples of
    the profile that was chosen (NaN where none is).
    """

    response: np.ndarray
    noise_var: float
    snr_db: float
    delay_spread: float


def least_squares(
    received: np.ndarray, reference: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """LS over the known cells of each carrier.

    H[k] = Σ_m conj(X) Y / Σ_m |X|².  ``received``, ``reference`` complex64 and
    ``known`` bool are (m, n_used).  Returns the estimate complex64 (n_used,), its
    weight Σ|X|² float32 (n_used,), and the complex noise variance of a cell from
    the residual, with the degrees of freedom that the fit used taken off.
    """
    pilots, cells = np.where(known, reference, 0), np.where(known, received, 0)
    return _fit([(cells, pilots, slice(None))], known.shape[1], int(np.count_nonzero(known)))


def fit_known(
    received: KnownCells, reference: KnownCells, numerology: Numerology
) -> tuple[np.ndarray, np.ndarray, float]:
    """:func:`least_squares` over packed cells."""
    parts: list[_Part] = [(received.rows, reference.rows, slice(None))]
    if received.comb.size:
        parts.append((received.comb.T, reference.comb.T, numerology.comb_index))
    n_known = received.rows.size + received.comb.size
    return _fit(parts, numerology.n_used, n_known)


def _fit(parts: list[_Part], n_used: int, n_known: int) -> tuple[np.ndarray, np.ndarray, float]:
    """LS over parts (cells, sent values, carriers), the arrays (m, number of carriers)."""
    response = np.zeros(n_used, np.complex64)
    weight = np.zeros(n_used, np.float32)
    for cells, pilots, carriers in parts:
        response[carriers] += (np.conj(pilots) * cells).sum(axis=0)
        weight[carriers] += (pilots.real**2 + pilots.imag**2).sum(axis=0)
    response /= np.maximum(weight, np.float32(1e-12))
    error = 0.0
    for cells, pilots, carriers in parts:
        residual = cells - response[carriers] * pilots
        error += float((residual.real**2 + residual.imag**2).sum())
    return response, weight, max(error / max(n_known - n_used, 1), 1e-12)


@lru_cache(maxsize=8)
def profile_covariances(numerology: Numerology) -> np.ndarray:
    """Frequency covariances of the exponential profiles, complex128 (profiles, n_used, n_used).

    An exponential profile of RMS delay τ whose mean is moved to zero has
    R[k, l] = exp(jωτ) / (1 + jωτ) with ω = 2π (k - l) / N.
    """
    k = numerology.carriers
    turn = 2 * np.pi * (k[:, None] - k[None, :]) / numerology.fft_size
    tau = np.array(DELAY_SPREADS)[:, None, None]
    exponential = np.exp(1j * turn * tau) / (1 + 1j * turn * tau)
    uniform = np.sinc(turn * numerology.cp_len / (2 * np.pi))
    return (1 - ROBUST_SHARE) * exponential + ROBUST_SHARE * uniform


@lru_cache(maxsize=8)
def profile_modes(numerology: Numerology) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (profiles, n_used) and eigenvectors (profiles, n_used, n_used) of the above.

    The used carriers lie as k and -k, so R = J R* J, and Q = [[I, jI], [J, -jJ]] / √2 makes QᴴRQ
    real: its decomposition takes a fourth of the time, which at 800 carriers is seconds.
    """
    covariances = profile_covariances(numerology)
    half = numerology.n_used // 2
    a, b = covariances[:, :half, :half], covariances[:, :half, : half - 1 : -1]
    corner = (b - a).imag
    upper = np.concatenate([(a + b).real, corner], axis=2)
    lower = np.concatenate([corner.swapaxes(1, 2), (a - b).real], axis=2)
    values, modes = np.linalg.eigh(np.concatenate([upper, lower], axis=1))
    vectors = (modes[:, :half] + 1j * modes[:, half:]) / np.sqrt(2)
    return np.maximum(values, 0.0), np.concatenate([vectors, vectors.conj()[:, ::-1]], axis=1)


def lmmse(
    response: np.ndarray, error_var: np.ndarray, numerology: Numerology
) -> tuple[np.ndarray, float]:
    """Smooth an LS estimate over frequency, complex64 (n_used,) → complex64 (n_used,).

    H = P R (P R + e I)⁻¹ H_ls with P the mean power of the channel, for the profile
    whose Gaussian evidence -log det C - H_lsᴴ C⁻¹ H_ls, C = P R + e I, is largest
    (robust LMMSE, Edfors 1998, with the delay spread estimated).  ``error_var``
    float (n_used,) is the variance of each LS value.  Also returns the chosen RMS
    delay in samples.

    e is the mean of ``error_var``: the comb carriers of a long frame are known better
    than that, but using it would take a factorisation per frame, 20 times the work, and
    in a multithreaded LAPACK on busy cores 10 ms and more, for 0.03 dB at most.
    """
    error = float(np.mean(error_var))
    power = max(_mean_power(response) - error, 1e-9)
    # The mean delay shows as a common slope; the profiles are centred on it.
    delay = mean_delay_phasor(response, numerology)
    values, vectors = profile_modes(numerology)
    modes = (np.conj(response) * delay) @ vectors  # conjugate of Uᴴ h: (profiles, n_used)
    variance = power * values + max(error, 1e-9 * power)
    misfit = (modes.real**2 + modes.imag**2) / variance + np.log(variance)
    best = int(misfit.sum(axis=1).argmin())
    share = power * values[best] / variance[best]
    smooth = vectors[best] @ (share * np.conj(modes[best]))
    return (smooth * delay).astype(np.complex64), DELAY_SPREADS[best]


def lmmse_many(responses: np.ndarray, error_vars: np.ndarray, numerology: Numerology) -> np.ndarray:
    """:func:`lmmse` of many LS estimates at once, complex64 (b, n_used) → complex64 (b, n_used).

    ``error_vars`` float (b,) is the mean error variance of each estimate over the carriers.
    """
    error = np.asarray(error_vars, float)[:, None]
    power = np.maximum(np.mean(np.abs(responses) ** 2, axis=1, keepdims=True) - error, 1e-9)
    half = numerology.n_used // 2
    below, above = responses[:, :half], responses[:, half:]
    lag = sum(np.sum(np.conj(x[:, :-1]) * x[:, 1:], axis=1) for x in (below, above))
    delay = np.exp(1j * np.angle(lag)[:, None] * numerology.carriers).astype(np.complex64)
    values, vectors = profile_modes(numerology)
    # conjugate of Uᴴ h: (profiles, b, n_used)
    modes = (np.conj(responses) * delay) @ vectors.astype(np.complex64)
    variance = power * values[:, None] + np.maximum(error, 1e-9 * power)
    misfit = (modes.real**2 + modes.imag**2) / variance + np.log(variance)
    best = misfit.sum(axis=2).argmin(axis=0)
    row = np.arange(len(best))
    share = power * values[best] / variance[best, row]
    smooth = np.einsum("bkm,bm->bk", vectors[best], share * np.conj(modes[best, row]))
    return (smooth * delay).astype(np.complex64)


def _mean_power(response: np.ndarray) -> float:
    return float(np.vdot(response, response).real) / len(response)


def estimate(
    received: np.ndarray,
    reference: np.ndarray,
    known: np.ndarray,
    numerology: Numerology,
    method: str = "lmmse",
) -> ChannelEstimate:
    """Estimate the channel from the known cells of a frame.

    ``received``, ``reference`` complex64 and ``known`` bool are (m, n_used), phase
    and slope removed.  Raises :class:`ConfigError` for an unknown ``method``.
    """
    packed = pack(received, known), pack(reference, known)
    if packed[0] is not None and packed[1] is not None:
        return estimate_known(packed[0], packed[1], numerology, method)
    return _finish(least_squares(received, reference, known), numerology, method)


def estimate_known(
    received: KnownCells, reference: KnownCells, numerology: Numerology, method: str = "lmmse"
) -> ChannelEstimate:
    """:func:`estimate` from packed cells, which is what costs a receiver least."""
    return _finish(fit_known(received, reference, numerology), numerology, method)


def estimate_long(long: np.ndarray, numerology: Numerology) -> ChannelEstimate:
    """What the two long symbols, complex64 (2, n_used), alone say about the channel."""
    none = np.zeros((0, 0), np.complex64)
    sent = KnownCells(long_field(numerology), none)
    return estimate_known(KnownCells(long, none), sent, numerology)


def _finish(
    fit: tuple[np.ndarray, np.ndarray, float], numerology: Numerology, method: str
) -> ChannelEstimate:
    """Smooth an LS fit (response, weight, noise variance) by ``method``; its figures."""
    require_choice("estimator", method, METHODS)
    response, weight, noise_var = fit
    spread = NO_SPREAD
    if method in INTERPOLATIONS:
        response = INTERPOLATIONS[method](response, numerology)
    elif method == "lmmse":
        response, spread = lmmse(response, noise_var / np.maximum(weight, 1e-12), numerology)
    power = _mean_power(response)
    if method == "ls":
        power -= noise_var / float(np.mean(weight))
    return ChannelEstimate(response, noise_var, _snr_db(power, noise_var), spread)


def with_response(estimate: ChannelEstimate, response: np.ndarray) -> ChannelEstimate:
    """``estimate`` with a response, complex64 (n_used,), that came from elsewhere."""
    snr_db = _snr_db(_mean_power(response), estimate.noise_var)
    return ChannelEstimate(response, estimate.noise_var, snr_db, estimate.delay_spread)


def _snr_db(power: float, noise_var: float) -> float:
    return 10 * log10(max(power, 1e-12) / noise_var)
