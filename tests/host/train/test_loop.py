# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared training loop: it learns, resumes bit by bit, averages, and refuses what it must."""

import argparse
import math
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from host.train import loop, options  # noqa: E402
from host.train.card import About  # noqa: E402
from host.train.schedule import Schedule  # noqa: E402
from models.weights_io import load_into, read_card  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402

TRUTH = torch.tensor([[1.0, -2.0, 0.5]])
ABOUT = About("tests.Linear", {"inputs": 3}, "A straight line.", ("numbers",), "Lines only.")


def parse(*words):
    parser = argparse.ArgumentParser()
    options.add_arguments(parser, name="line-v1", minutes=1.0, batch=16, lr=0.05)
    parser.set_defaults(weight_decay=0.0, ema=0.9, precision="float32", threads=1)
    return parser.parse_args(words)


def build():
    return nn.Linear(3, 1)


def line_loss(module, generator):
    x = torch.randn(16, 3, generator=generator)
    error = (module(x) - x @ TRUTH.T - 0.25).square().mean()
    return error, {"error": float(error.detach())}


def settings(**changes):
    return {"seed": 1, "weight_decay": 0.0, "ema": 0.9, "precision": "float32"} | changes


def fresh(steps=40, loss=line_loss, **changes):
    torch.manual_seed(1)
    return loop.Loop(build(), loss, Schedule(steps, None, 0.05), settings(**changes))


def test_it_learns_and_ships_the_average_with_a_card(tmp_path):
    args = parse("--steps", "300", "--out", str(tmp_path))
    module = loop.train(
        args, build, line_loss, ABOUT, validate=lambda m: {"bias": float(m.bias.detach())}
    )
    torch.testing.assert_close(module.weight, TRUTH, atol=0.02, rtol=0)
    card = read_card("line-v1", tmp_path)
    assert card["training"]["steps_done"] == 300
    assert card["training"]["lr"] == 0.05
    assert set(card["curve"][-1]) == {"step", "elapsed_s", "loss", "error", "bias"}
    assert card["curve"][-1]["bias"] == pytest.approx(0.25, abs=0.02)
    loaded = build()
    load_into(loaded, tmp_path / "line-v1.safetensors", card["sha256"])
    torch.testing.assert_close(loaded.weight, module.weight, atol=1e-3, rtol=0)  # float16
    text = (tmp_path / "line-v1.card.md").read_text(encoding="utf-8")
    assert "A straight line." in text
    assert card["sha256"] in text


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    whole = fresh()
    whole.run(tmp_path / "a", lambda *_: None)
    first = fresh()
    for _ in range(17):
        first.step()
    first.save(tmp_path / "b")
    second = fresh()
    second.restore(tmp_path / "b")
    second.run(tmp_path / "b", lambda *_: None)
    assert second.progress.step == whole.progress.step == 40
    for a, b in zip(whole.ema.parameters(), second.ema.parameters(), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(whole.module.parameters(), second.module.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_average_follows_behind():
    run = fresh(ema=0.99)
    for _ in range(200):
        run.step()
    gap = (run.ema.weight - run.module.weight).abs().max()
    assert 0 < gap < 0.2


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    run = fresh()
    run.step()
    run.save(tmp_path / "c")
    with pytest.raises(ModelError, match="other settings \\(seed\\)"):
        fresh(seed=2).restore(tmp_path / "c")
    (tmp_path / "c").write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match="not a checkpoint"):
        fresh().restore(tmp_path / "c")


def test_a_run_may_be_made_longer(tmp_path):
    short = fresh(steps=5, minutes=None)
    short.run(tmp_path / "c", lambda *_: None)
    longer = fresh(steps=9, minutes=None)
    longer.progress.settings["steps"] = 9
    longer.restore(tmp_path / "c")
    longer.run(tmp_path / "c", lambda *_: None)
    assert longer.progress.step == 9
    assert longer.progress.settings["steps"] == 9


def test_a_bad_step_changes_nothing_and_many_end_the_run(monkeypatch):
    def broken(module, generator):
        return module.weight.sum() * math.inf

    run = fresh(loss=broken)
    before = run.module.weight.clone()
    value, _ = run.step()
    assert math.isnan(value)
    assert torch.equal(run.module.weight, before)
    monkeypatch.setattr(loop, "MAX_BAD_STEPS", 3)
    with pytest.raises(ModelError, match="diverged at step 3"):
        for _ in range(5):
            run.step()


def test_parameters_that_are_frozen_stay():
    torch.manual_seed(1)
    module = build()
    module.bias.requires_grad_(False)
    run = loop.Loop(module, line_loss, Schedule(5, None, 0.05), settings())
    before = module.bias.clone()
    for _ in range(5):
        run.step()
    assert torch.equal(module.bias, before)
    assert torch.equal(run.ema.bias, before)


def test_groups_take_their_share_of_the_rate():
    torch.manual_seed(1)

    def groups(module):
        return [{"params": [module.weight]}, {"params": [module.bias], "share": 0.0}]

    given = line_loss, Schedule(5, None, 0.05), settings()
    run = loop.Loop(build(), *given, groups=groups)
    before = run.module.weight.clone(), run.module.bias.clone()
    for _ in range(5):
        run.step()
    assert not torch.equal(run.module.weight, before[0])
    assert torch.equal(run.module.bias, before[1])


def test_an_annealed_loss_is_told_what_is_done():
    shares = []

    def loss(module, generator, done):
        shares.append(done)
        return line_loss(module, generator)

    run = loop.Loop(build(), loss, Schedule(4, None, 0.05), settings(), annealed=True)
    for _ in range(4):
        run.step()
    assert shares == [0.0, 0.25, 0.5, 0.75]


def test_time_bounds_a_run_too(tmp_path):
    run = fresh()
    run.schedule = Schedule(None, 1e-9, 0.05)
    run.run(tmp_path / "d", lambda *_: None)
    assert run.progress.step == 1


def test_weights_that_are_too_large_to_ship_are_refused(tmp_path):
    args = parse("--steps", "1", "--out", str(tmp_path))
    small = About("tests.Linear", {}, "", max_bytes=10)
    with pytest.raises(ModelError, match="permitted: at most 10"):
        loop.train(args, build, line_loss, small)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--steps", "0"), "steps is 0"),
        (("--minutes", "0"), "minutes is 0"),
        (("--batch", "0"), "batch is 0"),
        (("--lr", "nan"), "lr is nan"),
        (("--ema", "1.5"), "ema is 1.5"),
        (("--seed", "-1"), "seed is -1"),
    ],
)
def test_bad_options_are_refused(words, complaint):
    with pytest.raises(ConfigError, match=complaint):
        options.check(parse(*words))


def test_an_output_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    args = parse("--steps", "1", "--out", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="permitted: a folder"):
        loop.train(args, build, line_loss, ABOUT)


def test_the_rate_rises_then_falls():
    schedule = Schedule(100, None, 1.0)
    rates = [schedule.learning_rate(i / 100) for i in range(101)]
    assert rates[3] == pytest.approx(1.0)
    assert rates[0] < rates[1] < rates[2] < rates[3]
    assert all(a >= b for a, b in pairwise(rates[3:]))
    assert rates[-1] == pytest.approx(0.005)
