# SPDX-License-Identifier: GPL-3.0-or-later
"""A job at the sender: what is refused, and what the report counts."""

import math

import numpy as np
import pytest

from semcom_blocks.errors import ConfigError
from semcom_blocks.link.assembler import MAX_JOB_SYMBOLS
from semcom_blocks.link.message import MAX_STREAMS
from semcom_blocks.link.transmission import Transmission
from semcom_blocks.phy.numerology import Numerology

SYMBOLS = np.array([1, -1j, 0.5 + 0.5j], np.complex64)
META = {
    "job_id": 7,
    "prompt": "a cat",
    "streams": [{"stream_id": 2, "descriptor": {"c": "x", "n": 3}}],
}
ARRAYS = {"stream_2": SYMBOLS}


def stream(**changes):
    return {"streams": [META["streams"][0] | changes]}


def test_a_good_request_is_taken_as_it_is():
    job = Transmission.from_request(META, ARRAYS)
    assert (job.job_id, job.prompt) == (7, "a cat")
    assert job.descriptors == ((2, {"c": "x", "n": 3}),)
    assert np.array_equal(job.streams[2], SYMBOLS)


def test_a_prompt_needs_no_streams():
    job = Transmission.from_request({"job_id": 0, "prompt": ""}, {})
    assert (job.job_id, job.descriptors, job.streams) == (0, (), {})


def test_the_descriptor_gets_the_length_of_its_stream():
    """By it the receiver knows what lacks at the end, and in which order symbols were sent."""
    job = Transmission.from_request(META | stream(descriptor={"c": "y"}), ARRAYS)
    assert job.descriptors == ((2, {"c": "y", "n": 3}),)


def test_the_descriptor_gets_the_order_of_its_stream_unless_it_has_one():
    """The golden section needs no word: so it was before there was a choice."""
    plain, own = META | stream(descriptor={}), META | stream(descriptor={"i": 1})
    job = Transmission.from_request(plain, ARRAYS, interleaver="random")
    assert job.descriptors == ((2, {"i": 2, "n": 3}),)
    assert Transmission.from_request(plain, ARRAYS).descriptors == ((2, {"n": 3}),)
    job = Transmission.from_request(own, ARRAYS, interleaver="random")
    assert job.descriptors == ((2, {"i": 1, "n": 3}),)
    with pytest.raises(ConfigError, match="interleaver i of a descriptor is 9, permitted: 0 to 2"):
        Transmission.from_request(META | stream(descriptor={"i": 9}), ARRAYS)


@pytest.mark.parametrize("value", [-1, 65_536, 1.0, "1", None, True, [1], float("nan"), 2**80])
def test_job_numbers_out_of_range(value):
    with pytest.raises(ConfigError, match=r"job_id is .*permitted: 0 to 65535"):
        Transmission.from_request(META | {"job_id": value}, ARRAYS)


@pytest.mark.parametrize("value", [None, 5, b"bytes", ["text"], {}])
def test_prompts_that_are_no_text(value):
    with pytest.raises(ConfigError, match=r"prompt is .*permitted: text"):
        Transmission.from_request(META | {"prompt": value}, ARRAYS)


@pytest.mark.parametrize(
    "streams", ["x", 5, {"stream_id": 2}, None, [5], ["x"], [None], META["streams"] * 17]
)
def test_streams_that_are_no_list_of_tables(streams):
    with pytest.raises(ConfigError, match="stream"):
        Transmission.from_request(META | {"streams": streams}, ARRAYS)


@pytest.mark.parametrize("value", [-1, 256, 2.0, "2", None, False])
def test_stream_numbers_out_of_range(value):
    with pytest.raises(ConfigError, match=r"stream_id is .*permitted: 0 to 255"):
        Transmission.from_request(META | stream(stream_id=value), ARRAYS)


def test_the_same_stream_twice():
    with pytest.raises(ConfigError, match="stream_id 2 is there twice"):
        Transmission.from_request(META | {"streams": META["streams"] * 2}, ARRAYS)


@pytest.mark.parametrize("value", [None, "x", 5, [["c", "x"]]])
def test_descriptors_that_are_no_table(value):
    with pytest.raises(ConfigError, match=r"descriptor 2 is .*permitted: a table"):
        Transmission.from_request(META | stream(descriptor=value), ARRAYS)


@pytest.mark.parametrize("value", [2, 4, 0, -3, None, "3", [3], 2**70])
def test_a_descriptor_that_claims_another_length(value):
    with pytest.raises(ConfigError, match=r"n of descriptor 2 .*permitted: 3"):
        Transmission.from_request(META | stream(descriptor={"n": value}), ARRAYS)


@pytest.mark.parametrize(
    "symbols",
    [
        SYMBOLS.astype(np.complex128),
        SYMBOLS.real.copy(),
        SYMBOLS.view(np.uint8),
        SYMBOLS.reshape(3, 1),
        SYMBOLS[:0],
        SYMBOLS[0],
    ],
    ids=["c16", "f4", "u1", "shape", "empty", "scalar"],
)
def test_symbols_of_another_kind(symbols):
    with pytest.raises(ConfigError, match=r"stream_2 is .*permitted: complex64 \(n,\)"):
        Transmission.from_request(META, {"stream_2": symbols})


@pytest.mark.parametrize("value", [math.nan, math.inf, complex(0, -math.inf), 1e30, -1001, 1002j])
def test_symbols_that_no_radio_sends(value):
    symbols = SYMBOLS.copy()
    symbols[1] = value
    with pytest.raises(ConfigError, match="stream_2 has a value of"):
        Transmission.from_request(META, {"stream_2": symbols})


def test_symbols_that_are_missing():
    with pytest.raises(ConfigError, match="stream_2 is missing"):
        Transmission.from_request(META, {"stream_3": SYMBOLS})


def test_more_symbols_than_a_receiver_keeps():
    n = MAX_JOB_SYMBOLS // 2 + 1
    streams = [{"stream_id": number, "descriptor": {}} for number in (1, 2)]
    arrays = {f"stream_{number}": np.zeros(n, np.complex64) for number in (1, 2)}
    with pytest.raises(ConfigError, match=f"{MAX_JOB_SYMBOLS} symbols in all"):
        Transmission.from_request(META | {"streams": streams}, arrays)


def test_as_many_streams_as_a_message_names():
    streams = [{"stream_id": number, "descriptor": {}} for number in range(MAX_STREAMS)]
    arrays = {f"stream_{number}": SYMBOLS for number in range(MAX_STREAMS)}
    job = Transmission.from_request(META | {"streams": streams}, arrays)
    assert len(job.streams) == MAX_STREAMS


PROMPT = {"stream_id": None, "carriers": 12, "power": 0.25, "bits_per_symbol": 2}
BAND = {"stream_id": 2, "carriers": 36, "power": 0.75, "bits_per_symbol": 4}

FAINT, OTHER = PROMPT | {"power": 0.1}, BAND | {"stream_id": 5, "power": 0.1, "carriers": 6}


def test_bands_are_taken_as_they_are():
    job = Transmission.from_request(META | {"bands": [PROMPT, BAND]}, ARRAYS)
    assert job.bands is not None and job.bands.to_list() == [PROMPT, BAND]
    assert Transmission.from_request(META, ARRAYS).bands is None
    assert Transmission.from_request(META | {"bands": None}, ARRAYS).bands is None
    alone = {"job_id": 7, "prompt": "a cat", "bands": [PROMPT]}
    assert Transmission.from_request(alone, {}).bands.carriers == (12,)


@pytest.mark.parametrize(
    ("bands", "text"),
    [
        ("all", "bands are str, permitted: a list of tables"),
        ([], "0 bands, permitted: 1 to 17"),
        ([BAND], "the first band is that of stream 2"),
        ([PROMPT], "stream 2 has no band, permitted: one for each stream"),
        ([FAINT, BAND, OTHER | {"carriers": 36}], "84 carriers in all"),
        ([PROMPT, BAND, OTHER], "power of the bands is 1.1 in all"),
        (
            [FAINT, BAND | {"carriers": 30}, OTHER],
            "a band is that of stream 5, permitted: a stream",
        ),
        ([PROMPT, BAND | {"power": 0.76}], r"power of the bands is 1\.0"),
        ([PROMPT, BAND | {"power": -0.1}], r"power of the band of 2 is -0\.1"),
        ([PROMPT, BAND | {"carriers": 37}], "49 carriers in all, permitted: up to 48"),
        ([PROMPT, BAND | {"bits_per_symbol": 5}], "bits_per_symbol of the band of 2 is 5"),
        ([PROMPT | {"carriers": 1}, BAND], "prompt's band is 1, permitted: 2 to 48"),
    ],
)
def test_bad_bands_are_named(bands, text):
    with pytest.raises(ConfigError, match=text) as refused:
        Transmission.from_request(META | {"bands": bands}, ARRAYS)
    assert "\n" not in str(refused.value)


def test_bands_fit_the_numerology_at_hand():
    wide = [PROMPT, BAND | {"carriers": 80}]
    num = Numerology(128, 32, 104, 8)
    assert Transmission.from_request(META | {"bands": wide}, ARRAYS, num).bands is not None
    with pytest.raises(ConfigError, match="92 carriers in all, permitted: up to 48"):
        Transmission.from_request(META | {"bands": wide}, ARRAYS)


class TestReport:
    @pytest.fixture
    def job(self):
        return Transmission.from_request(META, ARRAYS)

    def test_at_first_nothing_is_known(self, job):
        assert job.report() == {
            "job_id": 7,
            "delivered": None,
            "packets_sent": 0,
            "retransmissions": 0,
            "frames_sent": 0,
            "frames_total": 0,
            "samples_sent": 0,
            "papr_db": 0.0,
            "power": 0.0,
            "error": None,
            "round_trip_s": None,
            "band_snr_db": [],
        }
        assert not job.done

    def test_a_job_that_was_delivered(self, job):
        job.on_status({"job_id": 7, "frames_total": 2})
        for samples, power, papr_db in ((1000, 1.0, 8.0), (3000, 2.0, 9.5)):
            job.on_status({"frame_samples": samples, "power": power, "papr_db": papr_db})
        assert job.report()["frames_sent"] == 2
        done = {"arq": "delivered", "packets_sent": 4, "retransmissions": 1, "round_trip_s": 0.05}
        job.on_status(done)
        assert not job.done
        closing = {"frame_samples": 1000, "power": 1.0, "papr_db": 7.0, "end": True}
        for _ in range(3):
            job.on_status(closing)
        job.on_status({"job_end": True})
        assert job.done
        report = job.report()
        assert (report["delivered"], report["error"]) == (True, None)
        assert (report["packets_sent"], report["retransmissions"]) == (4, 1)
        assert report["round_trip_s"] == 0.05
        # Frames that close a job are on the air, but carry nothing.
        assert (report["frames_sent"], report["frames_total"]) == (2, 2)
        assert report["samples_sent"] == 7000
        assert report["power"] == pytest.approx((1000 + 2 * 3000 + 3 * 1000) / 7000)
        assert report["papr_db"] == 9.5

    def test_a_job_that_was_given_up(self, job):
        failed = {"arq": "failed", "packets_sent": 9, "retransmissions": 8, "error": "no acks"}
        job.on_status(failed)
        job.on_status({"job_end": True})
        assert (job.report()["delivered"], job.report()["error"]) == (False, "no acks")

    def test_without_feedback_nobody_knows(self, job):
        job.on_status({"arq": "sent", "packets_sent": 3, "retransmissions": 2})
        job.on_status({"job_end": True})
        assert (job.report()["delivered"], job.report()["error"]) == (None, None)

    def test_retransmissions_add_frames_beyond_the_total(self, job):
        job.on_status({"frames_total": 1})
        for _ in range(3):
            job.on_status({"frame_samples": 10, "power": 1.0, "papr_db": 5.0})
        assert job.report()["frames_total"] == 3

    def test_the_last_that_was_told_of_the_bands(self, job):
        for told in ([10.0, 5.0], [11.0, 4.75]):
            job.on_status({"job_id": 7, "band_snr_db": told})
            assert job.report()["band_snr_db"] == told
        assert not job.done
