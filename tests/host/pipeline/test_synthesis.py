# SPDX-License-Identifier: GPL-3.0-or-later
"""Both halves of generation with nothing but noise and losses between them."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import zmq

from host.client import HostClient
from host.config import load_run
from host.images import LoadedImage
from host.pipeline.decode import measure, receive_picture
from host.pipeline.outcome import Outcome
from host.pipeline.records import STREAM_EDGES, STREAM_LATENTS, ReceivedStream, Reception
from host.pipeline.semantics import decompose, roles_of
from host.pipeline.synthesis import check_drawable, synthesise
from host.report.document import build
from host.report.drawing import draw
from host.report.table import rows
from host.scenes import make_scene
from host.service.handlers import Handlers
from host.service.server import Server
from models.tiers import Models, TierChoice
from semcom_blocks.errors import ConfigError
from semcom_blocks.wire import Message
from tests.host.codec_double import CodecDouble

SCENE = make_scene(3, 64)
RNG = np.random.default_rng(5)
PHOTO = LoadedImage(RNG.integers(0, 256, (50, 75, 3), dtype=np.uint8), "photo")


@pytest.fixture(scope="module")
def host():
    """A client by generator, each with a service of its own in a thread."""
    running = {}
    with zmq.Context() as context:

        def get(generator):
            if generator not in running:
                models = Models(TierChoice(generator=generator))
                server = Server("tcp://127.0.0.1:*", Handlers(CodecDouble, models))
                thread = threading.Thread(target=server.serve, daemon=True)
                thread.start()
                running[generator] = server, thread, HostClient(context, server.endpoint)
            return running[generator][2]

        yield get
        for server, thread, client in running.values():
            client.close()
            server.stop()
            thread.join(10)
            server.close()


def run_of(*streams, generator="embedded", **more):
    wanted = {f"generation.{name}": True for name in ("enabled", *streams)}
    return load_run(None, wanted | {"models.generator": generator} | more)


class Silent:
    """Takes what a pipeline tells, and keeps the notes."""

    def __init__(self):
        self.notes = []

    def stage(self, name):
        pass

    def steps(self, done, total):
        self.done = done, total

    def note(self, text):
        self.notes.append(text)


def received(sent, snr_db=30.0, lost=()):
    """What a receiver has of ``sent`` after noise; the symbols of streams ``lost`` are gone."""
    streams = []
    for identifier, stream in sent.streams.items():
        noise_var = np.full(len(stream.symbols), 10 ** (-snr_db / 10), np.float32)
        noise = RNG.standard_normal((len(noise_var), 2)) @ [1, 1j] * np.sqrt(noise_var[0] / 2)
        symbols = (stream.symbols + noise).astype(np.complex64)
        if identifier in lost:
            symbols[:], noise_var[:] = 0, np.inf
        streams.append(ReceivedStream(identifier, stream.descriptor, symbols, noise_var))
    meta = {"job_id": 1, "prompt": sent.prompt_on_air, "delivered": True, "frames_received": 1}
    whole = Reception.of(Message("received", meta | {"streams": []}, {}))
    return replace(whole, streams=tuple(streams))


def carried(client, run, image=SCENE, prompt="", **channel):
    sent = decompose(client, run, image, prompt or SCENE.caption)
    outcome = Outcome(run, 1, original=image, reception=received(sent, **channel))
    outcome.timing_s = {"total": 1.0}
    outcome.sends(sent)
    progress = Silent()
    receive_picture(client, outcome, progress)
    measure(client, outcome, image, sent)
    return outcome, progress


@pytest.mark.parametrize("kind", ["vae", "nflow", "gan", "diffusion"])
def test_each_receiver_infers_latents_that_were_not_sent(host, kind):
    spec = f"embedded:{kind}"
    run = run_of("latents", "pack_caption", generator=spec, **{"generation.latent_share": 0.5})
    outcome, _ = carried(host(spec), run)
    made = outcome.synthesis
    assert made.latents.lost == 0.5
    assert outcome.quality["psnr_db"] > made.heard_quality["psnr_db"] + 3
    report = build(outcome)
    prompt, latents = report["streams"]
    assert prompt["bits"] * 15 < prompt["bits_as_text"]
    assert (latents["symbols"], latents["lost"]) == (256, 0.5)
    assert dict(rows(report))["stream latents"] == "256 symbols, 50 % lost or left out"
    assert report["prompt"]["received"] == SCENE.caption
    assert draw(outcome, report).startswith(b"\x89PNG")


def test_a_photo_of_any_size_goes_by_its_latents(host):
    run = run_of("latents", generator="embedded:plain")
    outcome, progress = carried(host("embedded:plain"), run, PHOTO, "a photo of noise", snr_db=60)
    assert outcome.picture.shape == PHOTO.pixels.shape
    assert np.array_equal(outcome.picture, outcome.synthesis.heard)
    assert "'photo'" in progress.notes[0]
    assert build(outcome)["generation"]["notes"] == progress.notes


def test_latents_start_the_flow_and_edges_steer_it(host):
    run = run_of("latents", "edges", **{"generation.strength": 0.2, "generation.steps": 2})
    outcome, progress = carried(host("embedded"), run)
    assert outcome.synthesis.edge_bit_errors == 0
    assert outcome.quality["psnr_db"] > 25
    assert progress.done == (2, 2)


def test_a_lost_stream_costs_its_condition_and_not_the_picture(host):
    client = host("embedded:vae")
    run = run_of("latents", generator="embedded:vae")
    outcome, _ = carried(client, run, lost=(STREAM_LATENTS,))
    assert outcome.synthesis.latents.lost == 1
    assert outcome.picture is outcome.synthesis.generated
    broken = replace(outcome.reception.streams[0], descriptor={"k": -1})
    reception = replace(outcome.reception, streams=(broken,))
    made = synthesise(client, run, reception, (64, 64), lambda done, total: None)
    assert made.heard is None
    assert "latents left out" in made.notes[0]
    assert made.generated.shape == (64, 64, 3)


def test_what_the_generator_refuses_leaves_the_rest_of_the_job_whole(host):
    run = run_of("latents", generator="embedded:plain")
    client = host("embedded:plain")
    outcome, progress = carried(client, run)
    edges = ReceivedStream(
        STREAM_EDGES,
        {"c": "edge-codec-v1", "w": 64, "h": 64, "m": 2, "b": 112, "n": 56},
        np.ones(56, np.complex64),
        np.ones(56, np.float32),
    )
    outcome.reception = replace(outcome.reception, streams=(*outcome.reception.streams, edges))
    receive_picture(client, outcome, progress)
    assert outcome.synthesis.generated is None
    assert np.array_equal(outcome.picture, outcome.synthesis.heard)
    assert isinstance(outcome.failure(), ConfigError)
    assert "edges is given" in str(outcome.failure())
    assert progress.notes == [f"nothing was drawn: {outcome.failure()}"]


def test_meaning_without_a_picture_wants_a_generator(host):
    client = host("embedded:plain")
    run = run_of()
    sent = decompose(client, run, SCENE, SCENE.caption)
    outcome, progress = Outcome(load_run(), 1, reception=received(sent)), Silent()
    receive_picture(client, outcome, progress)
    assert outcome.picture is None
    assert "--generate draws one" in progress.notes[0]


@pytest.mark.parametrize(
    ("generator", "streams", "image", "prompt", "words"),
    [
        ("embedded", ("edges",), SCENE, "a red dog", ["'dog'"]),
        ("embedded", (), PHOTO, "a cat", ["'cat'", "a photo takes --coarse"]),
        ("embedded", ("edges",), PHOTO, "a red circle", ["75x50", "64x64", "takes --coarse"]),
        ("embedded:vae", (), PHOTO, "a cat", ["'cat'", "a photo takes --latents"]),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_the_air(
    host, generator, streams, image, prompt, words
):
    client = host(generator)
    run = run_of(*streams, generator=generator, prompt=prompt)
    sent = decompose(client, run, image, prompt)
    with pytest.raises(ConfigError) as caught:
        check_drawable(client, run, sent, image)
    for word in words:
        assert word in str(caught.value)
    if image is SCENE:
        assert "photo" not in str(caught.value)


def test_a_receiver_alone_is_ready_for_whatever_comes():
    roles = roles_of(run_of(), sends=False, draws=True, judges=False)
    assert roles == ["edge_codec", "generator"]
    assert roles_of(run_of("latents"), sends=True, draws=False, judges=False) == [
        "captioner", "latents",
    ]  # fmt: skip
    assert roles_of(load_run(), sends=True, draws=True, judges=True) == []
