# SPDX-License-Identifier: GPL-3.0-or-later
"""Software Channel: a radio channel and a cheap front end, as a block."""

from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from semcom_blocks.channel import ChannelConfig, SoftwareChannel
from semcom_blocks.errors import ConfigError
from semcom_blocks.gr.base import report_job_end

#: Samples taken in one call; the resampler may return a few more than it took.
MAX_CALL = 8192


class SoftwareChannelBlock(gr.basic_block):
    """Stream in, stream out; the next fading realisation begins at every tag ``fade_on``.

    A sampling-rate offset makes the number of samples differ, so this is a general
    block; tags move with the samples.  ``status`` out reports each job whose last
    sample went in, as a radio does: a loopback in one process has no other.
    """

    def __init__(
        self, config: ChannelConfig | dict[str, Any] | None = None, fade_on: str = "frame"
    ) -> None:
        gr.basic_block.__init__(
            self, name="Software Channel", in_sig=[np.complex64], out_sig=[np.complex64]
        )
        if not fade_on:
            raise ConfigError("fade_on is empty, permitted: the name of a stream tag")
        self.message_port_register_out(pmt.intern("status"))
        self._rng: np.random.Generator | None = None
        self.set_config(config or ChannelConfig())
        self._fade_on = pmt.intern(fade_on)
        self._left = np.zeros(0, np.complex64)
        self.set_tag_propagation_policy(gr.TPP_DONT)

    def set_config(self, config: ChannelConfig | dict[str, Any]) -> None:
        """Change the channel while samples flow; noise and fading go on, not over again."""
        if isinstance(config, dict):
            config = ChannelConfig.from_dict(config)
        if self._rng is None or config.seed != self._channel.config.seed:
            self._rng = np.random.default_rng(config.seed)
        # One assignment, since the scheduler's thread may be inside general_work.
        self._channel = SoftwareChannel(config, self._rng)

    def forecast(self, noutput_items: int, ninputs: int) -> list[int]:
        """One sample is enough to go on, and none while some wait to go out.

        Where more samples came in than fit out, nothing else might ever come in: the
        rest has to leave on its own.
        """
        return [0 if len(self._left) else 1] * ninputs

    def general_work(self, input_items: list[np.ndarray], output_items: list[np.ndarray]) -> int:
        """Process what came, cut at fading tags; see :meth:`gr.basic_block.general_work`."""
        out = output_items[0]
        if not len(self._left):
            samples = input_items[0][:MAX_CALL]
            n, read = len(samples), self.nitems_read(0)
            tags = self.get_tags_in_window(0, 0, n)
            fades = {t.offset - read for t in tags if pmt.eq(t.key, self._fade_on)}
            starts = sorted(fades | {0})
            pieces = []
            for start, stop in zip(starts, [*starts[1:], n], strict=True):
                if start in fades:
                    self._channel.start_block()
                pieces.append(self._channel.process(samples[start:stop]))
            report_job_end(self, n)
            self._left = np.concatenate(pieces)
            for tag in tags:
                at = min(tag.offset - read, max(len(self._left) - 1, 0))
                self.add_item_tag(0, self.nitems_written(0) + at, tag.key, tag.value)
            self.consume(0, n)
        n = min(len(out), len(self._left))
        out[:n] = self._left[:n]
        self._left = self._left[n:]
        return n
