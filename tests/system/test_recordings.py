# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the air, recorded by either side and received again."""

import json
import os
import shutil

import numpy as np
import pytest
import sigmf.validate

from tests.system.conftest import report_of

PROMPT = "a cat, kept for later"


def metadata(path):
    """Metadata of a recording, valid as the SigMF project's own package has it."""
    found = json.loads(path.with_suffix(".sigmf-meta").read_text(encoding="utf-8"))
    sigmf.validate.validate(found)
    return found


@pytest.fixture(scope="module")
def recording(tmp_path_factory, service):
    """A recorded demo: folder, metadata, report, and what the command said."""
    from tests.system.conftest import Command

    folder = tmp_path_factory.mktemp("recorded")
    command = Command(
        ["demo", "--snr-db", 12, "--cfo-hz", 700, "--prompt", PROMPT, "--record", folder / "r",
         "--out", folder / "demo", "--host", service], folder,
    )  # fmt: skip
    code, text, err = command.end()
    assert (code, err) == (0, "")
    assert f"recording: {folder / 'r.sigmf-meta'}" in text.replace("\n", "")
    return folder


def test_every_frame_is_noted_with_what_the_receiver_measured(recording):
    found, report = metadata(recording / "r"), report_of(recording / "demo")
    fields, notes = found["global"], found["annotations"]
    assert fields["core:sample_rate"] == 1e6
    assert (fields["core:hw"], fields["semcom:role"]) == ("sim", "rx")
    size = (recording / "r.sigmf-data").stat().st_size
    assert fields["semcom:samples"] == size // 8
    frames = [note for note in notes if not note["semcom:end"]]
    assert len(frames) == report["link"]["frames_received"]
    assert {note["semcom:job_id"] for note in notes} == {report["job_id"]}
    assert [note["semcom:seq"] for note in frames] == list(range(len(frames)))
    snr_db = 10 * np.log10(np.mean([10 ** (note["semcom:snr_db"] / 10) for note in frames]))
    assert snr_db == pytest.approx(report["link"]["snr_db_est"], abs=1e-3)
    cfo_hz = np.median([note["semcom:cfo_hz"] for note in frames])
    assert cfo_hz == pytest.approx(report["link"]["cfo_hz_est"], abs=1e-3)
    # The notes lie on the frames: power inside, and next to none before the first.
    samples = np.fromfile(recording / "r.sigmf-data", "<c8")
    power = [
        np.mean(np.abs(samples[n["core:sample_start"] :][: n["core:sample_count"]]) ** 2)
        for n in notes
    ]
    before = np.mean(np.abs(samples[: notes[0]["core:sample_start"]]) ** 2)
    assert min(power) > 0.8
    assert before < 0.1


def test_a_replay_is_the_same_reception_again(recording, semcom, service, tmp_path):
    out = tmp_path / "out"
    code, text, err = semcom("replay", recording / "r.sigmf-meta", "--out", out, "--host", service)
    assert (code, err) == (0, "")
    first, again = report_of(recording / "demo"), report_of(out)
    assert again["prompt"]["received"] == PROMPT
    assert (out / "received.png").read_bytes() == (recording / "demo" / "received.png").read_bytes()
    replay = again["replay"]
    assert (replay["lost"], replay["new"]) == (0, 0)
    assert replay["matched"] == first["link"]["frames_received"]
    assert replay["difference"]["snr_db"]["max_abs"] < 1e-3
    assert replay["difference"]["cfo_hz"]["max_abs"] < 1e-3
    assert f"{replay['matched']} of {replay['matched']} frames in both, 0 lost, 0 new" in text


def test_another_estimator_hears_the_same_frames_otherwise(recording, semcom, service, tmp_path):
    code, text, err = semcom(
        "replay", recording / "r", "--estimator", "ls", "--out", tmp_path / "out",
        "--host", service, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    report = json.loads(text)
    assert report["config"]["radio"]["estimator"] == "ls"
    assert report["replay"]["lost"] == report["replay"]["new"] == 0
    assert 0 < report["replay"]["difference"]["snr_db"]["max_abs"] < 3
    assert report["link"]["cfo_hz_est"] == pytest.approx(700, abs=20)


def test_both_ends_of_a_link_record_with_acknowledgements_over_the_air(
    start, semcom, quick_service, ports, tmp_path
):
    air = ["--feedback", "air", "--host", quick_service]
    rx = start("rx", *ports["rx"], *air, "--record", "rx", "--out", tmp_path / "rx-out")
    code, text, err = semcom(
        "tx", *ports["tx"], *air, "--record", "tx", "--prompt", PROMPT, "--json"
    )
    assert (code, err) == (0, "")
    sent = json.loads(text)
    assert sent["prompt"]["delivered"] is True
    assert sent["link"]["feedback"] == "air"
    assert 0 < sent["link"]["round_trip_s"] < 60
    assert rx.end()[0] == 0
    frames = {}
    for side in ("tx", "rx"):
        found = metadata(tmp_path / side)
        assert found["global"]["semcom:role"] == side
        notes = found["annotations"]
        frames[side] = [(n["core:sample_start"], n["semcom:seq"]) for n in notes]
    assert frames["tx"] == frames["rx"]
    # What was sent can be received as well; there is nothing measured to hold it against.
    code, _, err = semcom("replay", "tx", "--out", tmp_path / "again", "--host", quick_service)
    assert (code, err) == (0, "")
    again = report_of(tmp_path / "again")
    assert again["prompt"]["received"] == PROMPT
    assert again["replay"]["matched"] == again["link"]["frames_received"]
    assert again["replay"]["difference"]["snr_db"] is None


def test_a_recording_that_ended_at_its_limit_is_received_as_far_as_it_goes(
    semcom, quick_service, tmp_path
):
    code, _, err = semcom(
        "demo", "astronaut", "--record", "r", "--record-max-mb", 2, "--prompt", PROMPT,
        "--out", tmp_path / "demo", "--host", quick_service,
    )  # fmt: skip
    assert code == 0
    assert err.endswith("ended early: it has reached its limit of 2000000 bytes\n")
    assert (tmp_path / "r.sigmf-data").stat().st_size == 2_000_000
    assert "limit" in metadata(tmp_path / "r")["global"]["semcom:ended"]
    code, _, err = semcom("replay", "r", "--out", tmp_path / "out", "--host", quick_service)
    assert (code, err) == (0, "")
    report = report_of(tmp_path / "out")
    assert report["prompt"]["received"] == PROMPT
    assert report["link"]["symbols_erased"] > 0
    assert report["replay"]["lost"] == report["replay"]["new"] == 0


@pytest.mark.parametrize(
    ("options", "size", "words"),
    [
        ([], 800_000, "has 100000 samples, permitted: "),
        (["--sample-rate-hz", 2e6], None, "sample rate 1000000.0, permitted: 2e+06"),
    ],
    ids=["cut short", "another rate"],
)
def test_a_recording_of_no_use_is_refused_in_one_line(
    recording, semcom, tmp_path, options, size, words
):
    for suffix in (".sigmf-meta", ".sigmf-data"):
        shutil.copy(recording / f"r{suffix}", tmp_path)
    if size is not None:
        os.truncate(tmp_path / "r.sigmf-data", size)
    code, text, err = semcom("replay", "r", *options, "--out", tmp_path / "out")
    assert (code, text) == (2, "")
    assert err.startswith("semcom: error: ")
    assert err.count("\n") == 1
    assert words in err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_refused_before_anything_starts(semcom):
    code, _, err = semcom("demo", "--record", "/proc/nowhere/r")
    assert code == 2
    assert err.startswith("semcom: error: folder '/proc/nowhere' cannot be made")
    assert err.count("\n") == 1
