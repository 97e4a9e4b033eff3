# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSCC image codec: any photo to complex channel symbols and back, on the shipped weights.

Pictures are padded by repeating their last row and column to a multiple of 4 pixels and computed in
tiles that overlap by the receptive field. The network has no global statistics (see
:mod:`models.jscc`), so tiling changes nothing but the memory needed; what belongs to the whole
picture, its gain and power and the decoder's condition, is computed over the whole picture.
Convolutions are computed in bfloat16 where the processor has instructions for it: twice as fast,
and the linear part of the code, which carries the precision, stays in float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from models.constellation import quantise
from models.jscc import Jscc, JsccConfig
from models.mixing import unmix
from models.rates import RATE_PLANES, RATES
from models.symbols import Reception, receive, transmit
from models.transform import BLOCK, STRIDE, pixels
from models.weights_io import WEIGHTS_DIR, base_state, load_into, read_card
from semcom_blocks.errors import ConfigError, ModelError, require_choice, require_range

DEFAULT_MODEL = "jscc-v3"
MAX_PIXELS = 16_000_000  # measured: 0.8 GB and 25 s of two cores there and back at rate 1/3
MAX_SIDE = 65_535
SNR_RANGE_DB = (-20.0, 60.0)  # accepted; the network's condition saturates at -10 and 25 dB
TILE = 128  # latents (512 pixels): about 12 MB per activation, borders cost a third more
MAX_MAGNITUDE = 100.0  # of a symbol of unit average power; beyond, it is not a measurement
NOISE_VAR_FLOOR = 1e-6  # 60 dB; an ideal channel may say 0
#: SNR up to which curves pay, of a picture of one block of the transform and of larger ones, whose
#: strong blocks stand far above the mean. Beyond, the code is that for channels that fade.
CURVED_UP_TO_DB = (25.0, 20.0)
FEWEST_CURVED = RATE_PLANES[1]  # planes: at 1/24 there are too few symbols to give any away


def grid_of(height: int, width: int) -> tuple[int, int]:
    """Latent rows and columns of a picture: sides over 4, rounded up."""
    return -(-height // STRIDE), -(-width // STRIDE)


def symbol_count(height: int, width: int, rate: str = "1/6") -> int:
    """Complex symbols k of an HxW picture; k/n is the rate exactly for sides in multiples of 4."""
    require_choice("rate", rate, RATES)
    rows, columns = grid_of(height, width)
    return RATE_PLANES[RATES.index(rate)] * rows * columns


class ImageCodec:
    """Encoder and decoder on one set of weights. Deterministic: equal inputs give equal outputs.

    Results may differ in the last bit between thread counts and torch versions; the PSNR does not.
    """

    def __init__(
        self, model: Jscc, name: str, device: str = "cpu", bfloat16: bool | None = None
    ) -> None:
        """``bfloat16``: in convolutions; None where the processor has instructions for it."""
        self.name = name
        self.device = torch.device(device)
        self.model = model.to(self.device, memory_format=torch.channels_last).eval()
        if has_bfloat16() if bfloat16 is None else bfloat16:
            for side in (self.model.encoder, self.model.decoder):
                side.trunk.bfloat16()
        self.bits_per_symbol = model.config.bits_per_symbol  # of the constellation; 0: analog
        planes = model.config.latents // 2
        self.rates = tuple(r for r, p in zip(RATES, RATE_PLANES, strict=True) if p <= planes)

    @classmethod
    def load(
        cls,
        name: str = DEFAULT_MODEL,
        device: str = "cpu",
        directory: Path = WEIGHTS_DIR,
        bfloat16: bool | None = None,
    ) -> ImageCodec:
        """Load ``NAME.safetensors`` after checking it against ``NAME.json`` in ``directory``.

        Raises :class:`ModelError` naming the file if weights are missing, damaged or foreign,
        :class:`ConfigError` for a device that torch does not have.
        """
        card = read_card(name, directory)
        try:
            model = Jscc(JsccConfig(**card["config"]))
        except (TypeError, ConfigError) as error:
            raise ModelError(f"{directory / name}.json: config is not usable ({error})") from None
        path = directory / f"{name}.safetensors"
        load_into(model, path, card["sha256"], base_state(card, directory))
        try:
            return cls(model, name, device, bfloat16)
        except (RuntimeError, AssertionError) as error:  # torch built without it, or none there
            reason = str(error).splitlines()[0]
            raise ConfigError(f"device is {device!r}, permitted: cpu or cuda ({reason})") from None

    @torch.inference_mode()
    def encode(
        self,
        image: NDArray[np.uint8],
        rate: str = "1/6",
        snr_db: float = 10.0,
        fading: bool = False,
    ) -> tuple[NDArray[np.complex64], dict]:
        """Picture uint8 (H,W,3) → symbols complex64 (k,) of unit average power, and their
        descriptor.

        rate: k/n, one of ``rates``; snr_db: expected SNR per complex symbol, -20 to 60 dB;
        fading: the SNR is a mean of what differs from frame to frame, or frames are lost.
        The descriptor {"c","w","h","r","s","n"}, and "f" 1 for the code without curves, is all that
        :meth:`decode` needs besides the symbols.
        Raises :class:`ConfigError` for a picture, rate or SNR out of range.
        """
        require_choice("rate", rate, self.rates)
        snr_db = _require_snr("snr_db", snr_db)
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3:
            raise ConfigError(f"image is {_what(image)}, permitted: uint8 (H,W,3)")
        height, width, depth = image.shape
        require_range("image channels", depth, 3, 3)
        _require_size(height, width)
        rows, columns = grid_of(height, width)
        planes = RATE_PLANES[RATES.index(rate)]
        curved = planes >= FEWEST_CURVED and snr_db <= CURVED_UP_TO_DB[max(rows, columns) > BLOCK]
        fading = fading or not curved

        latents = torch.empty(1, 2 * planes, rows, columns)
        known = torch.tensor([snr_db]), torch.tensor([planes]), torch.tensor([bool(fading)])
        known = tuple(part.to(self.device) for part in known)
        for inner, outer, cut in _tiles(rows, columns, self.model.config.halo):
            tile = self.model.encode(self._picture_tile(image, outer), *known)
            latents[:, :, inner[0], inner[1]] = tile[:, : 2 * planes, cut[0], cut[1]].cpu()
        sent = transmit(latents, torch.tensor([planes]))
        if self.bits_per_symbol:
            sent = quantise(sent, torch.tensor([planes]), self.bits_per_symbol)
        sent = sent[0].numpy()
        symbols = np.empty((planes, rows, columns), np.complex64)
        symbols.real, symbols.imag = sent[0::2], sent[1::2]
        descriptor = {
            "c": self.name,
            "w": width,
            "h": height,
            "r": RATES.index(rate),
            "s": round(snr_db, 2),
            "n": symbols.size,
        }
        if fading:
            descriptor["f"] = 1
        return symbols.reshape(-1), descriptor

    @torch.inference_mode()
    def decode(
        self,
        symbols: NDArray[np.complex64],
        noise_var: NDArray[np.float32],
        descriptor: Mapping,
    ) -> NDArray[np.uint8]:
        """Received symbols complex64 (k,), noise variances float32 (k,) → picture uint8 (H,W,3).

        noise_var is σ² of each equalised complex symbol. A symbol is taken as erased where its
        noise variance is ``inf``, NaN or negative, or where the symbol is not finite or larger
        than 100. The picture is best effort whatever is erased, all of it included.
        Raises :class:`ConfigError` for a descriptor out of range or arrays that do not fit it.
        """
        height, width, planes, snr_db, fading = self._check_descriptor(descriptor)
        rows, columns = grid_of(height, width)
        grid = (planes, rows, columns)
        count = math.prod(grid)
        for label, array, kind in (("symbols", symbols, "c"), ("noise_var", noise_var, "f")):
            if (
                not isinstance(array, np.ndarray)
                or array.shape != (count,)
                or array.dtype.kind != kind
            ):
                raise ConfigError(
                    f"{label} is {_what(array)}, permitted: "
                    f"{'complex' if kind == 'c' else 'float'} ({count},)"
                )
        with np.errstate(invalid="ignore", over="ignore"):
            erased = ~(
                np.isfinite(noise_var) & (noise_var >= 0) & (np.abs(symbols) <= MAX_MAGNITUDE)
            )
        clean = np.where(erased, 0, symbols).astype(np.complex64).reshape(grid)
        trusted = np.where(erased, np.inf, np.maximum(noise_var, NOISE_VAR_FLOOR))
        trusted = trusted.astype(np.float32).reshape(grid)

        latents = np.stack([clean.real, clean.imag], axis=1).reshape(1, 2 * planes, rows, columns)
        if self.bits_per_symbol:
            known = torch.from_numpy(latents), torch.from_numpy(trusted[None])
            back, noise = unmix(*known, torch.tensor([planes]))
            latents, trusted = back.numpy(), noise[0].numpy()
        whole = receive(
            torch.from_numpy(latents),
            torch.from_numpy(trusted[None]),
            torch.tensor([snr_db], dtype=torch.float32),
            torch.tensor([planes]),
            torch.tensor([fading]),
        )
        whole = Reception(*(part.to(self.device) for part in whole))
        total = self.model.config.latents // 2
        image = np.empty((rows * STRIDE, columns * STRIDE, 3), np.uint8)
        for inner, outer, cut in _tiles(rows, columns, self.model.config.halo):
            noise = np.full((1, total, *_lengths(outer)), np.inf, np.float32)
            noise[0, :planes] = trusted[:, outer[0], outer[1]]
            heard = np.zeros((1, 2 * total, *_lengths(outer)), np.float32)
            heard[0, : 2 * planes] = latents[0, :, outer[0], outer[1]]
            arrays = (torch.from_numpy(a).to(self.device) for a in (heard, noise))
            tile = self.model.decode(*arrays, whole)[0][:, pixels(cut[0]), pixels(cut[1])]
            rounded = tile.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0)
            image[pixels(inner[0]), pixels(inner[1])] = rounded.cpu().numpy()
        return image[:height, :width].copy()

    def _picture_tile(self, image: NDArray[np.uint8], outer: tuple[slice, slice]) -> torch.Tensor:
        """The pixels under ``outer`` latents as (1,3,h,w) in [0,1], padded by edge repetition."""
        part = image[pixels(outer[0]), pixels(outer[1])]
        tensor = torch.from_numpy(part.copy()).to(self.device).permute(2, 0, 1)[None].float() / 255
        rows, columns = (STRIDE * n for n in _lengths(outer))
        missing = (0, columns - tensor.shape[3], 0, rows - tensor.shape[2])
        padded = F.pad(tensor, missing, mode="replicate") if any(missing) else tensor
        return padded.contiguous(memory_format=torch.channels_last)

    def _check_descriptor(self, descriptor: Mapping) -> tuple[int, int, int, float, bool]:
        """(height, width, planes, encoder SNR in dB, fading) of a descriptor from anywhere."""
        if not isinstance(descriptor, Mapping):
            raise ConfigError(f"descriptor is {_what(descriptor)}, permitted: an object")
        missing = [key for key in "cwhrsn" if key not in descriptor]
        if missing:
            raise ConfigError(
                f"descriptor lacks {missing[0]!r}, permitted: all of c, w, h, r, s, n"
            )
        require_choice("descriptor c", descriptor["c"], (self.name,))
        limits = {"w": MAX_SIDE, "h": MAX_SIDE, "r": len(self.rates) - 1, "n": 2**31 - 1}
        for key, high in (limits | {"f": 1}).items():
            value = descriptor[key] if key in limits else descriptor.get(key, 0)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise ConfigError(f"descriptor {key} is {value!r}, permitted: an integer")
            require_range(f"descriptor {key}", value, 0, high)
        snr_db = _require_snr("descriptor s", descriptor["s"])
        height, width = int(descriptor["h"]), int(descriptor["w"])
        _require_size(height, width)
        count = symbol_count(height, width, RATES[descriptor["r"]])
        require_range("descriptor n", descriptor["n"], count, count)
        return height, width, RATE_PLANES[descriptor["r"]], snr_db, bool(descriptor.get("f", 0))


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 faster than float32."""
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return known is not None and bool(known())


def _require_size(height: int, width: int) -> None:
    require_range("image height", height, 1, MAX_SIDE)
    require_range("image width", width, 1, MAX_SIDE)
    require_range("image pixels", height * width, 1, MAX_PIXELS)


def _require_snr(label: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ConfigError(f"{label} is {value!r}, permitted: a number")
    return float(require_range(label, value, *SNR_RANGE_DB))


def _what(value: object) -> str:
    """Kind and shape of a refused value, never its content."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    return type(value).__name__


def _lengths(area: tuple[slice, slice]) -> tuple[int, int]:
    return area[0].stop - area[0].start, area[1].stop - area[1].start


def _tiles(
    rows: int, columns: int, halo: int
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice], tuple[slice, slice]]]:
    """Cover a latent grid: (area to fill, area to compute, where the first lies in the second)."""
    for top in range(0, rows, TILE):
        for left in range(0, columns, TILE):
            inner, outer, cut = [], [], []
            for start, end in ((top, rows), (left, columns)):
                stop = min(start + TILE, end)
                low, high = max(start - halo, 0), min(stop + halo, end)
                inner.append(slice(start, stop))
                outer.append(slice(low, high))
                cut.append(slice(start - low, stop - low))
            yield tuple(inner), tuple(outer), tuple(cut)  # type: ignore[misc]
