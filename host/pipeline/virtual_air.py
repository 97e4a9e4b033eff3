# SPDX-License-Identifier: GPL-3.0-or-later
"""The two virtual radios of ``./semcom demo --radio pluto|usrp``, and the air between them.

The path's gain is what gives the Es/N0 that was asked for.  With the transmitter's drive D
(mean power below full scale), attenuation A, the levels of ``semcom_blocks.air.frontend`` and
E = fft_size / n_used, the energy of a symbol at unit signal power:

    P_tx = 7 dBm + D - A        N = -174 dBm/Hz + 10 log10(rate) + noise figure
    Es/N0 = P_tx + path - N + 10 log10(E)

less the converter's noise, which the receive gain keeps far below the signal.
"""

from __future__ import annotations

import math
import random
import socket
from typing import Any

from host.config import RunConfig
from host.config.air import AirSettings, check_air
from host.config.models import RADIO_PLUTO, ChannelConfig
from semcom_blocks.air.config import DeviceConfig
from semcom_blocks.air.frontend import (
    RX_FULL_SCALE_DBM,
    THERMAL_DBM_PER_HZ,
    TX_FULL_SCALE_DBM,
)
from semcom_blocks.errors import ConfigError
from semcom_blocks.phy.numerology import Numerology

# The radios burn no more of the machine than twice real time takes: the codec needs it too.
SPEED = 2.0
# Addresses of their own, since a USRP's ports are fixed: 127.64.0.0/10.
ADDRESS_TRIES = 20
PORTS = {"pluto": (30431,), "usrp": (49601,)}
# Transmit gain as the driver counts it, and what that is below the largest.
TX_GAIN_DB = {"pluto": (-10.0, 10.0), "usrp": (70.0, 19.75)}
RX_GAIN_RANGE_DB = {"pluto": (0.0, 71.0), "usrp": (0.0, 76.0)}
# Packets of 2000 samples that UHD lends the device: by default a second's worth, which would all
# have to be worked off before an acknowledgement where the receiver is slower than the air.
USRP_FRAMES = 32
# Mean received power: below full scale by the peaks of OFDM and some fading.
RX_LEVEL_DBFS = -15.0
# Noise of a 12-bit converter, both branches together.
CONVERTER_DBFS = -74.0
# Channel settings that crystals, mixers and converters of the virtual radios stand for.
OWN = ("cfo_hz", "sro_ppm", "phase_noise_hz", "dc_offset_db", "adc_bits", "hold_power")
# How fast a fading path changes: a walking pace at 2.45 GHz is ten times as fast, and takes
# the mean out of a single picture.
DOPPLER_HZ = 2.0


def _free_address(kind: str, taken: list[str]) -> str:
    """A loopback address on which the device's ports are free."""
    draw = random.SystemRandom()
    for _ in range(ADDRESS_TRIES):
        address = f"127.{draw.randint(64, 126)}.{draw.randint(0, 255)}.{draw.randint(1, 254)}"
        try:
            for port in PORTS[kind]:
                with socket.socket() as probe:
                    probe.bind((address, port))
        except OSError:
            continue
        if address not in taken:
            return address
    raise ConfigError(f"no loopback address is free for a virtual {kind}")


def levels(run: RunConfig, kind: str) -> tuple[float, float, float]:
    """(transmit gain as the driver counts it, path gain in dB, receive gain in dB)."""
    num = Numerology(**run.numerology.model_dump(), sample_rate_hz=run.radio.sample_rate_hz)
    default_db, below_db = TX_GAIN_DB[kind]
    tx_gain_db = default_db if run.radio.tx_gain_db is None else run.radio.tx_gain_db
    attenuation_db = below_db + default_db - tx_gain_db
    power_db = run.radio.drive_dbfs + 10 * math.log10(run.level.power)
    sent_dbm = TX_FULL_SCALE_DBM + power_db - attenuation_db
    noise_dbm = (
        THERMAL_DBM_PER_HZ + 10 * math.log10(num.sample_rate_hz) + DeviceConfig.noise_figure_db
    )
    wanted = 10 ** (run.channel.snr_db / 10) / num.symbol_energy  # of a sample
    converter = 10 ** ((CONVERTER_DBFS - RX_LEVEL_DBFS) / 10)
    # What the converter adds must be made good by the path, as far as that goes.
    thermal = max(1 / wanted - converter, 0.1 / wanted)
    received_dbm = noise_dbm - 10 * math.log10(thermal)
    if run.channel.model == "none":
        received_dbm = noise_dbm + 40.0
    low, high = RX_GAIN_RANGE_DB[kind]
    total_dbm = 10 * math.log10(10 ** (received_dbm / 10) + 10 ** (noise_dbm / 10))
    gain_db = min(max(round(RX_FULL_SCALE_DBM + RX_LEVEL_DBFS - total_dbm), low), high)
    if run.radio.rx_gain_db is not None:
        gain_db = run.radio.rx_gain_db
    return tx_gain_db, received_dbm - sent_dbm, float(gain_db)


def _path(run: RunConfig, gain_db: float) -> dict[str, Any]:
    """Gain and fading of one way."""
    path: dict[str, Any] = {"gain_db": round(gain_db, 3)}
    if run.channel.model in ("rayleigh", "multipath"):
        path |= {"fading": "rayleigh", "doppler_hz": DOPPLER_HZ}
    if run.channel.model == "multipath":
        step_s = 1 / run.radio.sample_rate_hz
        spread_s = max(run.channel.delay_spread_s, step_s / 10)
        powers = [math.exp(-k * step_s / spread_s) for k in range(64)]
        total = sum(powers)
        path["taps"] = [[math.sqrt(p / total), 0.0] for p in powers if p / total > 1e-4]
    return path


def air_tables(run: RunConfig, kind: str, addresses: list[str]) -> dict[str, Any]:
    """The air for ``run``: radio "a" sends, "b" receives."""
    _, gain_db, _ = levels(run, kind)
    mixers = {"iq_gain_db": run.channel.iq_gain_db, "iq_phase_deg": run.channel.iq_phase_deg}
    ppm = run.radio.clock_ppm
    devices = [
        {"name": name, "kind": kind, "address": at, "serial": f"virtual-{name}", "clock_ppm": error}
        for name, at, error in zip("ab", addresses, (ppm, -ppm), strict=True)
    ]
    devices[1] |= mixers
    path = _path(run, gain_db)
    return {
        "clock": run.radio.air_clock,
        "speed": SPEED if run.radio.air_clock == "virtual" else None,
        "seed": run.seed,
        "devices": devices,
        "paths": [{"from": "a", "to": "b", **path}, {"from": "b", "to": "a", **path}],
    }


def check_channel(run: RunConfig) -> None:
    """``ConfigError`` for what only the software channel can do."""
    usual = ChannelConfig()
    for name in OWN:
        value = getattr(run.channel, name)
        if value != getattr(usual, name):
            raise ConfigError(
                f"channel.{name} is {value}, permitted with radio {run.radio.spec!a}: "
                f"{getattr(usual, name)}; its crystals (--clock-ppm) and converters have their own"
            )


def virtual_radios(run: RunConfig) -> tuple[AirSettings, RunConfig]:
    """The air for ``run``, and ``run`` with its two radios, gains included."""
    check_channel(run)
    kind = run.radio.kind
    addresses: list[str] = []
    for _ in range(2):
        addresses.append(_free_address(kind, addresses))
    air = check_air(air_tables(run, kind, addresses))
    tx_gain_db, _, rx_gain_db = levels(run, kind)
    rate_hz = run.radio.sample_rate_hz
    usrp = f"master_clock_rate={rate_hz:g},num_recv_frames={USRP_FRAMES}"
    specs = [
        f"pluto:ip:{at}" if kind == RADIO_PLUTO else f"usrp:addr={at},{usrp}" for at in addresses
    ]
    update = {
        "spec": specs[0],
        "rx_spec": specs[1],
        "tx_gain_db": tx_gain_db,
        "rx_gain_db": rx_gain_db,
    }
    return air, run.model_copy(update={"radio": run.radio.model_copy(update=update)})
