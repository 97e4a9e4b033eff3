# SPDX-License-Identifier: GPL-3.0-or-later
"""A codec without weights, of the interface of the shipped one, for tests of what is around it.

Block DCT of 8 x 8 pixels, the lowest frequencies kept, each scaled by a fixed
guess of its spread: linear, so noise on a symbol is noise on a coefficient.
Run as a program it serves like ``python -m host.service``.
"""

import numpy as np
from scipy.fft import dctn, idctn

from semcom_blocks.errors import ConfigError, ModelError

CODEC_ID = "double"
BLOCK = 8
KEPT = {"1/24": 8, "1/12": 16, "1/6": 32}  # complex symbols of a block of 192 values
RATES = list(KEPT)


def _order():
    """(colour, row, column) of every coefficient, lowest frequencies first."""
    colour, row, column = np.indices((3, BLOCK, BLOCK)).reshape(3, -1)
    rank = np.argsort(row + column + 0.1 * colour, kind="stable")
    return colour[rank], row[rank], column[rank]


ORDER = _order()
SPREAD = 420.0 / (1.0 + ORDER[1] + ORDER[2]) ** 1.6


class CodecDouble:
    def encode(self, image, rate, snr_db, fading=False):
        if rate not in KEPT:
            raise ConfigError(f"rate is {rate!r}, permitted: {', '.join(KEPT)}")
        height, width, _ = image.shape
        pad = [(0, -height % BLOCK), (0, -width % BLOCK), (0, 0)]
        padded = np.pad(image.astype(np.float64) - 128, pad, mode="edge")
        rows, columns = padded.shape[0] // BLOCK, padded.shape[1] // BLOCK
        blocks = padded.reshape(rows, BLOCK, columns, BLOCK, 3).transpose(0, 2, 4, 1, 3)
        spectrum = dctn(blocks, axes=(-2, -1), norm="ortho")[..., ORDER[0], ORDER[1], ORDER[2]]
        kept = (spectrum / SPREAD)[..., : 2 * KEPT[rate]].reshape(-1, 2) / np.sqrt(2)
        symbols = (kept[:, 0] + 1j * kept[:, 1]).astype(np.complex64)
        descriptor = {
            "c": CODEC_ID,
            "w": width,
            "h": height,
            "r": RATES.index(rate),
            "s": round(snr_db),
            "n": len(symbols),
        }
        return symbols, descriptor

    def decode(self, symbols, noise_var, descriptor):
        if descriptor.get("c") != CODEC_ID:
            raise ModelError(f"codec is {descriptor.get('c')!a}, permitted: {CODEC_ID}")
        height, width = descriptor["h"], descriptor["w"]
        rows, columns = -(-height // BLOCK), -(-width // BLOCK)
        kept = 2 * KEPT[RATES[descriptor["r"]]]
        weight = 1 / (1 + noise_var.astype(np.float64))  # towards the mean where it is noise
        values = np.stack([symbols.real * weight, symbols.imag * weight], axis=-1) * np.sqrt(2)
        spectrum = np.zeros((rows, columns, 3, BLOCK, BLOCK))
        index = tuple(axis[:kept] for axis in ORDER)
        spectrum[:, :, index[0], index[1], index[2]] = (
            values.reshape(rows, columns, kept) * SPREAD[:kept]
        )
        blocks = idctn(spectrum, axes=(-2, -1), norm="ortho")
        padded = blocks.transpose(0, 3, 1, 4, 2).reshape(rows * BLOCK, columns * BLOCK, 3)
        return np.clip(np.rint(padded[:height, :width] + 128), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    from host.service.__main__ import main

    main(load_codec=CodecDouble)
