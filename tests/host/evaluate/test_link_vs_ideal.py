# SPDX-License-Identifier: GPL-3.0-or-later
"""The sweep of the radio chain beside the ideal channel: its points, rows, page and refusals."""

import argparse
import io
import json

import pytest
from PIL import Image

pytest.importorskip("torch")
from host.evaluate import link_vs_ideal
from semcom_blocks.errors import ConfigError, SourceError


def report(snr_db, psnr_db, ideal_psnr_db, channel="awgn"):
    return {
        "link": {"channel": channel, "snr_db_set": snr_db, "snr_db_est": snr_db + 0.123456,
                 "frames_received": 9, "frames_sent": 9},
        "image": {"name": "chelsea"},
        "prompt": {"received": "a cat", "sent": "a cat"},
        "quality": {"psnr_db": psnr_db, "ideal_psnr_db": ideal_psnr_db,
                    "ms_ssim": None, "ideal_ms_ssim": 0.9},
    }  # fmt: skip


def test_points_are_every_channel_at_every_snr():
    assert link_vs_ideal.points_of("awgn, rayleigh", "0,7.5") == (
        {"model": "awgn", "snr_db": 0.0},
        {"model": "awgn", "snr_db": 7.5},
        {"model": "rayleigh", "snr_db": 0.0},
        {"model": "rayleigh", "snr_db": 7.5},
    )


def test_rows_hold_the_loss_and_survive_a_lost_picture():
    row = link_vs_ideal.row_of(report(5.0, 32.0, 32.25))
    assert row["loss_db"] == pytest.approx(0.25)
    assert (row["frames"], row["exact"], row["snr_db_est"]) == ("9/9", True, 5.1235)
    lost = link_vs_ideal.row_of(report(5.0, None, 32.25))
    assert lost["loss_db"] is None
    json.dumps(lost)
    page = link_vs_ideal.curves([row, lost, link_vs_ideal.row_of(report(9, 30, 31, "rayleigh"))])
    with Image.open(io.BytesIO(page)) as drawn:
        assert drawn.width > 2 * drawn.height
    assert link_vs_ideal.table([row, lost]).row_count == 2


@pytest.mark.parametrize(
    ("words", "error", "named"),
    [
        (["--channel", "uma"], ConfigError, "channel is 'uma'"),
        (["--snr-db", "5,high"], ConfigError, "snr-db has 'high'"),
        (["--snr-db", "99"], ConfigError, "snr-db is 99"),
        (["--json", "/nowhere/at/all.json"], ConfigError, "all.json"),
        (["--seed", "-1"], ConfigError, "seed is -1"),
        (["--image", "/nowhere.png"], SourceError, "nowhere.png"),
    ],
)
def test_refusals(words, error, named):
    parser = argparse.ArgumentParser()
    link_vs_ideal.add_arguments(parser)
    with pytest.raises(error, match=named):
        link_vs_ideal.run(parser.parse_args(words))
