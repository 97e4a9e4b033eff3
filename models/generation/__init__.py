# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded generator: autoencoder, text, latent flow, edge control, and the pipeline."""
