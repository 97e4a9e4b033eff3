# SPDX-License-Identifier: GPL-3.0-or-later
"""What all our message blocks share: named ports, parsed PDUs, a clock tick, end of stream."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pmt
from gnuradio import gr

from semcom_blocks.errors import SemcomError
from semcom_blocks.gr import pdu

logger = logging.getLogger(__name__)

#: Key of a PDU that announces the end of a recording; every block passes it on.
EOF_KEY = "eof"


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


class PduBlock(gr.basic_block):
    """A block with message ports only.

    ``handlers`` maps input ports to functions of (meta, vector).  A PDU that a
    handler refuses with a :class:`SemcomError` is logged and counted in
    ``refused``; an end-of-stream PDU is passed on to every output.
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
            self._listen(port, self._guarded(handler))
        for port in outputs:
            self.message_port_register_out(pmt.intern(port))
        self._ticker = None
        if tick_s is not None and on_tick is not None:
            self._listen("tick", lambda _message: on_tick())
            self._ticker = Ticker(self, tick_s)

    def publish(self, port: str, meta: dict[str, Any], vector: np.ndarray | bytes = b"") -> None:
        """Send a PDU on an output port."""
        self.message_port_pub(pmt.intern(port), pdu.make(meta, vector))

    def on_eof(self) -> None:
        """End of the stream: pass it on."""
        for port in self._outputs:
            self.publish(port, {EOF_KEY: True})

    def start(self) -> bool:
        """Called by the scheduler."""
        if self._ticker is not None:
            self._ticker.start()
        return True

    def stop(self) -> bool:
        """Called by the scheduler."""
        if self._ticker is not None:
            self._ticker.stop()
        return True

    def _listen(self, port: str, receive: Callable[[Any], None]) -> None:
        # GNU Radio looks a handler up by its name among the block's attributes.
        receive.__name__ = f"_on_port_{port}"
        setattr(self, receive.__name__, receive)
        self.message_port_register_in(pmt.intern(port))
        self.set_msg_handler(pmt.intern(port), receive)

    def _guarded(
        self, handler: Callable[[dict[str, Any], np.ndarray], None]
    ) -> Callable[[Any], None]:
        def receive(message: Any) -> None:
            try:
                meta, vector = pdu.parse(message)
                if meta.get(EOF_KEY):
                    self.on_eof()
                else:
                    handler(meta, vector)
            except (SemcomError, KeyError) as error:
                self.refused += 1
                logger.warning("%s refused a PDU: %s", self.name(), error)

        return receive
