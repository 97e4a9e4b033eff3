# SPDX-License-Identifier: GPL-3.0-or-later
"""The link against theory, genie and the design's targets: ``./semcom bench link``.

Seeded Monte-Carlo curves over the pure core, without GNU Radio.  --quick measures what the
targets name and exits with 1 if a limit is violated; without it whole curves are drawn into
docs/results (link.json, link-*.png).

Keys of the JSON document:

  bench, quick, seed, numerology, channels, versions, run   what was run
  targets   [{number, target, limit, measured, met}]  met: true, false, null (too few frames)
  remarks   [text]  figures without a limit
  curves    {name: [record]}  one record for each point of a curve

A record holds the point's parameters (channel, snr_db, …), frames (how many), and figures.
FIGURE_ci is [low, high], the 95 % confidence interval; null where nothing was measured.
SNR is Es/N0 of a cell; each realisation of a channel has unit power; channels are awgn,
rayleigh-3-tap (tap powers in channels) and exponential-N (RMS delay spread of N samples).

  detection      probability (frame found, header read), extra_frames (none or a second)
  false_alarms   by signal: samples, candidates, confirmed (long fields), frames, and
                 frames_per_1e8, confirmed_per_1e8, frames_per_1e8_bound (confirmed · 2^-16)
  cfo            by cfo_carriers: found, sync_rms_percent (behind the synchroniser),
                 tracked_rms_percent (whole frame), both of the subcarrier spacing
  sro            by sro_ppm, cfo_carriers: loss_db (against no offset, same noise),
                 sro_error_ppm, cfo_error_hz (means), lost
  snr_estimate   bias_db, rms_db, p99_db, largest_db, beyond_1_db, beyond_2_db (shares), lost
  ber            ber, ber_known_channel, ber_theory (mean over the channels drawn),
                 loss_to_theory_db, loss_to_known_channel_db, bits, lost
  packets        by part (header, prompt): per, per_known_channel
  analog         by equalizer where it is not the default: snr_reached_db,
                 snr_known_channel_db, loss_db, loss_worst_frame_db, lost,
                 amplitude_bias_percent, told_variance_db (told over true error)
  nmse           METHOD_nmse_db for each estimator, genie_nmse_db (LMMSE that knows all)
  envelope       by papr_limit_db: papr_db (at the sample rate), papr_oversampled_db (four
                 times), bandwidth_hz (99 %), evm_db, cost_at_10_db_db, cost_at_20_db_db,
                 ccdf_level_db, ccdf
  picture        psnr_db, psnr_ideal_db, loss_db of a photo's latents
"""

from host.bench.link.command import add_arguments, run

__all__ = ["add_arguments", "run"]
