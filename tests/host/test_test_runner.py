# SPDX-License-Identifier: GPL-3.0-or-later
"""``semcom test`` counts what happened: failures, errors, broken runs, missing core modules."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

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
# Has a child, and tells who is who.
LONG = """\
import os, subprocess, sys, time
def test_long(tmp_path_factory):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    with open(os.environ["PIDS"], "a") as file:
        file.write(f"{os.getpid()} {child.pid}\\n")
    child.wait()
"""
DRIVER = """\
import dataclasses, sys
from host import test_runner as runner
suite = dataclasses.replace(runner.HOST, core_module="json")
runner.SUITES = (suite, dataclasses.replace(suite, name="other"))
runner.side_by_side = lambda arguments: sys.argv[1] == "beside"
sys.exit(runner.command(sys.argv[2:]))
"""
SUITE = dataclasses.replace(runner.HOST, core_module="json")
OTHER = dataclasses.replace(SUITE, name="other")
PATIENCE_S = 60.0


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Apart from the repository's settings, and from plug-ins, which take long to load."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


@pytest.fixture
def main(folder, monkeypatch, capfd):
    """Runs two suites over one file: (exit code, lines)."""
    monkeypatch.setattr(runner, "SUITES", (SUITE, OTHER))

    def run(text, *arguments, beside=True):
        (folder / "test_sample.py").write_text(text)
        monkeypatch.setattr(runner, "side_by_side", lambda _: beside)
        code = runner.main([str(folder / "test_sample.py"), *arguments])
        return code, capfd.readouterr().out.splitlines()

    return run


def run(folder, text, *arguments):
    (folder / "test_sample.py").write_text(text)
    done = runner.Run(SUITE, [str(folder / "test_sample.py"), "-q", *arguments], folder)
    done.finish()
    return done


def test_every_outcome_is_counted(folder):
    done = run(folder, SAMPLE)
    assert done.code == 1
    assert done.tally == runner.Tally(passed=1, failed=2, skipped=2)
    assert str(done) == "host: 1 passed, 2 failed, 2 skipped"


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("import no_such_module\n", "exit code 2"),
        ("import os\ndef test_dies(): os._exit(3)\n", "exit code 3"),
        ("import os\ndef test_dies(): os._exit(0)\n", "exit code 0"),
        ("import os\ndef test_dies(): os.kill(os.getpid(), 9)\n", "signal 9"),
    ],
    ids=["import error", "interpreter dies", "interpreter ends", "killed"],
)
def test_run_that_breaks_off_is_a_failure_and_told(folder, text, how):
    done = run(folder, text)
    assert done.tally.failed == 1
    assert str(done) == f"host: 0 passed, 1 failed, 0 skipped; broke off ({how})"


def test_unknown_option_is_a_failure(folder):
    done = run(folder, SAMPLE, "--no-such-option")
    assert done.code != 0
    assert done.tally == runner.Tally(failed=1)


def test_a_question_to_pytest_is_no_failure(folder):
    done = run(folder, SAMPLE, "--version")
    assert (done.code, done.tally) == (0, runner.Tally())
    assert "broke off" not in str(done)


def test_missing_core_module_is_a_failure_not_a_skip(tmp_path, capfd):
    suite = dataclasses.replace(runner.HOST, core_module="no_such_module")
    done = runner.Run(suite, [], tmp_path)
    done.finish()
    assert (done.code, done.tally) == (runner.TESTS_FAILED, runner.Tally(failed=1))
    assert "cannot import no_such_module" in capfd.readouterr().out


@pytest.mark.parametrize("beside", [True, False], ids=["side by side", "in turn"])
def test_total_is_the_last_line_and_failure_the_exit_code(main, beside):
    code, lines = main(SAMPLE, beside=beside)
    assert code == 1
    assert lines[-3:] == [
        "host: 1 passed, 2 failed, 2 skipped",
        "other: 1 passed, 2 failed, 2 skipped",
        "2 passed, 4 failed, 4 skipped",
    ]
    # Whole and in order, whichever way they ran.
    titles = [n for n, line in enumerate(lines) if line.startswith("== ") and "under" in line]
    ends = [n for n, line in enumerate(lines) if "1 failed, 1 passed" in line]
    assert titles[0] < ends[0] < titles[1] < ends[1]
    assert ("side by side" in lines[0]) is beside
    assert [lines[n].split()[1] for n in titles] == ["host", "other"]


def test_nothing_fails_or_nothing_runs(main):
    code, lines = main(SAMPLE, "-k", "passes")
    assert (code, lines[-1]) == (0, "2 passed, 0 failed, 0 skipped")
    assert main(SAMPLE, "-k", "nothing_of_that_name")[0] == 2


def test_one_run_that_breaks_off_leaves_the_other(main):
    code, lines = main(
        "import os\ndef test_dies():\n"
        '    if "cache_dir=.pytest_cache/host" in open("/proc/self/cmdline").read(): os._exit(0)\n'
    )
    assert code == 1
    assert lines[-3:] == [
        "host: 0 passed, 1 failed, 0 skipped; broke off (exit code 0)",
        "other: 1 passed, 0 failed, 0 skipped",
        "1 passed, 1 failed, 0 skipped",
    ]


def test_runs_side_by_side_have_one_thread_each_unless_told_otherwise(main, monkeypatch):
    for name in runner.THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    names = tuple(runner.THREADS)
    wanted = f"import os\ndef test_it(): assert [*map(os.environ.get, {names})] == "
    assert main(wanted + "['3', '1', '1']")[0] == 0
    assert main(wanted + "['3', None, None]", beside=False)[0] == 0


def test_without_pytests_cache(main):
    assert main("def test_it(): pass", "-p", "no:cacheprovider", "--strict-config")[0] == 0


def test_the_last_failures_are_those_of_each_suite(main, folder):
    text = 'def test_it(): assert "cache_dir=.pytest_cache/{}" in open("/proc/self/cmdline").read()'
    assert main(text.format("host"))[0] == 1
    code, lines = main(text.format("host") + "\ndef test_more(): pass", "--lf", "--lfnf=none")
    assert code == 1
    assert lines[-3] == "host: 0 passed, 0 failed, 0 skipped"
    assert lines[-2] == "other: 0 passed, 1 failed, 0 skipped"


@pytest.mark.parametrize(
    ("cores", "arguments", "beside"),
    [
        (2, [], True),
        (1, [], False),
        (2, ["-x", "-k", "slow", "tests/host"], True),
        (2, ["-m", "not slow"], True),
        (2, ["-m", "slow"], False),
        (2, ["-mslow"], False),
        (2, ["-m", ""], False),
        (2, ["--maxfail=3"], True),
        (2, ["--pdb"], False),
    ],
)
def test_measurements_have_the_machine_to_themselves(monkeypatch, cores, arguments, beside):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert runner.side_by_side(arguments) is beside


def is_gone(pid):
    try:
        return (Path("/proc") / pid / "stat").read_text().rsplit(") ", 1)[1][0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize(
    ("how", "number"), [("beside", signal.SIGINT), ("in turn", signal.SIGTERM)], ids=str
)
def test_an_interrupt_ends_every_run_and_its_children(folder, how, number):
    (folder / "test_sample.py").write_text(LONG)
    pids = folder / "pids"
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, how, str(folder / "test_sample.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=runner.REPO_ROOT,
        env=os.environ | {"PIDS": str(pids)},
    )
    with process:
        deadline = time.monotonic() + PATIENCE_S
        rows = 2 if how == "beside" else 1
        while not (pids.exists() and pids.read_text().count("\n") == rows):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert out.splitlines()[-1] == "semcom: tests interrupted"
    assert out.count("KeyboardInterrupt") >= rows  # what each wrote is shown
    assert all(is_gone(pid) for pid in pids.read_text().split())


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
