# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of the radios become records; what is absent becomes erasures."""

import math

import numpy as np
import pytest

from host.pipeline.records import FrameLog, ReceivedStream, Reception, Transmission
from semcom_blocks.errors import WireError
from semcom_blocks.wire import Message

DESCRIPTOR = {"c": "x", "w": 8, "h": 8, "r": 0, "s": 10, "n": 8}


def received(meta=None, arrays=None):
    base = {
        "job_id": 3,
        "prompt": "a cat",
        "delivered": True,
        "frames_received": 2,
        "frames_expected": 3,
        "streams": [{"stream_id": 0, "descriptor": DESCRIPTOR, "received": 4, "expected": 8}],
    }
    both = {
        "stream_0": np.ones(8, np.complex64),
        "noise_var_0": np.full(8, 0.1, np.float32),
    }
    return Message("received", {**base, **(meta or {})}, both if arrays is None else arrays)


def test_a_reception():
    reception = Reception.of(received())
    stream = reception.picture_stream()
    assert (reception.prompt, reception.frames_expected) == ("a cat", 3)
    assert stream.descriptor == DESCRIPTOR
    assert stream.erased == 0
    assert reception.constellation.size == 0


@pytest.mark.parametrize(
    ("meta", "arrays"),
    [
        ({"job_id": "3"}, None),
        ({"prompt": 5}, None),
        ({"delivered": None}, None),
        ({"streams": [{"stream_id": "0"}]}, None),
        ({"streams": [7]}, None),
        ({}, {}),
        ({}, {"stream_0": np.ones(8, np.float32), "noise_var_0": np.ones(8, np.float32)}),
    ],
)
def test_what_is_no_reception(meta, arrays):
    with pytest.raises(WireError):
        Reception.of(received(meta, arrays))


def test_a_lost_descriptor_is_none():
    streams = [{"stream_id": 0, "descriptor": {}, "received": 8, "expected": 8}]
    reception = Reception.of(received({"streams": streams, "prompt": None, "delivered": False}))
    assert reception.picture_stream().descriptor is None


def test_filling_marks_what_is_absent_or_broken_as_erased():
    symbols = np.array([1, 2, np.nan, 4, 5], np.complex64)
    noise_var = np.array([0.1, np.inf, 0.1, np.nan, -1], np.float32)
    filled = ReceivedStream(0, None, symbols, noise_var).filled(7)
    np.testing.assert_array_equal(filled.symbols, [1, 0, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(np.isinf(filled.noise_var), [False] + 6 * [True])
    assert filled.erased == 6
    assert len(ReceivedStream(0, None, symbols, noise_var).filled(2).symbols) == 2


def test_a_transmission_without_feedback_does_not_know():
    meta = {
        "job_id": 1,
        "delivered": None,
        "packets_sent": 3,
        "retransmissions": 2,
        "frames_sent": 9,
        "samples_sent": 100,
        "papr_db": 11.0,
        "power": 1.0,
        "error": None,
    }
    assert Transmission.of(Message("tx_done", meta)).delivered is None
    with pytest.raises(WireError):
        Transmission.of(Message("tx_done", {"job_id": 1}))


def test_frames_are_averaged_as_powers_and_medians():
    log = FrameLog()
    for snr_db, cfo_hz in ((10.0, 1.0), (20.0, 2.0), (math.nan, 900.0)):
        log.add(Message("frame", {"snr_db": snr_db, "cfo_hz": cfo_hz, "seq": 1}))
    log.add(Message("frame", {"snr_db": 99.0, "header_ok": False}))
    log.add(Message("frame", {"snr_db": 99.0, "end": True}))
    assert len(log) == 3
    assert log.bad_headers == 1
    assert log.mean_snr_db() == pytest.approx(10 * math.log10((10 + 100) / 2))
    assert log.median("cfo_hz") == 2.0
    assert math.isnan(log.mean_evm_db())
