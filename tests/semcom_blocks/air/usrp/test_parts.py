# SPDX-License-Identifier: GPL-3.0-or-later
"""Claim, time, chip, registers, discovery, versions, faults: the small parts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom_blocks.air.usrp import discovery, registers, transceiver, versions
from semcom_blocks.air.usrp.claim import Claim
from semcom_blocks.air.usrp.faults import POWER_CYCLE_S, Faults
from semcom_blocks.air.usrp.registers import RadioRegisters
from semcom_blocks.air.usrp.timekeeper import Timekeeper, difference
from semcom_blocks.errors import ConfigError, RadioError


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_claim_stands_while_it_is_shown():
    clock = Clock()
    claim = Claim(clock, lapse_s=5.0)
    token = claim.take()
    assert len(token) == 16
    for clock.now in (4.0, 8.0, 12.0):
        assert claim.show(token)
    with pytest.raises(RadioError, match="Double-claim"):
        claim.take()
    clock.now = 17.0
    assert claim.lapsed() and not claim.show(token)
    assert claim.take() != token


def test_a_strange_token_keeps_nothing_alive():
    clock = Clock()
    claim = Claim(clock)
    claim.take()
    for wrong in ("", "x" * 16, None, 7, ["a"]):
        assert not claim.show(wrong)
    claim.release()
    assert not claim.held() and not claim.show("")


def test_time_is_set_now_or_at_the_edge():
    at = Clock()
    at.now = 1_500
    clock = Timekeeper(at, lambda: 1000.0)
    assert (clock.now(), clock.last_pps()) == (1500, 1000)
    clock.set(77, False)
    assert clock.now() == 77
    clock.set(5000, True)
    at.now = 1_999
    assert clock.now() == 77 + 499
    at.now = 2_010
    assert (clock.now(), clock.last_pps()) == (5010, 5000)


@given(st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1))
def test_differences_of_times_wrap(a, step):
    assert difference((a + step) % 2**64, a) == step


@given(st.floats(47e6, 6e9))
def test_carriers_are_what_the_synthesiser_makes(wanted_hz):
    made_hz = transceiver.carrier("TX", wanted_hz)
    assert abs(made_hz - wanted_hz) < 5.0
    assert transceiver.carrier("TX", made_hz) == pytest.approx(made_hz, abs=1e-3)


def test_settings_end_where_the_chip_ends():
    assert transceiver.carrier("RX", 1.0) == pytest.approx(70e6, abs=5)
    assert transceiver.carrier("TX", 1e12) == pytest.approx(6e9, abs=5)
    assert transceiver.gain("TX", 33.3) == 33.25
    assert (transceiver.gain("RX", 33.3), transceiver.gain("RX", 1e9)) == (33.0, 76.0)
    assert transceiver.gain("RX", math.nan) == 0.0
    assert transceiver.port_gain_db("TX", 89.75) == 0.0
    assert transceiver.port_gain_db("TX", 0.0) == -89.75
    assert transceiver.bandwidth(1.0) == 200e3
    for rate_hz in (100e3, 100e6, math.nan):
        with pytest.raises(ConfigError, match=r"master clock rate is .*, permitted: 220000"):
            transceiver.clock_rate(rate_hz)


def test_core_registers_describe_two_channels_wired_straight():
    assert registers.peek_core(0x04) & 0x3FF == 2
    wires = [registers.peek_core(0x10004 + 4 * i) for i in range(registers.peek_core(0x10000))]
    ends = {(w >> 22, w >> 16 & 63, w >> 6 & 0x3FF, w & 63) for w in wires}
    assert ends == {(1, 0, 3, 0), (2, 0, 3, 1), (3, 0, 1, 0), (3, 1, 2, 0)}
    assert registers.peek_core(0x10004 + 4 * 100) == 0


def test_radio_registers_of_both_channels():
    commands = []
    radio = RadioRegisters(lambda *command: commands.append(command), lambda: 0x1_0000_0002)
    for channel in (0, 1):
        base = 0x1000 + 0x80 * channel
        for register, value in ((0x18, 500 + channel), (0x20, 7), (0x24, 1)):
            radio.poke(base + register, value)
        radio.poke(base + 0x14, registers.RX_FINITE | registers.RX_TIMED)
        radio.poke(base + 0x14, registers.RX_CONTINUOUS)
    assert commands == [
        (0, 1, 500, 1 << 32 | 7),
        (0, 2, 500, None),
        (1, 1, 501, 1 << 32 | 7),
        (1, 2, 501, None),
    ]
    assert (radio.peek(0x04), radio.peek(0x08)) == (2, 1)
    radio.poke(0x1040, 0x1234)
    assert radio.peek(0x103C) == 0x1234  # the driver's self test
    for outside in (0, 0xFFF, 0x1100, 0xFFFFF):
        radio.poke(outside, 1)
    assert radio.peek(0x1100) == 0


def test_discovery_answers_two_questions_only():
    info = dict.fromkeys(discovery.SHOWN, "x")
    assert discovery.answer(b"MPM-DISC\0", info).startswith(b"USRP-MPM;type=x;product=x")
    assert discovery.answer(b"MPM-ECHO;1234##", info) == b"MPM-ECHO;1234##"
    for other in (b"", b"MPM-DISCO", b"\0" * 100, b"MPM-ECHO" + bytes(9000)):
        assert discovery.answer(other, info) is None


def test_versions_that_are_known():
    assert versions.compatibility("4.3") == (4, 2)
    with pytest.raises(ConfigError, match=r"UHD version is '3.15', permitted: 4.3"):
        versions.compatibility("3.15")


def test_faults_begin_and_end():
    clock = Clock()
    faults = Faults(clock)
    faults.begin("drop", 2.0)
    faults.begin("unplug", 0.0)
    clock.now = 1.9
    assert faults.active("drop") and faults.active("unplug")
    clock.now = 1000.0
    assert not faults.active("drop") and faults.active("unplug")
    faults.begin("reconnect", 0.0)
    assert not faults.active("unplug")
    faults.begin("reconnect", 0.0)
    assert faults.active("unplug")
    clock.now += POWER_CYCLE_S
    assert not faults.active("unplug")


@pytest.mark.parametrize(("kind", "seconds"), [("fire", 1.0), ("drop", -1.0), ("drop", math.nan)])
def test_faults_that_are_none(kind, seconds):
    with pytest.raises(ConfigError, match="permitted"):
        Faults(Clock()).begin(kind, seconds)
