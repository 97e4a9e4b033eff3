# SPDX-License-Identifier: GPL-3.0-or-later
"""DC offset and image of a mixer, and the correction y = x + k x* that removes the image.

A receiver gives x = mu z + nu z* + d for a signal z; with x - d corrected by k = -nu / mu*,
y = (mu - |nu|^2 / mu*) z.  A transmitter radiates mu s + nu s* + d for samples s; here
k = -nu / mu is applied to s before, and then an offset c is subtracted with mu c + nu c* = d.

- ``from_tones``     receiver, from tones whose frequencies are known: their images at -f
- ``blind``          receiver, from any proper signal (E[z^2] = 0): the circularity coefficient
- ``from_reference`` receiver, from a signal that is known sample by sample: least squares
- ``transmitter``    from known tones received with the receiver's oscillator aside, so that the
  transmitter's image and offset lie where no receiver's image does

Source: L. Anttila, M. Valkama, M. Renfors, "Circularity-based I/Q imbalance compensation in
wideband direct-conversion receivers", IEEE Trans. Veh. Technol. 57, 2008.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.spectrum import amplitudes

#: An image as strong as the signal is not an imbalance but a real signal.
CONJUGATE_MAX = 0.5
IMAGE_MIN_DBC = -120.0


@dataclass(frozen=True)
class Imbalance:
    """What a mixer does.

    conjugate   k of the correction y = x + k x*
    offset      DC in full scale of the converter
    image_dbc   power of the image against the signal before correction
    transmits   whether it is a transmitter's

    Both mixers have mu = (1 + w*) / 2 and nu = (1 - w) / 2 for a Q branch w = g exp(j phi)
    against the I branch.  So (1 + k) / (1 - k) is w for a receiver, and
    g cos phi / (1 - j g sin phi) for a transmitter.
    """

    conjugate: complex
    offset: complex
    image_dbc: float
    transmits: bool = False

    @property
    def branch(self) -> complex:
        """w, the Q branch against the I branch."""
        ratio = (1 + self.conjugate) / (1 - self.conjugate)
        if not self.transmits:
            return ratio
        inverse = 1 / ratio
        phase = -np.arctan(inverse.imag)
        return complex(np.exp(1j * phase) / (inverse.real * np.cos(phase)))

    @property
    def amplitude(self) -> float:
        """g, gain of the Q branch over the I branch."""
        return float(abs(self.branch))

    @property
    def phase_rad(self) -> float:
        """phi, departure of the branches from quadrature."""
        return float(np.angle(self.branch))


def correct(samples: np.ndarray, found: Imbalance) -> np.ndarray:
    """Receiver: y = (x - d) + k (x - d)*, complex (n,)."""
    centred = samples - found.offset
    return centred + found.conjugate * centred.conj()


def predistort(samples: np.ndarray, found: Imbalance) -> np.ndarray:
    """Transmitter: s + k s* - c, complex (n,)."""
    return samples + found.conjugate * samples.conj() - found.offset


def from_tones(samples: np.ndarray, frequencies: np.ndarray) -> Imbalance:
    """Receiver's imbalance from tones at ``frequencies`` (m,) cycles per sample.

    With a_f the amplitude at f: a_-f = (nu / mu*) a_f*, combined over the tones by least squares.
    """
    m = len(frequencies)
    found = amplitudes(samples, np.concatenate([frequencies, -frequencies, [0.0]]))
    tones, images = found[:m], found[m : 2 * m]
    ratio = np.sum(images * tones) / np.sum(np.abs(tones) ** 2)
    return Imbalance(complex(-ratio), complex(found[-1]), _image_dbc(ratio))


def blind(samples: np.ndarray) -> Imbalance:
    """Receiver's imbalance from a record (n,) of any proper signal.

    k = -c / (p + sqrt(p^2 - |c|^2)),  c = E[x^2], p = E|x|^2.  The statistical error of k is
    1/sqrt(n) for noise, less for tones.
    """
    samples = np.asarray(samples, dtype=np.complex128)
    offset = samples.mean()
    centred = samples - offset
    power = float(np.mean(np.abs(centred) ** 2))
    improper = complex(np.mean(centred**2))
    root = np.sqrt(max(power**2 - abs(improper) ** 2, 0.0))
    ratio = improper / (power + root) if power > 0 else 0j
    return Imbalance(-ratio, complex(offset), _image_dbc(ratio))


def from_reference(samples: np.ndarray, sent: np.ndarray) -> Imbalance:
    """Receiver's imbalance from the aligned known signal: x = mu s + nu s* + d in least squares."""
    sent = np.asarray(sent, dtype=np.complex128)
    model = np.stack([sent, sent.conj(), np.ones(len(sent))], axis=1)  # (n, 3)
    (direct, image, offset), *_ = np.linalg.lstsq(
        model, np.asarray(samples, dtype=np.complex128), rcond=None
    )
    ratio = image / np.conj(direct)
    return Imbalance(complex(-ratio), complex(offset), _image_dbc(ratio))


def transmitter(
    samples: np.ndarray, bins: np.ndarray, sent: np.ndarray, moved: float, period: int
) -> Imbalance:
    """Transmitter's imbalance from its own tones.

    samples   (n,), received with the oscillator ``moved`` cycles per sample below the sender's
    bins      (m,) where the tones are in a period
    sent      (m,) their complex amplitudes there

    The tones arrive as H S exp(-j t), their images as H r S* exp(+j t) with r = nu / mu and
    t = 2 pi bin t0 / period; the slope of the tones' phase gives t0, all images together r.
    """
    m = len(bins)
    lines = np.concatenate([moved + bins / period, moved - bins / period, [moved]])
    found = amplitudes(samples, lines)
    tones, images, leak = found[:m] / sent, found[m : 2 * m] / sent.conj(), found[-1]
    turn = np.exp(2j * np.pi * np.asarray(bins) * _lag(tones, bins, period) / period)
    tones, images = tones * turn, images * turn.conj()
    ratio = np.sum(images * tones.conj()) / np.sum(np.abs(tones) ** 2)
    leaked = leak / tones.mean()
    offset = (leaked - ratio * leaked.conjugate()) / (1 - abs(ratio) ** 2)
    return Imbalance(complex(-ratio), complex(offset), _image_dbc(ratio), transmits=True)


def _lag(tones: np.ndarray, bins: np.ndarray, period: int) -> float:
    """Delay in samples that turned ``tones`` (m,), modulo what ``bins`` can tell apart."""
    spectrum = np.zeros(period, dtype=np.complex128)
    spectrum[bins] = tones
    span = period // int(np.gcd.reduce(bins))
    coarse = float(np.argmax(np.abs(np.fft.ifft(spectrum))[:span]))
    for _ in range(3):
        turned = tones * np.exp(2j * np.pi * bins * coarse / period)
        phase = np.unwrap(np.angle(turned * np.conj(turned.sum())))
        centred = bins - bins.mean()
        coarse -= float(centred @ phase) / float(centred @ centred) * period / (2 * np.pi)
    return coarse


def _image_dbc(ratio: complex) -> float:
    return max(20 * float(np.log10(max(abs(ratio), 1e-9))), IMAGE_MIN_DBC)
