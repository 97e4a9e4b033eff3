# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio ``file``: what is sent into a recording is received from it, and so is what others made."""

import json

import numpy as np
import pytest

from semcom_blocks.link.arq import ArqConfig, SendPacket
from semcom_blocks.link.message import SemanticMessage
from semcom_blocks.link.sender import ArqSender
from semcom_blocks.phy.framer import Framer
from semcom_blocks.phy.grid import FrameLayout, build_grid
from semcom_blocks.phy.interleave import spread
from semcom_blocks.phy.modulator import modulate
from semcom_blocks.phy.numerology import Numerology
from tests.semcom_blocks.radio.processes import Host, Radio, Result, endpoints, gaussian

NUM = Numerology()
BLIND = {"feedback": "none", "repeats": 3}
N_SYMBOLS = 30_000


def transmit(folder, path, jobs, stop, **job):
    """Send jobs into a recording; ends as ``stop`` says. Returns their results."""
    where = endpoints()
    settings = {"radio": f"file:{path}", "link": BLIND, "endpoints": where, **job}
    with Radio(folder, "tx", **settings) as radio, Host(source=where["source"]) as host:
        host.ready()
        done = []
        for job_id, prompt in jobs:
            result = host.begin(job_id, prompt, N_SYMBOLS)
            done.append(host.collect(result, lambda r: r.done is not None))
        assert not path.with_suffix(".sigmf-data").exists()
        assert not path.with_suffix(".sigmf-meta").exists()
        assert stop(radio) == 0
    return done


def receive(folder, path, jobs, **job):
    """Receive a recording to its end; returns the results of ``jobs``, in order, and the host."""
    where = endpoints()
    settings = {"radio": f"file:{path}", "link": {"feedback": "none"}, "endpoints": where, **job}
    with Radio(folder, "rx", **settings) as radio, Host(sink=where["sink"]) as host:
        results = [Result(job_id, gaussian(N_SYMBOLS, job_id)) for job_id, _ in jobs]
        by_number = {result.job_id: result for result in results}
        while True:
            message = host.sink.receive(20.0)
            assert message is not None, "the recording did not end"
            if message.kind == "end":
                break
            if message.kind in ("frame", "received"):
                result = by_number[message.meta["job_id"]]
                (result.frames if message.kind == "frame" else result.received).append(message)
        assert radio.stop() == 0
    return results


@pytest.mark.parametrize("power", [1.0, 0.01])
def test_what_was_sent_is_received(tmp_path, power):
    path, jobs = tmp_path / "burst", [(7, "first"), (8, "zweites 猫")]
    sent = transmit(tmp_path, path, jobs, Radio.stop, level={"power": power})
    samples = np.fromfile(f"{path}.sigmf-data", "<c8")
    # Every sample of both jobs with the silence around them, and nothing half-written.
    signal = sum(result.done.meta["samples_sent"] for result in sent)
    assert len(samples) > signal + 2 * 12_000
    assert np.count_nonzero(samples) == pytest.approx(signal, rel=1e-3)
    assert not samples[-12_000:].any()
    assert not list(tmp_path.glob("*.partial"))
    meta = json.loads((tmp_path / "burst.sigmf-meta").read_text())["global"]
    assert (meta["core:datatype"], meta["core:sample_rate"]) == ("cf32_le", 1e6)

    got = receive(tmp_path, path, jobs)
    for (_, prompt), before, after in zip(jobs, sent, got, strict=True):
        (received,) = after.received
        assert received.meta["prompt"] == prompt
        count = before.done.meta["frames_sent"]
        assert received.meta["frames_received"] == received.meta["frames_expected"] == count
        assert sum(not m.meta["end"] for m in after.frames) == count
        assert after.error_db() > 45


def recording(path, scale, datatype, lead, seed=3):
    """A job as other software would record it: pure NumPy, any level, and begun amid noise."""
    message = SemanticMessage("from elsewhere", ((1, {"n": N_SYMBOLS}),)).to_bytes()
    config = ArqConfig(feedback=False, repeats=2)
    framer = Framer(4000)
    framer.add_analog(9, 1, spread(gaussian(N_SYMBOLS, 9)))
    for event in ArqSender(config, session=1).submit(9, message, 0.0):
        if isinstance(event, SendPacket):
            framer.add_packet(9, event.data)
    frames = [*framer.frames(), *framer.end(9)]
    burst = np.concatenate(
        [
            modulate(build_grid(FrameLayout(NUM, frame.header), frame.digital, frame.analog), NUM)
            for frame in frames
        ]
    )
    rng = np.random.default_rng(seed)
    stream = np.concatenate([np.zeros(lead), burst])
    noise = rng.standard_normal((len(stream), 2)) @ [1, 1j] * np.sqrt(NUM.symbol_energy / 200)
    turn = np.exp(2j * np.pi * (0.3 + 1200.0 / NUM.sample_rate_hz * np.arange(len(stream))))
    stream = scale * (stream * turn + noise)
    if datatype == "ci16_le":
        raw = np.rint(stream.astype(np.complex128).view(np.float64) * 32768).astype("<i2")
    else:
        raw = stream.astype("<c8")
    raw.tofile(f"{path}.sigmf-data")
    fields = {"core:datatype": datatype, "core:sample_rate": 1_000_000, "core:version": "1.2.0"}
    meta = {"global": fields, "captures": [], "annotations": []}
    path.with_suffix(".sigmf-meta").write_text(json.dumps(meta))
    return len(frames)


@pytest.mark.parametrize(
    ("scale", "datatype", "lead"),
    [(0.01, "cf32_le", 12_345), (0.01, "ci16_le", 40_001), (30.0, "cf32_le", 0)],
)
def test_a_recording_of_other_software_is_received(tmp_path, scale, datatype, lead):
    path = tmp_path / "other"
    count = recording(path, scale, datatype, lead)
    (result,) = receive(tmp_path, path, [(9, "from elsewhere")])
    (received,) = result.received
    assert received.meta["prompt"] == "from elsewhere"
    assert len(result.frames) == count
    for frame in result.frames:
        assert frame.meta["cfo_hz"] == pytest.approx(1200, abs=150)
    assert result.error_db() == pytest.approx(20, abs=1)


def test_noise_alone_ends_without_a_job(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(2 * 300_000, dtype=np.float32)
    noise.tofile(tmp_path / "noise.sigmf-data")
    fields = {"core:datatype": "cf32_le", "core:sample_rate": 1e6, "core:version": "1.0.0"}
    (tmp_path / "noise.sigmf-meta").write_text(json.dumps({"global": fields}))
    assert receive(tmp_path, tmp_path / "noise", []) == []


def test_a_sender_that_is_killed_leaves_no_recording_behind(tmp_path):
    path = tmp_path / "burst"

    def kill(radio):
        radio.kill()
        return 0

    transmit(tmp_path, path, [(1, "lost")], kill)
    assert [entry.name for entry in tmp_path.glob("burst*")] == ["burst.sigmf-data.partial"]


def test_a_disk_that_is_full_is_one_line_and_status_two(tmp_path):
    (tmp_path / "burst.sigmf-data.partial").symlink_to("/dev/full")
    where = endpoints()
    job = {"radio": f"file:{tmp_path}/burst", "link": BLIND, "endpoints": where}
    with Radio(tmp_path, "tx", **job) as radio, Host(source=where["source"]) as host:
        host.ready()
        host.begin(1, "too much", N_SYMBOLS)
        assert radio.wait() == 2
        expected = f"radio file:{tmp_path}/burst.sigmf-data cannot be written: No space left"
        assert radio.said.startswith(f"semcom: error: {expected}")
        assert radio.said.count("\n") == 1
    assert not (tmp_path / "burst.sigmf-data").exists()
    assert not (tmp_path / "burst.sigmf-meta").exists()
