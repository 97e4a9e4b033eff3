# SPDX-License-Identifier: GPL-3.0-or-later
"""The service answers good requests, refuses bad ones, and goes on."""

import threading
import time

import numpy as np
import pytest
import zmq

from host.client import HostClient
from host.images import load_image
from semcom_blocks import wire
from semcom_blocks.errors import ConfigError, ModelError, PeerError, WireError
from semcom_blocks.wire import Message
from tests.host.codec_double import CodecDouble

PHOTO = load_image("chelsea").pixels[:96, :120]


def test_ping_tells_versions_and_counters(client):
    pong = client.ping(2)
    assert pong["versions"]["numpy"] == np.__version__
    assert pong["counters"]["refused"] == 0
    assert pong["state"] in ("warming", "ready")


def test_round_trip_without_noise(client):
    symbols, descriptor = client.encode(PHOTO, "1/6", 20.0)
    assert symbols.dtype == np.complex64
    assert descriptor["n"] == len(symbols) == PHOTO.size / 6
    image = client.decode(symbols, np.zeros(len(symbols)), descriptor)
    found = client.quality(PHOTO, image)
    assert found["psnr_db"] > 25
    assert 0.8 < found["ms_ssim"] <= 1
    assert found["ms_ssim_scales"] == 4


def test_erased_symbols_degrade_and_do_not_break(client):
    symbols, descriptor = client.encode(PHOTO, "1/6", 20.0)
    noise_var = np.zeros(len(symbols), np.float32)
    symbols[::3], noise_var[::3] = 0, np.inf
    image = client.decode(symbols, noise_var, descriptor)
    assert 10 < client.quality(PHOTO, image)["psnr_db"] < 30


def test_equal_pictures_have_no_finite_psnr(client):
    assert client.quality(PHOTO, PHOTO) == {"psnr_db": None, "ms_ssim": 1.0, "ms_ssim_scales": 4}


BAD_REQUESTS = [
    (Message("dance"), WireError, "permitted: encode, decode, quality, load"),
    (Message("encode"), WireError, "image is missing"),
    (Message("encode", {"rate": "1/6", "snr_db": 1}, {"image": PHOTO[0]}), WireError, "2 axes"),
    (
        Message("encode", {"rate": "1/6", "snr_db": 1}, {"image": PHOTO.astype("f4")}),
        WireError,
        "float32",
    ),
    (
        Message("encode", {"rate": "1/6", "snr_db": 1}, {"image": PHOTO[:0]}),
        ConfigError,
        r"\(0, 120, 3\)",
    ),
    (
        Message("encode", {"rate": "1/6", "snr_db": 1}, {"image": np.zeros((9, 9, 4), np.uint8)}),
        ConfigError,
        r"\(H, W, 3\)",
    ),
    (
        Message("encode", {"rate": "1/6", "snr_db": 1}, {"image": np.zeros((4001, 4000, 3), "u1")}),
        ConfigError,
        "16000000",
    ),
    (Message("encode", {"rate": "2/1", "snr_db": 1}, {"image": PHOTO}), ConfigError, "'2/1'"),
    (
        Message("encode", {"rate": "1/6", "snr_db": float("nan")}, {"image": PHOTO}),
        ConfigError,
        "finite",
    ),
    (Message("encode", {"rate": 1, "snr_db": 1}, {"image": PHOTO}), WireError, "rate is int"),
    (Message("decode"), WireError, "symbols is missing"),
    (Message("quality", {}, {"reference": PHOTO, "image": PHOTO[:9]}), ConfigError, "image is"),
]


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    BAD_REQUESTS,
    ids=lambda v: v.kind if isinstance(v, Message) else "",
)
def test_bad_requests_are_named_and_the_next_one_works(client, message, kind, text):
    with pytest.raises(kind, match=text) as caught:
        client.request(message, "encoded")
    assert "\n" not in str(caught.value)
    assert client.quality(PHOTO, PHOTO)["ms_ssim"] == 1.0


def decoding(change, symbols=None, noise_var=None):
    descriptor = {"c": "double", "w": 8, "h": 8, "r": 2, "s": 20, "n": 32, **change}
    symbols = np.zeros(32, np.complex64) if symbols is None else symbols
    noise_var = np.ones(32, np.float32) if noise_var is None else noise_var
    return symbols, noise_var, descriptor


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        (decoding({"w": 20_000, "h": 20_000}), ConfigError),
        (decoding({"w": -1}), ConfigError),
        (decoding({"w": "8"}), ConfigError),
        (decoding({"n": 31}), ConfigError),
        (decoding({"n": True}), ConfigError),
        (decoding({"c": "other"}), ModelError),
        (decoding({}, symbols=np.full(32, np.nan, np.complex64)), ConfigError),
        (decoding({}, noise_var=np.full(32, -1, np.float32)), ConfigError),
        (decoding({}, noise_var=np.full(32, np.nan, np.float32)), ConfigError),
        (decoding({}, noise_var=np.ones(31, np.float32)), ConfigError),
    ],
)
def test_descriptors_from_the_air_are_checked(client, case, kind):
    with pytest.raises(kind):
        client.decode(*case)
    assert client.decode(*decoding({})).shape == (8, 8, 3)


GOOD_FRAMES = wire.encode(Message("ping", {"id": "x"}))
MALFORMED = {
    "empty": [b""],
    "one byte": [b"x"],
    "one part": GOOD_FRAMES[:1],
    "three parts": [*GOOD_FRAMES, b"more"],
    "wrong magic": [b"NOPE" + GOOD_FRAMES[0][4:], *GOOD_FRAMES[1:]],
    "next version": [GOOD_FRAMES[0][:4] + b"\x02\x00" + GOOD_FRAMES[0][6:], *GOOD_FRAMES[1:]],
    "declared length 2^32-1": [GOOD_FRAMES[0][:8] + b"\xff" * 4, *GOOD_FRAMES[1:]],
    "deep nesting": [GOOD_FRAMES[0], b"\x91" * 100_000],
    "random": [np.random.default_rng(1).bytes(1000)],
}


@pytest.mark.parametrize("frames", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_messages_are_counted_and_the_next_good_one_works(
    context, server, client, frames
):
    stranger = context.socket(zmq.DEALER)
    stranger.connect(server.endpoint)
    before = client.ping(2)["counters"]["refused"]
    stranger.send_multipart(frames)
    deadline = time.monotonic() + 5
    while client.ping(2)["counters"]["refused"] == before:
        assert time.monotonic() < deadline
    stranger.send_multipart(GOOD_FRAMES)
    assert stranger.poll(5000)
    assert wire.decode(stranger.recv_multipart()).kind == "pong"
    stranger.close(linger=0)
    assert client.quality(PHOTO, PHOTO)["ms_ssim"] == 1.0


class Crashing(CodecDouble):
    def encode(self, image, rate, snr_db, fading=False):
        if snr_db == 13:
            raise RuntimeError("boom\nsecond line")
        return super().encode(image, rate, snr_db)


class Telling(CodecDouble):
    def encode(self, image, rate, snr_db, fading=False):
        symbols, descriptor = super().encode(image, rate, snr_db)
        return symbols, descriptor | {"f": int(fading)}


def test_the_codec_is_told_whether_the_channel_fades(context, serve):
    client = HostClient(context, serve(Telling).endpoint)
    assert [client.encode(PHOTO, "1/6", 10, fading)[1]["f"] for fading in (True, False)] == [1, 0]
    with pytest.raises(WireError, match="fading is str"):
        meta = {"rate": "1/6", "snr_db": 10.0, "fading": "yes"}
        client.request(Message("encode", meta, {"image": PHOTO}), "encoded")
    client.close()


def test_an_unexpected_exception_is_one_reply_not_the_end(context, serve):
    client = HostClient(context, serve(Crashing).endpoint)
    with pytest.raises(PeerError, match="RuntimeError: boom second line"):
        client.encode(PHOTO, "1/6", 13)
    assert client.encode(PHOTO, "1/6", 14)[1]["n"] > 0
    client.close()


def test_missing_weights_are_told_to_who_needs_them(context, serve):
    def load():
        raise ModelError("weights jscc.safetensors are missing")

    client = HostClient(context, serve(load).endpoint)
    with pytest.raises(ModelError, match=r"jscc\.safetensors are missing"):
        client.encode(PHOTO, "1/6", 10)
    assert client.ping(2)["state"] == "failed"
    assert client.quality(PHOTO, PHOTO)["ms_ssim"] == 1.0
    client.close()


def test_ping_is_answered_while_it_computes_and_the_queue_is_bounded(context, serve):
    release = threading.Event()

    class Slow(CodecDouble):
        def encode(self, image, rate, snr_db, fading=False):
            release.wait(20)
            return super().encode(image, rate, snr_db)

    server = serve(Slow)
    client = HostClient(context, server.endpoint)
    assert client.ping(2)["state"] == "warming"
    crowd = context.socket(zmq.DEALER)
    crowd.connect(server.endpoint)
    meta = {"rate": "1/6", "snr_db": 1.0}
    for number in range(12):
        crowd.send_multipart(
            wire.encode(Message("encode", {**meta, "id": str(number)}, {"image": PHOTO}))
        )
    busy = []
    while crowd.poll(500):
        busy.append(wire.decode(crowd.recv_multipart()))
    assert busy
    assert all("busy" in reply.meta["text"] for reply in busy)
    assert client.ping(2)["state"] == "warming"
    release.set()
    good = 0
    while good + len(busy) < 12:
        assert crowd.poll(5000)
        good += wire.decode(crowd.recv_multipart()).kind == "encoded"
    crowd.close(linger=0)
    client.close()


def test_a_client_that_vanishes_costs_one_dropped_reply(context, server, client):
    ghost = context.socket(zmq.DEALER)
    ghost.connect(server.endpoint)
    ghost.send_multipart(wire.encode(Message("quality", {}, {"reference": PHOTO, "image": PHOTO})))
    time.sleep(0.05)
    ghost.close(linger=0)
    assert client.quality(PHOTO, PHOTO)["ms_ssim"] == 1.0
