# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of every kind come out as 8-bit RGB, or are refused in one line."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from host.images import PIXELS_MAX, bundled_photos, load_image
from semcom_blocks.errors import SourceError

RNG = np.random.default_rng(3)
PHOTO = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)


def save(path, image, **options):
    image.save(path, **options)
    return str(path)


def png(width, height, depth=8, colour=2, body=b""):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b"")
    )


def test_png_is_exact_and_silent(tmp_path):
    loaded = load_image(save(tmp_path / "a.png", Image.fromarray(PHOTO)))
    np.testing.assert_array_equal(loaded.pixels, PHOTO)
    assert loaded.notes == ()
    assert loaded.name == "a"
    assert loaded.pixels.flags.writeable


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_lossy_formats_come_close(tmp_path, name):
    flat = np.full((32, 48, 3), (200, 100, 50), np.uint8)
    loaded = load_image(save(tmp_path / name, Image.fromarray(flat), quality=95))
    assert loaded.pixels.shape == flat.shape
    assert np.abs(loaded.pixels.astype(int) - flat).max() <= 4


def test_grey_palette_cmyk_are_converted_with_a_word(tmp_path):
    rgb = Image.fromarray(PHOTO)
    cases = {"grey": ("L", "png"), "palette": ("P", "png"), "CMYK": ("CMYK", "jpg")}
    for word, (mode, suffix) in cases.items():
        loaded = load_image(save(tmp_path / f"{mode}.{suffix}", rgb.convert(mode)))
        assert loaded.pixels.shape == PHOTO.shape
        assert loaded.pixels.dtype == np.uint8
        assert any(word in note for note in loaded.notes)


def test_cmyk_keeps_its_colours(tmp_path):
    red = Image.new("RGB", (16, 16), (250, 10, 10)).convert("CMYK")
    loaded = load_image(save(tmp_path / "red.jpg", red, quality=95))
    assert np.abs(loaded.pixels.astype(int) - (250, 10, 10)).max() < 12


def test_16_bit_grey_png(tmp_path):
    deep = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    loaded = load_image(save(tmp_path / "deep.png", Image.fromarray(deep)))
    np.testing.assert_array_equal(loaded.pixels[:, :, 1], (deep >> 8).astype(np.uint8))
    assert any("16 bits" in note for note in loaded.notes)


def test_16_bit_colour_png(tmp_path):
    value = 0x80FF
    row = b"\0" + struct.pack(">HHH", value, 0, 0xFFFF) * 3
    path = tmp_path / "deep.png"
    path.write_bytes(png(3, 2, depth=16, body=row * 2))
    loaded = load_image(str(path))
    assert loaded.pixels[0, 0].tolist() == [0x80, 0, 0xFF]
    assert any("16 bits" in note for note in loaded.notes)


def test_transparency_lies_on_white(tmp_path):
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2] = (10, 20, 30, 255)
    loaded = load_image(save(tmp_path / "a.png", Image.fromarray(rgba)))
    assert loaded.pixels[0, 0].tolist() == [10, 20, 30]
    assert loaded.pixels[3, 3].tolist() == [255, 255, 255]
    assert any("white" in note for note in loaded.notes)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animation_gives_its_first_frame(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(
        tmp_path / f"a.{suffix}", frames[0], save_all=True, append_images=frames[1:], **options
    )
    loaded = load_image(path)
    assert loaded.pixels[4, 4].tolist() == [255, 0, 0]
    assert any("2 frames" in note for note in loaded.notes)


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    loaded = load_image(save(tmp_path / "a.png", Image.fromarray(PHOTO), exif=exif))
    np.testing.assert_array_equal(loaded.pixels, np.rot90(PHOTO, -1))


def test_one_pixel(tmp_path):
    loaded = load_image(save(tmp_path / "a.png", Image.new("RGB", (1, 1), "red")))
    assert loaded.pixels.tolist() == [[[255, 0, 0]]]


def test_bundled_photos_load_without_network():
    photos = bundled_photos()
    assert {"chelsea", "astronaut", "coffee"} <= set(photos)
    loaded = load_image("chelsea")
    assert loaded.pixels.shape == (300, 451, 3)
    assert loaded.name == "chelsea"


def refused(name):
    with pytest.raises(SourceError) as caught:
        load_image(str(name))
    text = str(caught.value)
    assert "\n" not in text
    assert text.isprintable()
    return text


def test_absent_file_names_the_choices():
    text = refused("no-such-photo")
    assert "no-such-photo" in text
    assert "chelsea" in text


def test_what_is_no_picture(tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("hello")
    assert "is no picture, permitted: JPEG, PNG, WebP" in refused(path)
    path.write_bytes(b"")
    assert "has 0 bytes" in refused(path)
    assert "no regular file" in refused(tmp_path)


def test_postscript_is_not_run(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    assert "is no picture" in refused(path)


def test_fifo_does_not_block(tmp_path):
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    assert "no regular file" in refused(path)


@pytest.mark.parametrize("size", [(0, 0), (0, 10), (10, 0)])
def test_empty_png(tmp_path, size):
    path = tmp_path / "a.png"
    path.write_bytes(png(*size))
    assert f"{size[0]}x{size[1]}" in refused(path)


@pytest.mark.parametrize(
    "size", [(4001, 4000), (20_000, 20_000), (2**31 - 1, 2**31 - 1), (2**32 - 1, 1)]
)
def test_too_many_pixels_are_refused_before_decoding(tmp_path, size):
    path = tmp_path / "a.png"
    path.write_bytes(png(*size))
    text = refused(path)
    assert f"{size[0]}x{size[1]}" in text
    assert "permitted: 1x1 to 16 MP" in text


def test_a_bomb_of_another_format(tmp_path):
    path = save(tmp_path / "a.gif", Image.new("P", (60_000, 400)))
    assert "60000x400" in refused(path)


def test_the_limit_itself_passes(tmp_path):
    path = save(tmp_path / "a.png", Image.new("L", (4000, PIXELS_MAX // 4000)), compress_level=1)
    assert load_image(path).pixels.shape == (4000, 4000, 3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif"])
def test_truncated_files_are_refused_at_every_length(tmp_path, suffix):
    whole = io.BytesIO()
    Image.fromarray(np.kron(PHOTO, np.ones((4, 4, 1), np.uint8))).save(
        whole, {"jpg": "JPEG"}.get(suffix, suffix.upper())
    )
    data = whole.getvalue()
    path = tmp_path / f"cut.{suffix}"
    for share in (0.02, 0.1, 0.3, 0.5, 0.8):
        path.write_bytes(data[: int(len(data) * share)])
        refused(path)


def test_random_damage_never_escapes(tmp_path):
    whole = io.BytesIO()
    Image.fromarray(PHOTO).save(whole, "PNG")
    for seed in range(200):
        rng = np.random.default_rng(seed)
        data = bytearray(whole.getvalue())
        for position in rng.integers(0, len(data), 4):
            data[position] = rng.integers(0, 256)
        path = tmp_path / "a.png"
        path.write_bytes(data)
        try:
            assert load_image(str(path)).pixels.dtype == np.uint8
        except SourceError as error:
            assert "\n" not in str(error)
