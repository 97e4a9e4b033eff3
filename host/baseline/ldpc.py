# SPDX-License-Identifier: GPL-3.0-or-later
"""5G NR LDPC code words as QAM symbols: Sionna's code and CRC, this testbed's constellations.

::

    bits (B,a) -> CRC -> LDPC, rate matching, bit interleaver -> QAM -> symbols (B,s)
    symbols -> max-log LLR -> sum-product -> CRC -> bits, whether the CRC holds

(3GPP TS 38.212, 5.1, 5.3.2 and 5.4.2.) Decoding is belief propagation, flooding, at most
``ITERATIONS`` times; every few iterations the words whose CRC holds are taken out, as receivers do.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from host.baseline.mcs import SMALL_PAYLOAD, Mcs, info_bits
from semcom_blocks.errors import ConfigError
from semcom_blocks.phy import qam

STAGES = (6, 8, 10, 16)  # iterations between looks at the CRC
ITERATIONS = sum(STAGES)
MISSING = "sionna-no-rt is not installed, permitted: Python 3.11 or newer, which it needs"
LLR_LIMIT = 20.0  # keeps float32 from overflowing inside the check nodes


class CodeWord:
    """Encoder and decoder of one code word of ``symbols`` symbols.

    ``payload_bits`` a are what is left of k by a CRC of 16 bits, 24 above 3,824.
    Raises :class:`ConfigError` without Sionna, and for a length that the code does not have.
    """

    def __init__(self, mcs: Mcs, symbols: int) -> None:
        try:
            from sionna.phy.fec.crc import CRCDecoder, CRCEncoder
            from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
        except ImportError:
            raise ConfigError(MISSING) from None
        self.mcs, self.symbols = mcs, symbols
        self.coded_bits = symbols * mcs.bits_per_symbol
        size = info_bits(mcs, self.coded_bits)
        crc_bits = 16 if size - 16 <= SMALL_PAYLOAD else 24
        self.payload_bits = size - crc_bits
        if self.payload_bits < 1:
            raise ConfigError(f"symbols is {symbols}, permitted: more than the CRC takes")
        self._crc = CRCEncoder("CRC16" if crc_bits == 16 else "CRC24A", device="cpu")
        self._check = CRCDecoder(self._crc)
        try:
            self._encoder = LDPC5GEncoder(
                size, self.coded_bits, num_bits_per_symbol=mcs.bits_per_symbol, device="cpu"
            )
        except ValueError as error:
            raise ConfigError(f"symbols is {symbols}, permitted: a 5G code ({error})") from None
        self._decoder = LDPC5GDecoder(
            self._encoder, cn_update="boxplus", num_iter=ITERATIONS, llr_max=LLR_LIMIT,
            return_state=True, device="cpu",
        )  # fmt: skip

    def modulate(self, bits: NDArray[np.uint8]) -> NDArray[np.complex64]:
        """uint8 (B, a) → complex64 (B, s) of unit power."""
        import torch

        if bits.ndim != 2 or bits.shape[1] != self.payload_bits:
            raise ConfigError(f"bits are {bits.shape}, permitted: (B, {self.payload_bits})")
        coded = self._encoder(self._crc(torch.from_numpy(bits.astype(np.float32))))
        labels = coded.numpy().astype(np.uint8).reshape(-1, self.mcs.bits_per_symbol)
        labels = _to_axes(labels, self.mcs.bits_per_symbol)
        return qam.modulate(labels.reshape(-1), self.mcs.bits_per_symbol).reshape(-1, self.symbols)

    def demodulate(
        self, symbols: NDArray[np.complex64], noise_var: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Equalised symbols (B, s), their noise variance (B, s) → bits (B, a), CRC holds (B,)."""
        import torch

        bits_per_symbol = self.mcs.bits_per_symbol
        llr = qam.demodulate(symbols.reshape(-1), noise_var.reshape(-1), bits_per_symbol)
        llr = _from_axes(llr.reshape(-1, bits_per_symbol), bits_per_symbol)
        # Sionna's logits are ln P(1)/P(0).
        logits = torch.from_numpy(-llr.reshape(-1, self.coded_bits).astype(np.float32))
        bits = torch.zeros(len(logits), self.payload_bits)
        good = torch.zeros(len(logits), dtype=torch.bool)
        left, state = torch.arange(len(logits)), None
        with torch.no_grad():
            for iterations in STAGES:
                found, state = self._decoder(logits[left], num_iter=iterations, msg_v2c=state)
                found, holds = self._check(found)
                holds = holds.reshape(-1).bool()
                bits[left], good[left] = found, holds
                left, state = left[~holds], state[~holds]
                if not len(left):
                    break
        return bits.numpy().astype(np.uint8), good.numpy()


def _to_axes(labels: NDArray, bits_per_symbol: int) -> NDArray:
    """38.211's label order i q i q … → this testbed's i i … q q …; (n, bits) both."""
    if bits_per_symbol == 1:
        return labels
    return labels.reshape(-1, bits_per_symbol // 2, 2).swapaxes(1, 2)


def _from_axes(labels: NDArray, bits_per_symbol: int) -> NDArray:
    """Inverse of :func:`_to_axes`."""
    if bits_per_symbol == 1:
        return labels
    return labels.reshape(-1, 2, bits_per_symbol // 2).swapaxes(1, 2)


def send(
    word: CodeWord, count: int, gains: NDArray[np.complex64], snr_db: float,
    rng: np.random.Generator,
) -> tuple[int, int]:  # fmt: skip
    """``count`` random words through y = h·x + noise of ``snr_db`` (Es/N0 for |h| = 1).

    ``gains`` h broadcasts to (count, s); the receiver knows it. Returns words wrong, and of them
    those whose CRC holds all the same.
    """
    if not math.isfinite(snr_db):
        raise ConfigError(f"snr_db is {snr_db}, permitted: a finite number")
    bits = rng.integers(0, 2, (count, word.payload_bits), dtype=np.uint8)
    symbols = word.modulate(bits)
    noise = rng.standard_normal((*symbols.shape, 2)) @ np.array([1, 1j])
    variance = 10 ** (-snr_db / 10) / np.broadcast_to(np.abs(gains) ** 2, symbols.shape)
    received = (symbols + noise * np.sqrt(variance / 2)).astype(np.complex64)
    found, good = word.demodulate(received, variance.astype(np.float32))
    wrong = (found != bits).any(1)
    return int(wrong.sum()), int((wrong & good).sum())
