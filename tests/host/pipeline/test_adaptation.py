# SPDX-License-Identifier: GPL-3.0-or-later
"""From what frames told to what is sent: plans of a run's streams, sounding included."""

import numpy as np
import pytest

from host.config import load_run
from host.pipeline.adaptation import adapt, controller_of, need_of, numerology_of, sound
from host.pipeline.bit_stream import from_symbols, to_symbols
from host.pipeline.records import STREAM_EDGES, FrameLog
from host.pipeline.semantics import Semantics, SentStream
from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.bands import BandTable
from semcom_blocks.wire import Message

BITS = np.random.default_rng(1).integers(0, 2, 999, dtype=np.uint8)


def semantics(prompt: str = "a red circle above a blue square") -> Semantics:
    symbols = to_symbols(BITS, 2)
    about = {"c": "edge-codec-v1", "w": 64, "h": 64, "m": 2, "b": len(BITS), "n": len(symbols)}
    return Semantics(prompt, {STREAM_EDGES: SentStream("edges", symbols, about, BITS)})


def run_with(**allocation):
    return load_run(None, {"allocation": {"adapt": True, **allocation}})


def heard(run, snr_db: float) -> list[np.ndarray]:
    return [np.full(run.numerology.n_used, 10 ** (snr_db / 10))]


def test_good_channel_sends_both_in_bands_of_their_own() -> None:
    run = run_with()
    found = adapt(controller_of(run), run, semantics(), heard(run, 20.0))
    BandTable.from_list(found.bands).check(numerology_of(run))
    stream = found.sent.streams[STREAM_EDGES]
    per_symbol = found.bands[1]["bits_per_symbol"]
    assert stream.descriptor["m"] == per_symbol and stream.descriptor["n"] == len(stream.symbols)
    noise_var = np.full(len(stream.symbols), 1e-6, np.float32)
    np.testing.assert_array_equal(
        from_symbols(stream.symbols, noise_var, per_symbol, len(BITS)), BITS
    )
    assert found.frames_heard == 1 and found.plan.known


def test_bad_channel_sends_the_prompt_alone() -> None:
    run = run_with(edge_ber=1e-6)
    found = adapt(controller_of(run), run, semantics(), heard(run, 3.0))
    assert found.sent.streams == {} and len(found.bands) == 1
    assert (
        "dB more" in found.plan.refused[STREAM_EDGES] or "sends" in found.plan.refused[STREAM_EDGES]
    )


def test_fixed_modulation_is_kept() -> None:
    run = run_with(edge_order=16)
    for snr_db in (15.0, 35.0):
        found = adapt(controller_of(run), run, semantics(), heard(run, snr_db))
        assert found.bands[1]["bits_per_symbol"] == 4


def test_nothing_heard_gives_a_careful_plan() -> None:
    run = run_with()
    found = adapt(controller_of(run), run, semantics())
    assert not found.plan.known and found.bands


def test_packets_are_counted_as_the_link_cuts_them() -> None:
    run = run_with()
    assert len(need_of(run, semantics()).packet_bytes) == 1
    words = " ".join(str(n * n * 7919) for n in range(200))
    assert len(need_of(run, semantics(words)).packet_bytes) > 2


def test_frames_tell_the_snr_of_carriers_and_bands() -> None:
    log = FrameLog()
    channel = np.full(52, 2.0 + 0j, np.complex64)
    meta = {"snr_db": 16.0, "noise_var": 0.1, "seq": 0, "band_snr_db": [16.0, 15.5]}
    log.add(Message("frame", meta, {"channel": channel}))
    log.add(Message("frame", {"noise_var": 0.1, "end": True}, {"channel": channel}))
    log.add(Message("frame", {"noise_var": float("nan")}, {"channel": channel}))
    assert log.band_snr_db == [[16.0, 15.5]]
    assert [snr[0] for snr in log.carrier_snr] == pytest.approx([40.0, 40.0])
    told = sound(
        3, lambda exchange: exchange.frames.add(Message("frame", meta, {"channel": channel}))
    )
    assert len(told) == 1


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"edge_ber": 0.5}, "1e-07 to 0.1"),
        ({"edge_order": 8}, "0, 2, 4, 16, 64, 256"),
        ({"margin_db": -1.0}, "0 to 20"),
    ],
)
def test_bad_values_are_named(values, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        run_with(**values)
