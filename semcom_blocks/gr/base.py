# SPDX-License-Identifier: GPL-3.0-or-later
"""What all our message blocks share: named ports, parsed PDUs, a clock tick, end of stream."""

import logging
import platform
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from semcom_blocks import __version__
from semcom_blocks.gr import pdu
from semcom_blocks.gr.socket_thread import SocketThread

logger = logging.getLogger(__name__)

#: Key of a PDU that announces the end of a recording; every block passes it on.
EOF_KEY = "eof"
#: Key of a stream tag on the first sample behind a gap: an overflow, or a lost message.
GAP_KEY = "gap"


def versions() -> dict[str, str]:
    """Software of this process, as reports name it."""
    return {
        "semcom": __version__,
        "python": platform.python_version(),
        "gnuradio": gr.version(),
        "numpy": np.__version__,
    }


def report_job_end(block: gr.sync_block, n: int) -> None:
    """Publish a status for every ``job_end`` tag within the next ``n`` samples of input 0."""
    for tag in block.get_tags_in_window(0, 0, n, pmt.intern("job_end")):
        status = {"job_id": pmt.to_long(tag.value), "job_end": True}
        block.message_port_pub(pmt.intern("status"), pdu.make(status))


class Ticker:
    """Posts to a block's ``tick`` port every ``period_s``, so that timers run in its own thread."""

    def __init__(self, block: gr.basic_block, period_s: float) -> None:
        self._block = block
        self._period_s = period_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to tick."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="tick", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until the thread is gone."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        port = pmt.intern("tick")
        while not self._stop.wait(self._period_s):
            self._block.to_basic_block()._post(port, pmt.PMT_NIL)


def guarded(block: Any, act: Callable[[], None]) -> None:
    """Run ``act``; whatever it raises is counted in ``block.refused``, and the next PDU is taken.

    An exception that leaves a message handler ends the process, so one odd PDU
    would cost all that come behind it.
    """
    try:
        act()
    except Exception as error:
        block.refused += 1
        # At powers of two only: a flood must not fill the log.
        if block.refused & (block.refused - 1) == 0:
            reason = f"{type(error).__name__}: {error}"
            logger.warning("%s refused PDU number %d: %s", block.name(), block.refused, reason)


class PduBlock(gr.basic_block):
    """A block with message ports only.

    ``handlers`` maps input ports to functions of (meta, vector).  A PDU that a
    handler cannot use is logged and counted in ``refused``; an end-of-stream PDU is
    passed on to every output.
    """

    def __init__(
        self,
        name: str,
        handlers: dict[str, Callable[[dict[str, Any], np.ndarray], None]],
        outputs: tuple[str, ...] = (),
        tick_s: float | None = None,
        on_tick: Callable[[], None] | None = None,
    ) -> None:
        gr.basic_block.__init__(self, name=name, in_sig=None, out_sig=None)
        self.refused = 0
        self._outputs = outputs
        for port, handler in handlers.items():
            self._listen(port, partial(self._take, port, handler))
        for port in outputs:
            self.message_port_register_out(pmt.intern(port))
        # What runs beside the scheduler while the flowgraph does.
        self._helpers: list[Ticker | SocketThread] = []
        if tick_s is not None and on_tick is not None:
            self._listen("tick", lambda _message: on_tick())
            self._helpers.append(Ticker(self, tick_s))

    def publish(self, port: str, meta: dict[str, Any], vector: np.ndarray | bytes = b"") -> None:
        """Send a PDU on an output port."""
        self.message_port_pub(pmt.intern(port), pdu.make(meta, vector))

    def on_eof(self, port: str) -> None:
        """End of the stream on an input port: pass it on."""
        for output in self._outputs:
            self.publish(output, {EOF_KEY: True})

    def start(self) -> bool:
        """Called by the scheduler."""
        for helper in self._helpers:
            helper.start()
        return True

    def stop(self) -> bool:
        """Called by the scheduler."""
        for helper in self._helpers:
            helper.stop()
        return True

    def _listen(self, port: str, receive: Callable[[Any], None]) -> None:
        def on_message(message: Any) -> None:
            guarded(self, partial(receive, message))

        # GNU Radio looks a handler up by its name among the block's attributes.
        on_message.__name__ = f"_on_port_{port}"
        setattr(self, on_message.__name__, on_message)
        self.message_port_register_in(pmt.intern(port))
        self.set_msg_handler(pmt.intern(port), on_message)

    def _take(
        self, port: str, handler: Callable[[dict[str, Any], np.ndarray], None], message: Any
    ) -> None:
        meta, vector = pdu.parse(message)
        if meta.get(EOF_KEY):
            self.on_eof(port)
        else:
            handler(meta, vector)
