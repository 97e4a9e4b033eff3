# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings as commands see them: where one goes, what one says, and what is refused."""

import json
import os

import numpy as np
import pytest

from host.config import load_run
from host.pipeline.recordings import Recorded, place, written
from semcom_blocks.errors import ConfigError, RadioError
from semcom_blocks.recording import About, FrameNote, RecordingWriter

SIZES = {"fft_size": 128, "cp_len": 32, "n_used": 100, "n_comb": 8, "block_period": 16}
EXTRA = {"role": "rx", "numerology": SIZES, "estimator": "ls", "equalizer": "zf"}
N = 2000


@pytest.fixture
def recording(tmp_path):
    """A recording at 2 MS/s with two notes; gives its path without suffix."""
    writer = RecordingWriter(str(tmp_path / "r"), About(2e6, "a test", "sim", extra=EXTRA))
    writer.write(np.ones(N, np.complex64))
    writer.note(FrameNote(100, 500, job_id=3, seq=0, snr_db=9.0))
    writer.note(FrameNote(800, 500, job_id=4, seq=1))
    writer.close()
    return tmp_path / "r"


def change(path, **fields):
    meta = path.with_suffix(".sigmf-meta")
    found = json.loads(meta.read_text())
    found["global"] |= {key.replace("_", ":", 1): value for key, value in fields.items()}
    meta.write_text(json.dumps(found))


@pytest.mark.parametrize("suffix", ["", ".sigmf-meta", ".sigmf-data"])
def test_it_is_received_as_it_was_made(recording, suffix):
    found = Recorded.read(recording.with_suffix(suffix))
    run = load_run(overrides=found.defaults())
    assert run.radio.sample_rate_hz == 2e6
    assert run.numerology.model_dump() == SIZES
    assert (run.radio.estimator, run.radio.equalizer) == ("ls", "zf")
    assert found.samples == N
    assert found.jobs() == {3, 4}
    assert [note.seq for note in found.frames] == [0, 1]


def test_of_one_by_other_software_only_the_rate_is_known(recording):
    change(recording, semcom_numerology=None)
    found = Recorded.read(recording)
    assert (found.defaults(), found.sample_rate_hz) == ({}, 2e6)


def lost(suffix):
    return lambda path: path.with_suffix(suffix).unlink()


REFUSED = {
    "cut short": (lambda path: os.truncate(path.with_suffix(".sigmf-data"), 8000), "cut short"),
    "half a sample": (lambda path: os.truncate(path.with_suffix(".sigmf-data"), 15999), "bytes"),
    "nothing": (lambda path: os.truncate(path.with_suffix(".sigmf-data"), 0), "0 bytes"),
    "datatype": (lambda path: change(path, core_datatype="cf64_be"), "datatype 'cf64_be'"),
    "no rate": (lambda path: change(path, core_sample_rate=None), "sample rate None"),
    "rate text": (lambda path: change(path, core_sample_rate="1e6"), "sample rate '1e6'"),
    "rate bool": (lambda path: change(path, core_sample_rate=True), "sample rate True"),
    "rate zero": (lambda path: change(path, core_sample_rate=0), "numerology of no use"),
    "size": (lambda path: change(path, semcom_numerology={"fft_size": 63}), "fft_size is 63"),
    "list": (lambda path: change(path, semcom_numerology=[64]), "numerology of no use"),
    "key": (lambda path: change(path, semcom_numerology={"fft": 64}), "numerology of no use"),
    "no metadata": (lost(".sigmf-meta"), "not SigMF metadata"),
    "no samples": (lost(".sigmf-data"), "cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_of_no_use_is_refused_in_one_line(recording, case):
    spoil, words = REFUSED[case]
    spoil(recording)
    with pytest.raises(RadioError) as caught:
        Recorded.read(recording)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_recording_goes_where_nothing_is_yet(recording, tmp_path):
    run = load_run(overrides={"recording.path": str(recording)})
    placed = place(run)
    assert placed.recording.path == str(tmp_path / "r-2")
    assert written(placed) == []
    deep = place(load_run(overrides={"recording.path": str(tmp_path / "a" / "b" / "r")}))
    assert (tmp_path / "a" / "b").is_dir()
    assert deep.recording.path == str(tmp_path / "a" / "b" / "r")
    assert place(load_run()) == load_run()


def test_a_radio_that_was_started_again_left_several(recording, tmp_path):
    for _ in range(2):
        writer = RecordingWriter(str(tmp_path / "r"), About(2e6))
        writer.write(np.ones(9, np.complex64))
        writer.close()
    (tmp_path / "r-x.sigmf-data").touch()
    found = written(load_run(overrides={"recording.path": str(tmp_path / "r")}))
    assert [pair.data.name for pair in found] == [
        "r.sigmf-data",
        "r-2.sigmf-data",
        "r-3.sigmf-data",
    ]


def test_names_that_cannot_be_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be made"):
        place(load_run(overrides={"recording.path": str(tmp_path / "file" / "r")}))
    with pytest.raises(ConfigError, match="NUL"):
        load_run(overrides={"recording.path": "a\0b"})
    with pytest.raises(ConfigError, match=r"recording\.max_mb 1"):
        load_run(overrides={"recording.max_mb": 1})
