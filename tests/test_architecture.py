# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the house, read off the sources: who imports whom, licences, what no file names."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SPDX = "SPDX-License-Identifier: GPL-3.0-or-later"
PACKAGES = ("semcom_blocks", "models", "host", "calibration")
SHELLS = (  # what may import GNU Radio
    "semcom_blocks/gr/",
    "semcom_blocks/radio/",
    "semcom_blocks/bench/gr_digital.py",
    "semcom_blocks/bench/gr_fading.py",
)

# Programs for people: what they print is their result.
SPEAKING = ("host/cli/", "host/doctor.py", "host/test_runner.py")
PROGRAM = "__main__.py"

PURE_IMPORTS = {"semcom_blocks", "numpy", "scipy", "zmq", "msgpack", *sys.stdlib_module_names}
FORBIDDEN = {  # sources that start so -> top-level modules that they never import
    "semcom_blocks/": {"torch", "host", "models", "calibration"},
    "models/": {"host", "calibration", "gnuradio", "pmt"},
    "host/": {"gnuradio", "pmt", "uhd"},
    "calibration/": {"host", "gnuradio", "pmt"},
}

# Written in pieces, or this file would be its own first finding.
MACHINE_TEXT = re.compile(
    "|".join(["/wor" + "k/", "/ro" + "ot/", "/ho" + "me/", "/op" + "t/", "pyen" + "v"])
)
REGISTRY_TEXT = re.compile(
    "index" + r"-url|find" + r"-links|py" + r"pi\.org|download\.pyt" + "orch"
)


@cache
def tracked() -> tuple[str, ...]:
    """Names of the files in git; without git or a checkout, all but what tools leave behind."""
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    names = listing.stdout.decode().split("\0") if listing.returncode == 0 else _walked()
    return tuple(sorted(name for name in names if name and (ROOT / name).is_file()))


def _walked() -> list[str]:
    left_behind = re.compile(r"(^|/)(\.venv|\.git|__pycache__|\.\w+_cache|\.hypothesis|out|runs)/")
    names = (path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*"))
    return [name for name in names if not left_behind.search(name)]


def sources() -> list[str]:
    return [n for n in tracked() if n.endswith(".py") and n.split("/")[0] in PACKAGES]


def imports(name: str) -> set[str]:
    """Absolute module names that a source imports, wherever in it they stand."""
    found = set()
    package = name.split("/")[:-1]
    for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"), name)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            found.add(".".join([*base, *([node.module] if node.module else [])]))
    return found


def tops(name: str) -> set[str]:
    return {module.split(".")[0] for module in imports(name)}


def test_there_are_sources_to_check():
    assert {name.split("/")[0] for name in sources()} >= {"semcom_blocks", "models", "host"}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_go_one_way(folder):
    wrong = {n: tops(n) & FORBIDDEN[folder] for n in sources() if n.startswith(folder)}
    assert not {name: modules for name, modules in wrong.items() if modules}


def test_pure_core_needs_nothing_but_numpy_scipy_zmq_msgpack():
    pure = [n for n in sources() if n.startswith("semcom_blocks/") and not n.startswith(SHELLS)]
    wrong = {name: tops(name) - PURE_IMPORTS for name in pure}
    assert not {name: modules for name, modules in wrong.items() if modules}


def test_nothing_but_the_shells_imports_the_shells():
    shells = tuple(shell.rstrip("/").replace("/", ".") for shell in SHELLS)
    wrong = {
        name: bad
        for name in sources()
        if not name.startswith(SHELLS)
        if (bad := [m for m in imports(name) if f"{m}.".startswith(tuple(f"{s}." for s in shells))])
    }
    assert not wrong


def test_models_never_reach_into_the_wire():
    """A network sees arrays; what travels between processes is the host's business."""
    transport = {"zmq", "msgpack"}
    wrong = {n: tops(n) & transport for n in sources() if n.startswith("models/")}
    assert not {name: modules for name, modules in wrong.items() if modules}


def test_every_source_names_its_licence():
    kinds = (".py", ".sh", ".toml", ".lock", ".in", ".yml")
    scripts = ("semcom", "packages.debian", ".ci/run")
    named = [n for n in tracked() if n.endswith(kinds) or n in scripts]
    bare = []
    for name in named:
        start = (ROOT / name).read_text(encoding="utf-8").splitlines()[:3]
        if not any(SPDX in line for line in start):
            bare.append(name)
    assert not bare


def test_licence_is_the_whole_gpl():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("pattern", [MACHINE_TEXT, REGISTRY_TEXT], ids=["machine", "registry"])
def test_no_file_names_a_machine_or_a_registry(pattern):
    wrong = {}
    for name in tracked():
        text = (ROOT / name).read_bytes()
        if b"\0" in text:  # weights, pictures
            continue
        if found := pattern.search(text.decode("utf-8")):
            wrong[name] = found.group()
    assert not wrong


def test_only_programs_for_people_print():
    wrong = []
    for name in sources():
        if name.startswith(SPEAKING) or name.endswith(PROGRAM):
            continue
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"), name)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                wrong.append(f"{name}:{node.lineno}")
    assert not wrong


def test_nothing_unpickles():
    wrong = {n: tops(n) & {"pickle", "shelve", "dill", "joblib"} for n in sources()}
    assert not {name: modules for name, modules in wrong.items() if modules}


def test_every_locked_package_has_one_exact_version():
    rows = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pinned = re.compile(r"[a-z0-9._-]+==[0-9][0-9a-z.]*( ; python_version (<|>=|==) '3\.\d+')?")
    assert not [row for row in rows if not row.startswith("#") and not pinned.fullmatch(row)]


def test_lock_brings_no_cuda():
    rows = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert not [row for row in rows if row.startswith(("nvidia", "cuda", "triton", "torchvision"))]
    assert "torch==2.13.0" in rows


def test_every_requirement_is_locked():
    def names(path: str) -> set[str]:
        rows = (ROOT / path).read_text(encoding="utf-8").splitlines()
        return {re.split("[<>=]", row)[0] for row in rows if not row.startswith("#")}

    assert names("requirements.in") <= names("requirements.lock")


@pytest.mark.parametrize("script", ["semcom", ".ci/run"])
def test_scripts_can_be_executed_and_parsed(script):
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    shell = "bash" if script == ".ci/run" else "sh"
    subprocess.run([shell, "-n", str(path)], check=True)
