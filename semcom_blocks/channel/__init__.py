# SPDX-License-Identifier: GPL-3.0-or-later
"""The software channel in NumPy: what stands between two radios, without the radios.

Files in signal order: ``profile`` and ``fading`` draw the impulse response that
``taps`` applies, then ``resample`` (sampling clock offset), ``oscillator`` (carrier
offset and phase noise), ``noise``, ``iq`` (imbalance and DC) and ``quantizer`` (ADC).
``config`` names every parameter, and ``channel`` joins the parts.
"""

from semcom_blocks.channel.channel import SoftwareChannel
from semcom_blocks.channel.config import CHANNEL_MODELS, ChannelConfig

__all__ = ["CHANNEL_MODELS", "ChannelConfig", "SoftwareChannel"]
