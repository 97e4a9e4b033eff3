# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings: whole when they have their name, bounded, never over another, honest when cut."""

import json
import resource
from datetime import datetime, timezone

import numpy as np
import pytest

from semcom_blocks import sigmf
from semcom_blocks.errors import ConfigError, RadioError
from semcom_blocks.recording import About, FrameNote, RecordingWriter
from semcom_blocks.recording import writer as module
from semcom_blocks.recording.writer import MIN_LIMIT_BYTES, RESERVE_BYTES

RATE_HZ = 1e6
ABOUT = About(RATE_HZ, "a test", "sim", extra={"role": "rx"})
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)
SAMPLES = np.random.default_rng(0).standard_normal(200_000, dtype=np.float32).view(np.complex64)


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def document(folder, name="r"):
    return json.loads((folder / f"{name}.sigmf-meta").read_text())


def make(folder, about=ABOUT, **settings):
    return RecordingWriter(str(folder / "r"), about, now=lambda: NOON, **settings)


def test_what_was_written_is_there_with_all_that_is_known(tmp_path):
    about = About(RATE_HZ, "a test", "pluto:ip:x", 2.45e9, 40.0, {"role": "rx"})
    writer = make(tmp_path, about)
    writer.write(SAMPLES[:60_000])
    assert names(tmp_path) == ["r.sigmf-data.partial"]
    writer.note(FrameNote(5000, 100, job_id=1, seq=2, snr_db=3.5))
    writer.note(FrameNote(200, 100, job_id=1, seq=1, snr_db=3.0))
    writer.gap(60_000)
    writer.write(SAMPLES[60_000:])
    writer.close()
    writer.close()
    assert names(tmp_path) == ["r.sigmf-data", "r.sigmf-meta"]
    pair = sigmf.pair(str(tmp_path / "r"))
    assert np.array_equal(pair.samples(), SAMPLES)
    assert pair.gaps() == [60_000]
    found = document(tmp_path)
    fields = found["global"]
    assert (fields["core:hw"], fields["semcom:role"]) == ("pluto:ip:x", "rx")
    assert fields["semcom:samples"] == len(SAMPLES)
    # The first sample came 60 ms before the call that brought it.
    assert found["captures"] == [
        {
            "core:sample_start": 0,
            "core:frequency": 2.45e9,
            "core:datetime": "2026-03-01T11:59:59.940000Z",
            "semcom:gain_db": 40.0,
        },
        {
            "core:sample_start": 60_000,
            "core:frequency": 2.45e9,
            "core:datetime": "2026-03-01T12:00:00.000000Z",
            "semcom:gain_db": 40.0,
        },
    ]
    assert [a["semcom:seq"] for a in found["annotations"]] == [1, 2]


def test_one_that_exists_is_never_written_over(tmp_path):
    for _ in range(3):
        writer = make(tmp_path)
        writer.write(SAMPLES[:10])
        writer.close()
    (tmp_path / "r-4.sigmf-data.partial").touch()  # left by a process that was killed
    writer = make(tmp_path)
    assert writer.pair.data.name == "r-5.sigmf-data"
    writer.close()
    assert [name for name in names(tmp_path) if name.endswith("meta")] == [
        "r-2.sigmf-meta",
        "r-3.sigmf-meta",
        "r.sigmf-meta",
    ]


def test_without_a_sample_there_is_no_recording(tmp_path):
    make(tmp_path).close()
    assert names(tmp_path) == []


def test_it_ends_at_its_limit_and_says_so(tmp_path):
    writer = make(tmp_path, max_bytes=MIN_LIMIT_BYTES)
    limit = MIN_LIMIT_BYTES // 8
    for _ in range(3):
        writer.write(SAMPLES[:100_000])
    writer.note(FrameNote(limit - 100, 100, seq=1))
    writer.note(FrameNote(limit - 99, 100, seq=2))
    writer.gap(limit + 5)
    writer.close()
    assert writer.error is None
    assert (tmp_path / "r.sigmf-data").stat().st_size == MIN_LIMIT_BYTES
    found = document(tmp_path)
    assert "limit of" in found["global"]["semcom:ended"]
    assert [a["semcom:seq"] for a in found["annotations"]] == [1]
    assert len(found["captures"]) == 1
    assert len(sigmf.pair(str(tmp_path / "r")).samples()) == limit


@pytest.mark.parametrize("limit", [0, -1, MIN_LIMIT_BYTES - 1, float("nan")])
def test_a_limit_out_of_range_is_named(tmp_path, limit):
    with pytest.raises(ConfigError, match="max_bytes is"):
        make(tmp_path, max_bytes=limit)
    assert names(tmp_path) == []


def test_a_disk_that_is_nearly_full_is_refused_at_once(tmp_path):
    with pytest.raises(RadioError, match="bytes left, permitted") as caught:
        make(tmp_path, room=lambda _folder: RESERVE_BYTES - 1)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_a_disk_that_fills_up_ends_it_and_keeps_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHECK_BYTES", 500_000)
    rooms = iter([10 * RESERVE_BYTES, RESERVE_BYTES - 1])
    writer = make(tmp_path, room=lambda _folder: next(rooms))
    for start in range(0, 100_000, 25_000):
        writer.write(SAMPLES[start : start + 25_000])
    assert "bytes left, permitted" in writer.ended
    writer.close()
    assert writer.error is None
    assert np.array_equal(sigmf.pair(str(tmp_path / "r")).samples(), SAMPLES[:75_000])
    assert "bytes left" in document(tmp_path)["global"]["semcom:ended"]


def test_a_write_that_fails_in_the_middle_of_a_sample_keeps_whole_ones(tmp_path):
    writer = make(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (80_004, hard))
    try:
        writer.write(SAMPLES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert writer.ended == "File too large"
    writer.write(SAMPLES)
    writer.close()
    assert writer.error is None
    assert np.array_equal(sigmf.pair(str(tmp_path / "r")).samples(), SAMPLES[:10_000])


def test_a_name_that_cannot_be_given_is_told(tmp_path):
    writer = make(tmp_path)
    writer.write(SAMPLES)
    (tmp_path / "r.sigmf-data").mkdir()  # in the way since the start
    writer.close()
    assert "r.sigmf-data cannot be written: Is a directory" in str(writer.error)


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(RadioError, match=r"recording file:.* has no writable folder"):
        RecordingWriter(str(tmp_path / "no" / "r"), ABOUT)


def test_a_recording_that_was_cut_short_is_refused(tmp_path):
    writer = make(tmp_path)
    writer.write(SAMPLES)
    writer.close()
    with (tmp_path / "r.sigmf-data").open("r+b") as file:
        file.truncate(8 * 99_999)
    with pytest.raises(RadioError, match=r"99999 samples, permitted: 100000.*cut short") as caught:
        sigmf.pair(str(tmp_path / "r")).samples()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "part", [{"captures": 3}, {"annotations": [3]}, {"captures": [{}]}, {"annotations": [{"a": 1}]}]
)
def test_captures_and_annotations_of_another_shape_are_refused(tmp_path, part):
    writer = make(tmp_path)
    writer.write(SAMPLES)
    writer.close()
    changed = document(tmp_path) | part
    (tmp_path / "r.sigmf-meta").write_text(json.dumps(changed))
    with pytest.raises(RadioError, match=r"not SigMF metadata: (captures|annotations) are not"):
        sigmf.pair(str(tmp_path / "r")).samples()
