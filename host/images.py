# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures: any common photo file, or one that scikit-image ships, as 8-bit RGB.

What cannot be sent is refused before its pixels are decoded; what can be sent
after a conversion is converted, with a word about it in ``LoadedImage.notes``.
"""

from __future__ import annotations

import importlib.util
import io
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from host.config.explain import show
from semcom_blocks.errors import SourceError

PIXELS_MAX = 16_000_000  # 16 MP: decoded, encoded and decoded again it still fits 8 GB of memory
FILE_BYTES_MAX = 256 << 20  # 16 MP of 16-bit RGBA uncompressed is 128 MB; twice that is no photo
# Parsers that run on bytes from strangers: only those that the command promises.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF")
FORMATS_TEXT = "JPEG, PNG, WebP, GIF or TIFF"
BUNDLED_SUFFIXES = (".png", ".jpg")
WHITE = (255, 255, 255)  # what shows through transparent pixels, as on paper

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_SIZE_OFFSET = 16  # width, height: two big-endian u32 in IHDR
_PNG_BIT_DEPTH_OFFSET = 24


@dataclass(frozen=True)
class LoadedImage:
    """``pixels`` uint8 (H, W, 3) RGB, a short ``name``, and what was converted.

    ``caption``: what is in it, exactly, where the picture was made from words.
    """

    pixels: np.ndarray
    name: str
    notes: tuple[str, ...] = ()
    caption: str | None = None


def bundled_photos() -> dict[str, Path]:
    """Pictures inside the installed scikit-image, by name; nothing is downloaded.

    The package's folder is looked up without importing it: its own loader would
    fetch from the network what is not shipped.
    """
    found = importlib.util.find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        return {}
    folder = Path(found.submodule_search_locations[0]) / "data"
    files = sorted(p for p in folder.glob("*") if p.suffix in BUNDLED_SUFFIXES)
    return {path.stem: path for path in files}


def find_image(name: str) -> Path:
    """The file that ``name`` (a path or a bundled photo's name) stands for."""
    try:
        path = Path(name)
        if path.exists():
            if not stat.S_ISREG(path.stat().st_mode):
                raise SourceError(
                    f"image {show(name)} is no regular file, permitted: {FORMATS_TEXT}"
                )
            return path
    except (OSError, ValueError) as error:  # e.g. a name too long, a NUL, no permission
        raise SourceError(f"image {show(name)} cannot be read: {_reason(error)}") from None
    photos = bundled_photos()
    if name in photos:
        return photos[name]
    raise SourceError(
        f"image {show(name)} does not exist, permitted: a {FORMATS_TEXT} file or one of "
        + ", ".join(photos)
    )


def load_image(name: str) -> LoadedImage:
    """Read ``name`` as uint8 (H, W, 3); ``SourceError`` in one line if it cannot be sent."""
    path = find_image(name)
    try:
        size = path.stat().st_size
        if not 0 < size <= FILE_BYTES_MAX:
            raise SourceError(
                f"image {show(name)} has {size} bytes, permitted: 1 to {FILE_BYTES_MAX}"
            )
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"image {show(name)} cannot be read: {_reason(error)}") from None
    pixels, notes = decode_image(data, show(name))
    return LoadedImage(pixels, path.stem, notes)


def decode_image(data: bytes, label: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Decode a picture file's bytes: pixels uint8 (H, W, 3) and conversion notes.

    The size is checked on the header, before any pixel exists. Pillow's own bomb
    check is replaced by ours, which is stricter and names the size.
    """
    _check_png_size(data, label)
    previous, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(*image.size, label)
            notes = _notes_on_file(image, data)
            image.load()
            frame = _upright(image)
        pixels, more = _to_rgb(frame)
    except SourceError:
        raise
    except UnidentifiedImageError:
        raise SourceError(f"image {label} is no picture, permitted: {FORMATS_TEXT}") from None
    except Exception as error:
        # Pillow's decoders meet damaged files with a dozen exception types.
        raise SourceError(f"image {label} is damaged: {_reason(error)}") from None
    finally:
        Image.MAX_IMAGE_PIXELS = previous
    return pixels, tuple(notes + more)


def _check_size(width: int, height: int, label: str) -> None:
    if not 0 < width * height <= PIXELS_MAX:
        raise SourceError(
            f"image {label} is {width}x{height} ({width * height / 1e6:.1f} MP), "
            f"permitted: 1x1 to {PIXELS_MAX / 1e6:.0f} MP"
        )


def _check_png_size(data: bytes, label: str) -> None:
    """Pillow calls a PNG without pixels "unidentified"; name the size instead."""
    if data.startswith(_PNG_SIGNATURE) and len(data) >= _PNG_SIZE_OFFSET + 8:
        _check_size(*struct.unpack_from(">II", data, _PNG_SIZE_OFFSET), label)


def _notes_on_file(image: Image.Image, data: bytes) -> list[str]:
    notes = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"animated or multi-page ({image.n_frames} frames): took the first")
        image.seek(0)
    # Pillow already narrows 16-bit colour PNG to 8 bits while reading, silently.
    is_deep_png = data.startswith(_PNG_SIGNATURE) and data[_PNG_BIT_DEPTH_OFFSET] == 16
    if is_deep_png or image.mode.startswith("I"):
        notes.append("16 bits per value: kept the upper 8")
    return notes


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # EXIF is an afterthought of the file: damaged, it must not cost the picture
        return image.copy()


def _to_rgb(image: Image.Image) -> tuple[np.ndarray, list[str]]:
    mode = image.mode
    notes: list[str] = []
    if mode.startswith("I") or mode == "F":
        deep = np.asarray(image).astype(np.float64)
        grey = np.clip(deep / 256.0 if mode != "F" else deep, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2), ["grey: repeated in all three colours"]
    if mode in ("P", "PA"):
        notes.append("palette: expanded to colours")
    elif mode in ("1", "L", "LA", "La"):
        notes.append("grey: repeated in all three colours")
    elif mode not in ("RGB", "RGBA", "RGBa"):
        notes.append(f"{mode}: converted to RGB without a colour profile")
    if image.has_transparency_data:
        notes.append("transparent: composited on white")
        top = image.convert("RGBA")
        paper = Image.new("RGBA", top.size, (*WHITE, 255))
        image = Image.alpha_composite(paper, top)
    return np.array(image.convert("RGB"), dtype=np.uint8), notes


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return ascii(text.splitlines()[0])[1:-1]
