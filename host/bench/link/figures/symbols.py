# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of the payload: bit errors, packets, analog symbols and pictures."""

from __future__ import annotations

from matplotlib.figure import Figure

from host.bench.link.figures.style import COLOURS, INK, PALETTE, curve, legend, limit, page, style
from host.bench.link.paths import CHANNELS
from host.bench.link.targets import Records, default_equalizer, select


def bit_errors(curves: dict[str, Records]) -> Figure:
    """Uncoded QPSK over SNR with theory, and the loss against it."""
    figure, (rate, loss) = page(2)
    style(rate, "uncoded QPSK; lines: theory of the same channels", "Es/N0 [dB]", "BER", log=True)
    style(loss, "loss (awgn: to theory, else: to a known channel)", "Es/N0 [dB]", "loss [dB]")
    for channel in CHANNELS:
        records = select(curves["ber"], channel=channel)
        errors = [record for record in records if record["ber"] > 0]
        curve(rate, errors, "snr_db", "ber_theory", COLOURS[channel], marker="")
        label = channel if records else None
        curve(rate, errors, "snr_db", "ber", COLOURS[channel], label, line="none")
        figure_name = "loss_to_theory_db" if channel == CHANNELS[0] else "loss_to_known_channel_db"
        curve(loss, records, "snr_db", figure_name, COLOURS[channel], label)
    limit(loss, 1.0, "limit, awgn")
    limit(loss, 1.5, "limit, multipath")
    rate.set_ylim(1e-5, 0.5)
    loss.set_ylim(-0.3, 2.2)
    legend(rate)
    return figure


def packets(curves: dict[str, Records]) -> Figure:
    """Headers and prompt packets."""
    figure, (header, prompt) = page(2)
    for axes, part, title in (
        (header, "header", "headers"),
        (prompt, "prompt", "prompt packets of 256 bytes; dotted: known channel"),
    ):
        style(axes, title, "Es/N0 [dB]", "packet error rate", log=True)
        for channel in CHANNELS:
            records = select(curves["packets"], part=part, channel=channel)
            failed = [record for record in records if record["per"] > 0]
            curve(axes, failed, "snr_db", "per", COLOURS[channel], channel)
            if part == "prompt":
                failed = [record for record in records if record["per_known_channel"] > 0]
                curve(axes, failed, "snr_db", "per_known_channel", COLOURS[channel],
                      line=":", marker="")  # fmt: skip
        axes.set_ylim(1e-4, 1.3)
        legend(axes, loc="lower left")
    return figure


def analog(curves: dict[str, Records]) -> Figure:
    """Analog symbols against a known channel, and a picture against an ideal one."""
    figure, (reached, loss, bias, picture) = page(4, 2)
    style(reached, "SNR of analog symbols; dotted: known channel", "Es/N0 [dB]", "SNR [dB]")
    style(loss, "loss to a known channel", "Es/N0 [dB]", "loss [dB]")
    style(bias, "amplitude bias", "Es/N0 [dB]", "bias [%]")
    for channel in CHANNELS:
        records = default_equalizer(select(curves["analog"], channel=channel))
        colour = COLOURS[channel]
        curve(reached, records, "snr_db", "snr_reached_db", colour, channel)
        curve(reached, records, "snr_db", "snr_known_channel_db", colour, line=":", marker="")
        curve(loss, records, "snr_db", "loss_db", colour, channel)
        curve(bias, records, "snr_db", "amplitude_bias_percent", colour, channel)
    limit(loss, 1.0, "limit")
    limit(bias, 2.0, "limit")
    limit(bias, -2.0, "")
    loss.set_ylim(-0.1, 2.0)
    legend(reached)
    style(picture, "photo through the receiver, awgn", "Es/N0 [dB]", "PSNR [dB]")
    records = curves["picture"]
    curve(picture, records, "snr_db", "psnr_ideal_db", INK, "same latents, ideal channel",
          line=":", marker="")  # fmt: skip
    curve(picture, records, "snr_db", "psnr_db", PALETTE[0], "through the receiver")
    legend(picture)
    return figure
