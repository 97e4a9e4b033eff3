# SPDX-License-Identifier: GPL-3.0-or-later
"""``ad9361-phy``: the transceiver's attributes, by the names that drivers know."""

from __future__ import annotations

from collections.abc import Callable

from semcom_blocks.air.pluto.chip import (
    BANDWIDTH_RANGE_HZ,
    GAIN_MODES,
    LO_RANGE_HZ,
    LOWEST_TX_GAIN_DB,
    TX_GAIN_STEP_DB,
    XO_RANGE_HZ,
    Chip,
    Side,
    rx_gain_range,
)
from semcom_blocks.air.pluto.iio import (
    Attribute,
    Attributes,
    Channel,
    IioDevice,
    channel_attributes,
    choice,
    constant,
    number,
)

PHY_ID = "iio:device0"
#: Shared by all channels of a direction, as their file names tell.
_SHARED = (
    "rf_bandwidth rf_bandwidth_available sampling_frequency sampling_frequency_available "
    "filter_fir_en rf_port_select_available gain_control_mode_available "
    "quadrature_tracking_en rf_dc_offset_tracking_en bb_dc_offset_tracking_en"
)
_ENSM_MODES = ("fdd", "sleep", "wait", "alert", "pinctrl", "pinctrl_fdd_indep")
_RX_PORTS = (
    "A_BALANCED B_BALANCED C_BALANCED A_N A_P B_N B_P C_N C_P TX_MONITOR1 TX_MONITOR2 TX_MONITOR1_2"
)


def _switch(initial: int) -> Attribute:
    """0 or 1, without effect on the signal."""
    return number(0, 1, initial, ".0f")


def _off_only() -> Attribute:
    """A test mode that is not modelled: it can only stay off."""
    return number(0, 0, 0, ".0f")


def _lo_attributes(chip: Chip, side: Side) -> Attributes:
    low, high = LO_RANGE_HZ
    return {
        "external": _switch(0),
        "fastlock_load": constant("0"),
        "frequency": Attribute(
            lambda: str(round(chip.lo_hz(side, reported=True))),
            lambda text: chip.set_lo(side, text),
        ),
        "frequency_available": constant(f"[{low} 1 {high}]"),
        "powerdown": _switch(0),
    }


def _common_attributes(chip: Chip, side: Side) -> Attributes:
    low, high = BANDWIDTH_RANGE_HZ
    return {
        "filter_fir_en": Attribute(lambda: str(int(chip.fir_enabled)), chip.enable_fir),
        "rf_bandwidth": Attribute(
            lambda: str(side.bandwidth_hz), lambda text: chip.set_bandwidth(side, text)
        ),
        "rf_bandwidth_available": constant(f"[{low} 1 {high}]"),
        "sampling_frequency": Attribute(lambda: str(chip.reported_rate_hz), chip.set_rate),
        "sampling_frequency_available": Attribute(lambda: "[{} 1 {}]".format(*chip.rate_range_hz)),
    }


def _rx_attributes(
    chip: Chip, gain_db: Callable[[], float], rssi_db: Callable[[], float]
) -> Attributes:
    port, ports = choice(tuple(_RX_PORTS.split()))
    return {
        **_common_attributes(chip, chip.rx),
        "bb_dc_offset_tracking_en": _switch(1),
        "gain_control_mode": Attribute(lambda: chip.gain_mode, chip.set_gain_mode),
        "gain_control_mode_available": constant(" ".join(GAIN_MODES)),
        "hardwaregain": Attribute(lambda: f"{round(gain_db())}.000000 dB", chip.set_rx_gain),
        "hardwaregain_available": Attribute(
            lambda: "[{} 1 {}]".format(*rx_gain_range(chip.rx.lo_request_hz))
        ),
        "quadrature_tracking_en": _switch(1),
        "rf_dc_offset_tracking_en": _switch(1),
        "rf_port_select": port,
        "rf_port_select_available": ports,
        "rssi": Attribute(lambda: f"{rssi_db():.2f} dB"),
    }


def _tx_attributes(chip: Chip) -> Attributes:
    port, ports = choice(("A", "B"))
    return {
        **_common_attributes(chip, chip.tx),
        "hardwaregain": Attribute(lambda: f"{chip.tx.gain_db:.6f} dB", chip.set_tx_gain),
        "hardwaregain_available": constant(
            f"[{LOWEST_TX_GAIN_DB:.6f} {TX_GAIN_STEP_DB:.6f} 0.000000]"
        ),
        "rf_port_select": port,
        "rf_port_select_available": ports,
        "rssi": constant("0.00 dB"),
    }


def _device_attributes(chip: Chip) -> Attributes:
    ensm, ensm_modes = choice(_ENSM_MODES)
    calib, calib_modes = choice(("auto", "manual", "tx_quad", "rf_dc_offs", "rssi_gain_step"))
    governor, governors = choice(("nominal", "highest_osr"))
    low, high = XO_RANGE_HZ
    return {
        "calib_mode": calib,
        "calib_mode_available": calib_modes,
        "ensm_mode": ensm,
        "ensm_mode_available": ensm_modes,
        "filter_fir_config": Attribute(lambda: str(chip.fir), chip.load_fir),
        "rx_path_rates": Attribute(lambda: chip.clocks.path_rates(False, chip.reference_hz)),
        "trx_rate_governor": governor,
        "trx_rate_governor_available": governors,
        "tx_path_rates": Attribute(lambda: chip.clocks.path_rates(True, chip.reference_hz)),
        "xo_correction": Attribute(lambda: str(chip.reference_hz), chip.set_reference),
        "xo_correction_available": constant(f"[{low} 1 {high}]"),
    }


def phy_device(
    chip: Chip,
    gain_db: Callable[[], float],
    rssi_db: Callable[[], float],
    register: Attribute,
) -> IioDevice:
    """``gain_db`` tells the receive gain in force, which the air's AGC moves."""

    def lo(channel: str, name: str, side: Side) -> Channel:
        attributes = channel_attributes(channel, True, _lo_attributes(chip, side), name=name)
        return Channel(channel, True, attributes, name)

    rx = _rx_attributes(chip, gain_db, rssi_db)
    tx = _tx_attributes(chip)
    # libiio takes the attribute of both directions for an input channel named "out".
    fir = Attribute(
        lambda: str(int(chip.fir_enabled)), chip.enable_fir, "in_out_voltage_filter_fir_en"
    )
    channels = (
        lo("altvoltage1", "TX_LO", chip.tx),
        Channel("voltage0", False, channel_attributes("voltage0", False, rx, shared=_SHARED)),
        lo("altvoltage0", "RX_LO", chip.rx),
        Channel("voltage0", True, channel_attributes("voltage0", True, tx, shared=_SHARED)),
        Channel("temp0", False, channel_attributes("temp0", False, {"input": constant("36842")})),
        Channel("out", False, {"voltage_filter_fir_en": fir}),
    )
    debug = {
        "direct_reg_access": register,
        "loopback": Attribute(lambda: str(chip.loopback), chip.set_loopback),
        "bist_tone": _off_only(),
        "bist_prbs": _off_only(),
        "initialize": _off_only(),
    }
    return IioDevice(PHY_ID, "ad9361-phy", channels, _device_attributes(chip), debug)
