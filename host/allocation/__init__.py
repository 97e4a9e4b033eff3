# SPDX-License-Identifier: GPL-3.0-or-later
"""Power, modulation and retransmission chosen by meaning: the model on paper.

L. Qiao et al., "Latency-aware generative semantic communications with pre-trained diffusion
models", 2024; equation numbers are that paper's.  Pure NumPy: a bench and a running link ask the
same functions.
"""
