# SPDX-License-Identifier: GPL-3.0-or-later
"""SigMF Sink and Source as blocks: every sample, a name only when complete, and an end."""

import json

import numpy as np
import pytest

from semcom_blocks.errors import RadioError
from semcom_blocks.gr.base import EOF_KEY
from semcom_blocks.gr.sigmf_file import SigmfSink, SigmfSource
from tests.semcom_blocks.gr.bench import Bench, Chunks, Recorder, until

RATE_HZ = 1e6


def normal(n):
    rng = np.random.default_rng(0)
    return rng.standard_normal(2 * n, dtype=np.float32).view(np.complex64)


def record(path, samples, tags=()):
    """Run a flowgraph until ``samples`` are written; returns the names that existed meanwhile."""
    bench, sink = Bench(), SigmfSink(str(path), RATE_HZ, "a test")
    status = bench.collect(sink, "status")
    bench.chain(Chunks(samples, tags=tags), sink)
    with bench:
        until(lambda: sink.nitems_read(0) == len(samples))
        if tags:
            until(lambda: status.pdus)
        names = sorted(entry.name for entry in path.parent.iterdir())
    return names, status.pdus


def test_what_was_written_is_read(tmp_path):
    samples = normal(100_001)
    record(tmp_path / "burst", samples)
    bench, recorder = Bench(), Recorder()
    bench.chain(SigmfSource(str(tmp_path / "burst"), RATE_HZ), recorder)
    with bench:
        until(lambda: recorder.at(EOF_KEY))
    assert recorder.at(EOF_KEY) == [len(samples)]
    assert np.array_equal(recorder.samples[: len(samples)], samples)
    assert not recorder.samples[len(samples) :].any()


def test_the_pair_gets_its_name_only_when_it_is_complete(tmp_path):
    samples = normal(10_000)
    names, pdus = record(tmp_path / "burst", samples, [(9_000, "job_end", 7)])
    assert names == ["burst.sigmf-data.partial"]
    assert pdus[0][0] == {"job_id": 7, "job_end": True}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "burst.sigmf-data",
        "burst.sigmf-meta",
    ]
    meta = json.loads((tmp_path / "burst.sigmf-meta").read_text())
    assert meta["global"]["core:datatype"] == "cf32_le"
    assert meta["global"]["core:sample_rate"] == RATE_HZ
    written = np.fromfile(tmp_path / "burst.sigmf-data", "<c8")
    assert np.array_equal(written, samples)


def test_a_folder_that_is_not_there_is_an_error_before_anything_is_written(tmp_path):
    with pytest.raises(RadioError, match="no writable folder"):
        SigmfSink(str(tmp_path / "missing" / "burst"), RATE_HZ)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_way_of_the_data_is_named(tmp_path):
    (tmp_path / "burst.sigmf-data.partial").mkdir()
    with pytest.raises(RadioError, match="cannot be written: Is a directory"):
        SigmfSink(str(tmp_path / "burst"), RATE_HZ)


def test_a_full_disk_is_told_and_leaves_no_recording(tmp_path):
    (tmp_path / "burst.sigmf-data.partial").symlink_to("/dev/full")
    bench, sink = Bench(), SigmfSink(str(tmp_path / "burst"), RATE_HZ)
    bench.chain(Chunks(normal(100_000)), sink)
    with bench:
        until(lambda: sink.failed)
    assert "No space left" in str(sink.failed)
    assert not (tmp_path / "burst.sigmf-data").exists()
