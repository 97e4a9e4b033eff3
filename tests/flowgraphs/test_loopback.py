# SPDX-License-Identifier: GPL-3.0-or-later
"""The loopback flowgraphs, compiled by ``grcc``, carry jobs as they stand and while they change."""

import importlib.util
from contextlib import contextmanager

import pytest

from tests.flowgraphs.conftest import FLOWGRAPHS
from tests.flowgraphs.job import free_endpoint, open_host, running

PROMPT = "Drei weiße Boote — трос, 船 — before a café. " * 8  # several packets


@contextmanager
def loopback_running(environment, program, *arguments):
    """A loopback on free sockets; gives their endpoints."""
    source, sink = free_endpoint(), free_endpoint()
    sockets = (f"--source-endpoint={source}", f"--sink-endpoint={sink}")
    with running(environment, program, *sockets, *arguments):
        yield source, sink


def test_every_flowgraph_compiles(compiled):
    assert {path.stem for path in FLOWGRAPHS} == {path.stem for path in compiled.glob("*.py")}
    assert {path.stem for path in FLOWGRAPHS} >= {"loopback_sim", "loopback_sim_nogui"}


def test_without_gui_it_carries_a_job_at_the_snr_asked_for(companion, compiled):
    options = ("--snr-db=9", "--cfo-hz=5k", "--sro-ppm=20", "--seed=3")
    program = compiled / "loopback_sim_nogui.py"
    with loopback_running(companion, program, *options) as endpoints, open_host(*endpoints) as host:
        carried = host.carry(7, PROMPT)
    assert carried.prompt == PROMPT
    assert carried.delivered is True
    assert carried.missing == 0
    assert carried.snr_db == pytest.approx(9, abs=0.5)
    assert carried.cfo_hz == pytest.approx(5000, abs=20)


def test_with_gui_it_carries_a_job(companion, compiled):
    """Qt draws into memory here; what it looks like is in docs/."""
    offscreen = {**companion, "QT_QPA_PLATFORM": "offscreen"}
    program = compiled / "loopback_sim.py"
    with loopback_running(offscreen, program) as endpoints, open_host(*endpoints) as host:
        carried = host.carry(8, PROMPT)
    assert carried.prompt == PROMPT
    assert carried.missing == 0
    assert carried.snr_db == pytest.approx(20, abs=0.5)


class TestWhileItRuns:
    @pytest.fixture(scope="class")
    def loopback(self, compiled):
        """The flowgraph in this process, and a host at its sockets."""
        spec = importlib.util.spec_from_file_location(
            "loopback_sim_nogui", compiled / "loopback_sim_nogui.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        endpoints = free_endpoint(), free_endpoint()
        top = module.loopback_sim_nogui(
            source_endpoint=endpoints[0], sink_endpoint=endpoints[1], snr_db=20.0
        )
        top.start()
        try:
            with open_host(*endpoints) as host:
                yield top, host
        finally:
            top.stop()
            top.wait()

    def test_a_slider_changes_the_channel(self, loopback):
        top, host = loopback
        top.set_snr_db(20.0)
        assert host.carry(1, "first").snr_db == pytest.approx(20, abs=0.5)
        top.set_snr_db(6.0)
        top.set_cfo_hz(-12_000.0)
        carried = host.carry(2, "second")
        assert carried.snr_db == pytest.approx(6, abs=0.5)
        assert carried.cfo_hz == pytest.approx(-12_000, abs=20)

    def test_jobs_in_a_row_keep_their_symbols(self, loopback):
        """Analog symbols once came behind the packets of their job, and missed it."""
        top, host = loopback
        top.set_snr_db(10.0)
        for job_id in range(10, 30):
            carried = host.carry(job_id, f"job {job_id}", n_symbols=20_000)
            assert carried.prompt == f"job {job_id}"
            assert carried.missing == 0

    def test_other_methods_take_over(self, loopback):
        top, host = loopback
        top.set_snr_db(20.0)
        top.channel_estimator.set_method("ls")
        top.equalizer.set_method("zf")
        carried = host.carry(50, "LS and zero forcing")
        assert carried.missing == 0
        assert carried.snr_db == pytest.approx(20, abs=0.7)
