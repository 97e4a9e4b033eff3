# SPDX-License-Identifier: GPL-3.0-or-later
import contextlib
import errno

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from semcom_blocks.air.pluto.protocol import (
    Command,
    Malformed,
    Target,
    integer,
    parse,
    text_answer,
)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"PRINT", Command("PRINT")),
        (b"version", Command("VERSION")),
        (b"QUIT", Command("EXIT")),
        (b"TIMEOUT 2500", Command("TIMEOUT", count=2500)),
        (b"READ d xo", Command("READ", target=Target("d", "device", "xo"))),
        (
            b"READ d INPUT voltage0 rssi",
            Command("READ", target=Target("d", "channel", "rssi", "voltage0", False)),
        ),
        (
            b"WRITE d OUTPUT altvoltage0 frequency 11",
            Command(
                "WRITE", count=11, target=Target("d", "channel", "frequency", "altvoltage0", True)
            ),
        ),
        (b"READ d DEBUG loopback", Command("READ", target=Target("d", "debug", "loopback"))),
        (
            b"WRITE d BUFFER watermark 5",
            Command("WRITE", count=5, target=Target("d", "buffer", "watermark")),
        ),
        (b"OPEN d 1024 00000003", Command("OPEN", "d", 1024, mask=3)),
        (b"OPEN d 8 00000001 CYCLIC", Command("OPEN", "d", 8, mask=1, cyclic=True)),
        (b"READBUF d 4096", Command("READBUF", "d", 4096)),
        (b"SET d BUFFERS_COUNT 8", Command("SET", "d", 8)),
        (b"SETTRIG d", Command("SETTRIG", "d")),
    ],
)
def test_what_clients_send(line, command):
    assert parse(line) == command


@pytest.mark.parametrize(
    "line",
    [
        b"ZPRINT",  # newer clients try these first
        b"BINARY",
        b"PRINT all",
        b"READ d",
        b"READ d SIDEWAYS voltage0 rssi",
        b"WRITE d xo",
        b"WRITE d xo -1",
        b"OPEN d 1024 3",
        b"OPEN d 1024 0000000g",
        b"OPEN d 1e3 00000003",
        b"OPEN d 1024 00000003 ACYCLIC",
        b"READBUF d 4294967296",
        "READBUF d ٤٠٩٦".encode(),  # digits, but not these
        b"TIMEOUT 99999999999999999999",
        b"SET d SPEED 9",
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_command(line):
    with pytest.raises(Malformed) as caught:
        parse(line)
    assert caught.value.errno == errno.EINVAL


@given(st.binary(max_size=300))
@example(b"")
@example(b"\x1c")  # white space to some functions and not to others
def test_any_bytes_are_a_command_or_malformed(line):
    with contextlib.suppress(Malformed):
        assert isinstance(parse(line), Command)


def test_answers_as_the_client_reads_them():
    assert integer(-22) == b"-22\n"
    # The length counts the zero byte, the newline behind it not.
    assert text_answer("40000000") == b"9\n40000000\0\n"
