# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of the virtual air: what drivers tell, and verdicts."""

import io

import pytest
from rich.console import Console

from host.bench.air import CASES, benchmark_rate_told, table
from semcom_blocks.errors import PeerError

SUMMARY = """
Benchmark rate summary:
  Num received samples:     12000312
  Num dropped samples:      {dropped}
  Num overruns detected:    {overruns}
  Num transmitted samples:  12050856
  Num sequence errors (Tx): 0
  Num sequence errors (Rx): 1
  Num underruns detected:   2
  Num late commands:        0
  Num timeouts (Tx):        0
  Num timeouts (Rx):        4
"""


def test_summary_of_uhd_is_read():
    told = benchmark_rate_told(SUMMARY.format(dropped=100, overruns=3), 6)
    assert told["rx"] == pytest.approx(2.000052)
    assert told["tx"] == pytest.approx(2.008476)
    assert told["lost"] == 100 + 3 + 1 + 2 + 4


def test_no_summary_is_an_error():
    with pytest.raises(PeerError, match="no figures"):
        benchmark_rate_told("Error: no device", 6)


def test_table_says_what_is_met():
    row = {"msps": 11.0, "lost": 0, "air_ns_per_sample": 70.0, "air_cpu_share": 0.9}
    rows = [
        row | {"name": "fast", "target_msps": 10.0, "met": True},
        row | {"name": "lossy", "target_msps": 10.0, "met": False, "lost": 3},
    ]
    text = io.StringIO()
    Console(file=text, width=120).print(table(rows))
    fast, lossy = (
        line for line in text.getvalue().splitlines() if "fast" in line or "lossy" in line
    )
    assert "met" in fast
    assert "MISSED" in lossy


def test_both_kinds_and_both_clocks_are_measured():
    assert {case.kind for case in CASES} == {"pluto", "usrp"}
    assert {case.clock for case in CASES} == {"virtual", "real"}
    assert all(case.target_msps <= case.rate_hz / 1e6 for case in CASES)
