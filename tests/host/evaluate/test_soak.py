# SPDX-License-Identifier: GPL-3.0-or-later
"""Soak's own arithmetic, and a short one over virtual Plutos that are disturbed."""

import numpy as np
import pytest

from host.config import load_run
from host.evaluate.radios import LIMIT_DB, _row
from host.evaluate.soak import FAULTS, Faults, _growth, soak


class Recorder:
    """A control socket's client that only notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def fault(self, device: str, kind: str, seconds: float) -> None:
        self.asked.append((kind, device))


def test_every_fault_hits_both_radios() -> None:
    recorder = Recorder()
    faults = Faults(recorder, 1e-9)
    for _ in range(2 * len(FAULTS)):
        faults.turn()
    wanted = {(kind, device) for kind, _ in FAULTS for device in "ab"}
    assert set(recorder.asked) == wanted and len(recorder.asked) == len(wanted)
    assert all(count == 2 for count in faults.done.values())


def test_steady_sizes_do_not_grow_and_rising_ones_do() -> None:
    times = np.linspace(0, 100, 200)
    steady = [(t, 500 + (t < 10) * 200, 40.0) for t in times]
    assert _growth(steady, 100) == {"memory": 0, "descriptors": 0}
    rising = [(t, 500 + 2 * t, 40 + 0.5 * t) for t in times]
    found = _growth(rising, 100)
    assert found["memory"] == pytest.approx(80 / 580, abs=0.005)  # 580 and 660 MiB, by median
    assert found["descriptors"] > 0.2
    assert _growth([(0.0, 1.0, 1.0)], 100)["memory"] is None


def report(psnr_db: float | None, received: str = "a cat") -> dict:
    link = dict.fromkeys(
        (
            "snr_db_est",
            "cfo_hz_est",
            "sro_ppm_est",
            "round_trip_s",
            "frames_received",
            "frames_sent",
        ),
        1.0,
    )
    prompt = {"sent": "a cat", "received": received}
    return {"quality": {"psnr_db": psnr_db}, "prompt": prompt, "link": link}


@pytest.mark.parametrize(
    ("radio", "sim", "met"),
    [
        (report(30.0), report(30.0 + LIMIT_DB - 0.01), True),
        (report(30.0), report(30.0 + LIMIT_DB + 0.01), False),
        (report(30.0, "a cut"), report(30.0), False),
        (report(None), report(30.0), False),
    ],
)
def test_what_counts_as_met(radio: dict, sim: dict, met: bool) -> None:
    assert _row("pluto", 1, radio, sim)["met"] is met


def test_a_short_soak() -> None:
    run = load_run(None, {"seed": 3, "radio": {"spec": "pluto", "air_clock": "virtual"}})
    told = soak(run, 6.0, 2.0)
    assert told["wrong"] == 0 and told["exact"] > 0
    assert sum(told["faults"].values()) >= 2
