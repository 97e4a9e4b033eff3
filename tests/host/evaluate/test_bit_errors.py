# SPDX-License-Identifier: GPL-3.0-or-later
"""Quality over bit errors: what falls, what rises by chance, and the chain on tiny networks."""

import argparse
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from host.evaluate import bit_error_plots, bit_error_scores, bit_errors  # noqa: E402
from host.evaluate.bit_error_chain import Chain, scene_cases  # noqa: E402
from host.evaluate.bit_error_scores import falling, quality_table, reaches, rises  # noqa: E402
from host.images import LoadedImage  # noqa: E402
from models.contrastive import (  # noqa: E402
    ContrastiveConfig,
    ContrastiveJudge,
    ContrastiveNetwork,
)
from models.edges.codec import EdgeBitCodec  # noqa: E402
from models.edges.hed import Hed, HedConfig, HedExtractor  # noqa: E402
from models.edges.transform import EdgeCodecNetworks, TransformConfig  # noqa: E402
from models.generation.control import Control, ControlConfig  # noqa: E402
from models.generation.flow import Flow, FlowConfig  # noqa: E402
from models.generation.pipeline import EmbeddedGenerator  # noqa: E402
from models.generation.vae import Vae, VaeConfig  # noqa: E402
from models.scene_judge import JudgeConfig, JudgeNetwork, SceneJudge  # noqa: E402
from models.scene_trunk import TrunkConfig  # noqa: E402
from models.scenes.grammar import parse  # noqa: E402
from models.tiers import Models, TierChoice  # noqa: E402
from semcom_blocks.errors import ConfigError  # noqa: E402

BERS = (1e-3, 0.1, 0.5)
FLOW = FlowConfig(width=8, heads=1, blocks=1)


class Words:
    """A captioner that says the same of every picture."""

    name = "one caption"

    def caption(self, picture):
        from models.roles import Caption

        return Caption("a large red circle and a small blue square.", 1.0)


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    flow, control = Flow(FLOW), Control(ControlConfig.of(FLOW, 1))
    for parameter in (*flow.parameters(), *control.parameters()):  # fresh, they do nothing
        torch.nn.init.normal_(parameter, std=0.3)
    vae = Vae(VaeConfig(encoder_width=4, encoder_blocks=0, width=4, blocks=0, fine_blocks=0))
    trunk = TrunkConfig((4, 4, 4), 1)
    made = {
        "captioner": Words(),
        "edges": HedExtractor(Hed(HedConfig((4, 4, 4, 4), (1, 1, 1, 1), 4)), "tiny"),
        "edge_codec": EdgeBitCodec(EdgeCodecNetworks(TransformConfig())),
        "generator": EmbeddedGenerator(vae, flow, control),
        "reader": SceneJudge(JudgeNetwork(JudgeConfig())),
        "judge embedded": ContrastiveJudge(
            ContrastiveNetwork(ContrastiveConfig(trunk, 8, 8, 1, 1, 8)), "tiny"
        ),
    }
    return Models(TierChoice(), made)


PHOTO = LoadedImage(
    np.random.default_rng(0).integers(0, 256, (80, 60, 3), dtype=np.uint8), "coffee"
)


@pytest.fixture(scope="module")
def result(models):
    seen = []
    found = bit_errors.measure(
        2, [PHOTO], bers=BERS, models=models, photo_side=48, done=lambda *n: seen.append(n)
    )
    assert seen == [(n, 5) for n in range(1, 6)]
    return found


def records(result, name, condition=bit_errors.BOTH):
    return [r for r in result["records"] if (r["set"], r["condition"]) == (name, condition)]


def test_every_picture_is_scored_at_every_rate(result):
    assert json.loads(json.dumps(result)) == result
    assert result["bers"] == [0.0, *BERS]
    assert result["judge"] == result["models"]["judges"] == "tiny"
    assert {k: v["pictures"] for k, v in result["sets"].items()} == {
        "scenes": 2,
        "scenes, places open": 2,
        "photos": 1,
    }
    assert result["sets"]["scenes"]["edge_bits"] == 7 * 16
    assert result["sets"]["photos"]["edge_bits"] == 7 * 3 * 3  # 48x36 after scaling
    for name in ("scenes", "scenes, places open"):
        rows = records(result, name)
        assert [r["ber"] for r in rows] == result["bers"]
        assert rows[0]["likeness_norm"] == rows[0]["ms_ssim_norm"] == 1
        assert all(r["ms_ssim_ci"][0] <= r["ms_ssim"] <= r["ms_ssim_ci"][1] for r in rows)
        assert rows[0]["ms_ssim"] != rows[-1]["ms_ssim"]  # wrong bits reach the picture
        (alone,) = records(result, name, bit_errors.WORDS)
        assert "edge_ms_ssim" not in alone and 0 <= alone["attributes"] <= 1


def test_photos_need_a_generator_of_photos(result):
    rows = records(result, "photos")
    assert all("edge_f" in r and "likeness" not in r for r in rows)
    assert "likeness" not in result["tables"]["photos"]["quality"]


def test_the_same_seed_gives_the_same_figures(models, result):
    again = bit_errors.measure(2, bers=BERS, models=models)
    assert again["records"] == [r for r in result["records"] if r["set"] != "photos"]
    other = bit_errors.measure(1, bers=(0.5,), models=models, seed=2)
    assert other["records"][-2]["ms_ssim"] != again["records"][-2]["ms_ssim"]


def test_a_decoder_that_is_told_the_rate_decodes_otherwise(models):
    case = scene_cases(Chain(models, 1), 1, 64)[0]
    maps = [Chain(models, 1, told).receive(case, 0.4) for told in (False, True)]
    assert np.any(maps[0][0] != maps[1][0])
    assert maps[0][1] != maps[1][1]  # not taken for the same


def test_planners_get_a_falling_table(result):
    table = quality_table(result, "ms_ssim")
    assert table.ber == BERS
    assert table.quality[0] <= 1
    assert all(b <= a for a, b in zip(table.quality, table.quality[1:], strict=False))
    assert table.limit(table.quality[-1]) == 0.5
    with pytest.raises(ConfigError, match="set is 'cats'"):
        quality_table(result, which="cats")
    with pytest.raises(ConfigError, match="metric is 'taste', permitted: edge_ms_ssim"):
        quality_table(result, "taste")


def test_a_rise_counts_only_beyond_chance():
    rng = np.random.default_rng(5)
    level = rng.random((200, 1))  # pictures differ among themselves far more than between rates
    bers = (0.0, 1e-3, 1e-2, 1e-1)
    noise = 0.01 * rng.standard_normal((200, 4))
    assert rises(level + noise - [0, 0, 0.02, 0.1], bers, 1) == []
    (rise,) = rises(level + noise - [0, 0.1, 0.1, 0.05], bers, 1)
    assert (rise["from_ber"], rise["to_ber"]) in ((1e-3, 1e-1), (1e-2, 1e-1))
    assert rise["by"] == pytest.approx(0.05, abs=0.005)
    assert rise["ci"][0] < rise["by"] < rise["ci"][1]
    assert rises(level[:7] + np.arange(4.0), bers, 1) is None  # too few to tell


def test_intervals_are_those_of_the_mean():
    values = np.random.default_rng(2).normal(3, 2, (400, 1))
    (row,) = bit_error_scores.summary(values, 1)
    low, high = row["ci"]
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)
    assert row["norm_ci"] == [1, 1]
    holes = np.where(np.arange(400)[:, None] % 2, values, np.nan)
    assert bit_error_scores.means(holes) == pytest.approx(np.nanmean(holes))


def test_where_the_edges_stop_to_pay():
    bers = np.array([0.0, 1e-3, 1e-2, 1e-1])
    curve = falling(np.array([1.0, 0.8, 0.9, 0.5]))
    assert curve == pytest.approx([1, 0.85, 0.85, 0.5])
    assert reaches(bers, curve, 0.675) == pytest.approx(10**-1.5)
    assert reaches(bers, curve, 0.4) == 0.1
    assert reaches(bers, curve, 1.1) is None


def test_the_pages(result, models, monkeypatch):
    monkeypatch.setattr(bit_error_plots, "SHOWN_BERS", (0.0, 0.1))
    assert bit_error_plots.curves(result).startswith(b"\x89PNG")
    page = bit_error_plots.pictures(models, [PHOTO], 1, 64, 1, photo_side=48)
    assert page.startswith(b"\x89PNG")


def test_open_places_are_open(models):
    (case,) = scene_cases(Chain(models, 1), 1, 64, places=False)
    assert all(item.cell is None for item in parse(case.prompt).objects)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ber", "0.6"], "ber is 0.6"),
        (["--ber", "0"], "0 alone"),
        (["--scenes", "0"], "at least one picture"),
        (["--scenes", "-1"], "scenes is -1"),
        (["--generator", "sd"], "models.generator is 'sd'"),
        (["--control", "hf:a/b"], "permitted with an hf: generator"),
        (["--json", "/no/such/folder/x"], "existing folder"),
    ],
)
def test_what_is_refused(words, message):
    parser = argparse.ArgumentParser()
    bit_errors.add_arguments(parser)
    with pytest.raises(ConfigError, match=message):
        bit_errors.run(parser.parse_args(words))
