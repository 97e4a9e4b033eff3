# SPDX-License-Identifier: GPL-3.0-or-later
"""``semcom test`` counts what happened: failures, errors, broken runs, missing core modules."""

import dataclasses
import sys

import pytest

from host import test_runner as runner

# 1 passes, 2 fail (one of them at set-up), 2 are skipped (one of them is expected to fail).
SAMPLE = """\
import pytest

def test_passes(): pass
def test_fails(): assert False
@pytest.fixture
def broken(): raise RuntimeError
def test_errs(broken): pass
@pytest.mark.skip(reason="why")
def test_skipped(): pass
@pytest.mark.xfail(reason="why")
def test_expected_to_fail(): assert False
"""
SUITE = dataclasses.replace(runner.HOST, core_module="json")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # apart from the repository's settings
    return tmp_path


def run(folder, text, *arguments):
    (folder / "test_sample.py").write_text(text)
    return runner.run_suite(SUITE, [str(folder / "test_sample.py"), "-q", *arguments])


def test_every_outcome_is_counted(folder):
    code, tally = run(folder, SAMPLE)
    assert code == 1
    assert tally == runner.Tally(passed=1, failed=2, skipped=2)
    assert str(tally) == "1 passed, 2 failed, 2 skipped"


@pytest.mark.parametrize(
    "text",
    ["import no_such_module\n", "import os\ndef test_dies(): os._exit(3)\n"],
    ids=["import error", "interpreter dies"],
)
def test_run_that_breaks_off_is_a_failure(folder, text):
    code, tally = run(folder, text)
    assert code not in (0, runner.NOTHING_COLLECTED)
    assert tally.failed == 1


def test_unknown_option_is_a_failure(folder):
    code, tally = run(folder, SAMPLE, "--no-such-option")
    assert code != 0
    assert tally == runner.Tally(failed=1)


def test_missing_core_module_is_a_failure_not_a_skip(capfd):
    suite = dataclasses.replace(runner.HOST, core_module="no_such_module")
    code, tally = runner.run_suite(suite, [])
    assert (code, tally) == (runner.TESTS_FAILED, runner.Tally(failed=1))
    assert "no_such_module" in capfd.readouterr().out


def test_total_is_the_last_line_and_failure_the_exit_code(folder, monkeypatch, capfd):
    (folder / "test_sample.py").write_text(SAMPLE)
    monkeypatch.setattr(runner, "SUITES", (SUITE, SUITE))
    assert runner.main([str(folder / "test_sample.py")]) == 1
    assert capfd.readouterr().out.splitlines()[-1] == "2 passed, 4 failed, 4 skipped"
    assert runner.main([str(folder / "test_sample.py"), "-k", "passes"]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == "2 passed, 0 failed, 0 skipped"
    assert runner.main([str(folder / "test_sample.py"), "-k", "nothing_of_that_name"]) == 2


def test_paths_go_to_the_suite_that_can_import_them():
    host_only, both = str(runner.TESTS / "host"), str(runner.TESTS / "conftest.py")
    for arguments, radio, host in [
        ([], [], []),
        ([host_only], None, [host_only]),
        ([host_only, both], [both], [host_only, both]),
        (["-k", "host"], ["-k", "host"], ["-k", "host"]),
        ([f"{both}::name"], [f"{both}::name"], [f"{both}::name"]),
    ]:
        assert runner.arguments_for(runner.RADIO, arguments) == radio
        assert runner.arguments_for(runner.HOST, arguments) == host


def test_interpreters_differ():
    assert runner.HOST.python == sys.executable
    assert runner.RADIO.python != runner.HOST.python
