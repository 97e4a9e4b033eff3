# SPDX-License-Identifier: GPL-3.0-or-later
"""``semcom doctor``: what is there, what is missing, and how to get it.

Runs before anything is set up, under any Python 3.8 or newer, so: the standard library
only, nothing of this repository imported. What is looked for stands in
``packages.debian`` and ``requirements.lock``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[1]
VENV = REPO_ROOT / ".venv"
RADIO_PYTHON = os.environ.get("SEMCOM_RADIO_PYTHON") or "/usr/bin/python3"
DEFAULT_PORTS = {  # of host.config.models.NetworkConfig; a test holds the two equal
    "host_port": 5570,
    "source_port": 5560,
    "sink_port": 5561,
    "feedback_port": 5562,
    "samples_port": 5563,
    "return_port": 5564,
    "picture_port": 5565,
}
PROBE_TIMEOUT_S = 60  # the first import of GNU Radio from a cold disk takes ten and more
MAX_SAFETENSORS_HEADER = 10**8  # bytes; the file format's own limit

SET_UP = "./semcom demo, or any command but doctor, sets up packages and environment"
SUDO = "" if os.geteuid() == 0 else "sudo "


@dataclass(frozen=True)
class Finding:
    """One row of the table. ``state``: ok, missing (must be mended), note (worth knowing)."""

    name: str
    state: str
    found: str
    remedy: str = ""


def call(command: list[str]) -> tuple[bool, str]:
    """Run ``command`` apart from the user's Python settings: success, and its last line."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment["PYTHONNOUSERSITE"] = "1"
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    return done.returncode == 0, lines[-1].strip() if lines else ""


def probe(how: str) -> tuple[bool, str]:
    """Whether what a package brings works: a program, a radio-side module, a GObject namespace."""
    kind, _, what = how.partition(":")
    if kind == "command":
        found = shutil.which(what)
        return found is not None, found or f"no program {what}"
    if kind == "gi":
        namespace, _, version = what.partition("-")
        code = f"import gi; gi.require_version({namespace!r}, {version!r})"
    else:
        code = f"import {what} as m; print(getattr(m, '__version__', ''))"
    if what == "gnuradio":
        code = "from gnuradio import gr; print(gr.version())"
    return call([RADIO_PYTHON, "-c", code])


def debian_version(package: str) -> str:
    """The installed version, or nothing where there is no dpkg or no such package."""
    if shutil.which("dpkg-query") is None:
        return ""
    known, line = call(["dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", package])
    return line.partition(" ")[2] if known and line.startswith("installed ") else ""


def check_package(row: str) -> Finding:
    """One row of ``packages.debian``: its package's version, and that what it brings works."""
    package, how, *_ = row.split()
    works, said = probe(how)
    version = debian_version(package)
    if works:
        return Finding(package, "ok", version or said or how)
    if version:
        found = f"{version}, but {how.partition(':')[2]} does not work: {said}"
        return Finding(package, "missing", found, f"{SUDO}apt-get install --reinstall {package}")
    if shutil.which("apt-get"):
        remedy = f"{SUDO}apt-get install --no-install-recommends {package}"
    else:
        remedy = f"what Debian calls {package}, by your system's means"
    return Finding(package, "missing", said or "not installed", remedy)


def check_packages() -> list[Finding]:
    """The radio side: everything that comes from the distribution."""
    lines = (REPO_ROOT / "packages.debian").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.strip() and not line.startswith("#")]
    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(check_package, rows))


def normalised(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def holds(marker: str, python: tuple[int, ...]) -> bool:
    """Whether a lock row's marker is true; the lock knows ``python_version`` only."""
    if not marker:
        return True
    match = re.fullmatch(r"python_version (<|>=|==) '3\.(\d+)'", marker)
    if match is None:
        raise ValueError(f"requirements.lock: marker {marker!r} is not understood")
    minor = int(match.group(2))
    return {"<": python[1] < minor, ">=": python[1] >= minor, "==": python[1] == minor}[
        match.group(1)
    ]


def locked(python: tuple[int, ...]) -> dict[str, str]:
    """Name -> version of every row of the lock that is meant for this Python."""
    wanted = {}
    for line in (REPO_ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        pin, _, marker = line.partition("#")[0].partition(";")
        if pin.strip() and holds(marker.strip(), python):
            name, _, version = pin.strip().partition("==")
            wanted[normalised(name)] = version
    return wanted


def check_venv() -> list[Finding]:
    """The host side: the virtual environment against the lock."""
    unfinished = not (VENV / "stamp").exists() or (VENV / "installing").exists()
    remedy = SET_UP if unfinished else f"rm -r {VENV}; then {SET_UP}"
    code = (
        "import importlib.metadata as m, json, sys; print(json.dumps([sys.version_info[:3],"
        "[(d.metadata['Name'], d.version) for d in m.distributions() if d.metadata['Name']]]))"
    )
    works, said = call([str(VENV / "bin" / "python"), "-c", code])
    if not works:
        return [Finding("host environment", "missing", said, remedy)]
    python, distributions = json.loads(said)
    installed = {normalised(name): version for name, version in distributions}
    wanted = locked(tuple(python))
    # A local label (torch 2.13.0+cpu) names a build, not another version.
    differing = [
        f"{name} {installed.get(name, 'absent')} for {version}"
        for name, version in sorted(wanted.items())
        if installed.get(name, "").partition("+")[0] != version
    ]
    of_python = "Python " + ".".join(map(str, python))
    if differing:
        shown = ", ".join(differing[:5]) + (" …" if len(differing) > 5 else "")
        found = f"{of_python}; {len(differing)} of {len(wanted)} differ from the lock: {shown}"
        return [Finding("host environment", "missing", found, remedy)]
    if unfinished:
        found = f"{of_python}; its set-up has not come to its end"
        return [Finding("host environment", "missing", found, SET_UP)]
    rows = [Finding("host environment", "ok", f"{of_python}; {len(wanted)} packages as locked")]
    cuda = any(name.startswith("nvidia-") for name in installed)
    build = "with CUDA" if cuda or "+cu1" in installed["torch"] else "for the CPU"
    rows.append(Finding("torch", "ok", f"{installed['torch']}, built {build}"))
    return rows


def check_weights() -> list[Finding]:
    """The networks' weights that ship with the repository, each with its model card."""
    folder = REPO_ROOT / "models" / "weights"
    remedy = "git checkout -- models/weights, or train: ./semcom train jscc --help"
    rows = []
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:  # 8 bytes of header length, little endian, then JSON
            length = int.from_bytes(file.read(8), "little")
            header = file.read(min(length, MAX_SAFETENSORS_HEADER))
        try:
            data = max(v["data_offsets"][1] for k, v in json.loads(header).items() if k[:2] != "__")
            whole = path.stat().st_size == 8 + length + data
        except (ValueError, KeyError, TypeError, AttributeError):
            whole = False
        size = f"{path.stat().st_size / 2**20:.1f} MiB"
        if not whole:
            rows.append(Finding(path.name, "missing", f"{size}, damaged or cut short", remedy))
        elif not path.with_suffix(".card.md").exists():
            rows.append(Finding(path.name, "missing", f"{size}, but no model card", remedy))
        else:
            rows.append(Finding(path.name, "ok", size))
    return rows or [Finding("weights", "missing", f"no .safetensors in {folder}", remedy)]


def check_ports() -> list[Finding]:
    """Whether the ports that commands take by default can be bound on loopback."""
    taken = []
    for name, port in DEFAULT_PORTS.items():
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError as error:
                taken.append(f"{name} {port} ({error.strerror})")
    if taken:
        remedy = "if that is not a running semcom: stop it, or name another port"
        return [Finding("ports", "note", "taken: " + ", ".join(taken), remedy)]
    return [Finding("ports", "ok", "free: " + ", ".join(map(str, DEFAULT_PORTS.values())))]


def examine() -> list[Finding]:
    """Every row, in the order of the set-up."""
    return [*check_packages(), *check_venv(), *check_weights(), *check_ports()]


def table(findings: list[Finding]) -> str:
    """Findings for people: state, name, what was found, and a line on how to get it."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:<8}{finding.name:<{width}}  {finding.found}")
        if finding.remedy:
            lines.append(f"{'':<{width + 8}}  get it: {finding.remedy}")
    missing = sum(finding.state == "missing" for finding in findings)
    lines.append(f"{missing} of {len(findings)} missing; {SET_UP}" if missing else "all there")
    return "\n".join(lines)


def main() -> int:
    """Print the table or JSON; 0 when all is there, else 1."""
    parser = argparse.ArgumentParser(
        prog="semcom doctor",
        description="Say what is there, what is missing, and how to get it. Changes nothing.",
        epilog="exit codes: 0 all is there, 1 something is missing",
    )
    parser.add_argument("--json", action="store_true", help="the same for programs (default: text)")
    arguments = parser.parse_args()
    findings = examine()
    complete = all(finding.state != "missing" for finding in findings)
    if arguments.json:
        rows = [asdict(finding) for finding in findings]
        print(json.dumps({"complete": complete, "findings": rows}, indent=2))
    else:
        print(table(findings))
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
