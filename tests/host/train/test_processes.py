# SPDX-License-Identifier: GPL-3.0-or-later
"""Two processes that train as one: same weights, killed and resumed, nobody left behind."""

import argparse
import os
import signal

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
from torch import nn  # noqa: E402

from host.train import loop, options  # noqa: E402
from host.train.card import About  # noqa: E402
from host.train.processes import launch  # noqa: E402
from host.train.schedule import Schedule  # noqa: E402
from models.weights_io import load_into, read_card  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError, PeerError  # noqa: E402

STEPS, BATCH = 7, 8
TRUTH = torch.tensor([[1.0, -2.0, 0.5]])
ABOUT = About("tests.Line", {"inputs": 3}, "A straight line.")


def parse(*words):
    parser = argparse.ArgumentParser()
    options.add_arguments(parser, name="line-v1", minutes=1.0, batch=BATCH, lr=0.05)
    parser.set_defaults(steps=STEPS, precision="float32", threads=1, ema=0.9, run=run, dies=False)
    return parser.parse_args(words)


def build():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def line_loss(module, generator, batch):
    x = torch.randn(batch, 3, generator=generator)
    return (module(x) - x @ TRUTH.T).square().mean()


def run(args):
    """A trainer; with ``args.dies`` the second process is killed in its fourth step."""
    steps = 0

    def loss(module, generator):
        nonlocal steps
        steps += 1
        if args.dies and steps == 4 and args.team.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return line_loss(module, generator, args.batch)

    loop.CHECKPOINT_EVERY_S = -1.0  # after every step
    loop.train(args, build, loss, ABOUT)
    return 0


def alone():
    """The moving average of one process that draws what both draw, and averages their losses."""
    other = loop.generator_of(1, 1)

    def loss(module, generator):
        halves = [line_loss(module, drawn, BATCH // 2) for drawn in (generator, other)]
        return sum(halves) / 2

    torch.manual_seed(1)
    settings = {"seed": 1, "weight_decay": 0.01, "ema": 0.9, "precision": "float32"}
    one = loop.Loop(build(), loss, Schedule(STEPS, None, 0.05), settings)
    for _ in range(STEPS):
        one.step()
    return one.ema


def test_killed_and_resumed_two_processes_equal_one_that_draws_for_both(tmp_path):
    words = ("--out", str(tmp_path), "--processes", "2")
    args = parse(*words)
    args.dies = True
    with pytest.raises(PeerError, match="process 1 of 2 was ended by SIGKILL"):
        launch(args)
    assert [p.name for p in tmp_path.iterdir()] == [options.CHECKPOINT]
    with pytest.raises(ModelError, match=r"other settings \(batch, processes\)"):
        run(parse("--out", str(tmp_path), "--resume", "--batch", "4"))

    assert launch(parse(*words, "--resume")) == 0
    card, loaded = read_card("line-v1", tmp_path), build()
    assert card["training"]["processes"] == 2
    assert card["training"]["batch"] == BATCH
    assert card["training"]["steps_done"] == STEPS
    load_into(loaded, tmp_path / "line-v1.safetensors", card["sha256"])
    for given, expected in zip(loaded.parameters(), alone().parameters(), strict=True):
        assert torch.equal(given, expected.half().float())


def test_each_process_has_its_own_generator():
    assert loop.generator_of(3, 0).get_state().equal(torch.Generator().manual_seed(3).get_state())
    drawn = {
        torch.randint(2**62, (), generator=loop.generator_of(seed, rank)).item()
        for seed in (0, 1, 2**32, 2**62)
        for rank in (1, 2, 3)
    }
    assert len(drawn) == 12


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--processes", "3"), "batch is 8, permitted: multiples of processes, 3"),
        (("--processes", "0"), "processes is 0"),
        (("--processes", "65"), "processes is 65"),
    ],
)
def test_what_cannot_be_shared_is_refused(words, complaint):
    args = parse(*words)
    with pytest.raises(ConfigError, match=complaint):
        options.check(args)
        launch(args)
