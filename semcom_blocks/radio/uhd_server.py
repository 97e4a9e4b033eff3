# SPDX-License-Identifier: GPL-3.0-or-later
"""One USRP behind a socket: ``python3 -m semcom_blocks.radio.uhd_server --args A --endpoint E``.

For programs of the other interpreter, which has no UHD (calibration).  A ROUTER socket answers
one request after the other; every reply carries the request's ``id``:

    describe                             → described{serial, tx_db, rx_db, lo_hz: [low, high]}
    tune{rate_hz, tx_lo_hz, rx_lo_hz}    → tuned{the same, as set}
    gains{tx_db | null, rx_db | null}    → done
    transmit [waveform c64 (period,)]    → done, and it repeats until silence or another
    interrupted                          → done{interrupted: bool}, since it was last asked
    silence                              → done
    receive{count}                       → received [samples c64 (count,)]
    there_and_back [waveform]            → received [samples c64 (period,)], see there
    anything else, or a failure          → error{name, text}

Ends on SIGTERM or SIGINT with status 0; a radio that is not there is one line and status 2.
"""

import argparse
import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import zmq

from semcom_blocks.errors import ConfigError, RadioError, SemcomError, require_range
from semcom_blocks.transport import MessageSocket, open_socket
from semcom_blocks.wire import Message

#: A reported rate that is further off makes other signals than those asked for.
RATE_TOLERANCE = 0.005
#: One request's record: 16 M samples are 128 MB as complex64; a quarter of what a message may be.
COUNT_MAX = 1 << 22
#: Samples handed to UHD at once: some milliseconds, so that silence comes quickly.
CHUNK = 1 << 14
#: Samples thrown away after a change: analog filters and loops settle.
SETTLE_SAMPLES = 1 << 14
#: Records of SETTLE_SAMPLES within which a burst must have ended: the largest buffers hold 1 M.
END_RECORDS = 80
#: UHD's time-outs while it explores a device are short for a busy machine or network.
OPEN_TRIES = 3
SLOW = "Failure to create rfnoc_graph"
#: Timed commands start this much later than now; a busy machine gets more with each try.
LEADS_S = (0.1, 0.3, 1.0)
PERIODS = 4  # of the waveform received in ``there_and_back``; their mean is taken
RECEIVE_TIMEOUT_S = 3.0
SEND_TIMEOUT_S = 1.0
POLL_S = 0.1
EVENT_WAIT_S = 0.02  # a gap is told at once, over a network or a USB cable

#: What UHD's long complaints mean, in the order in which they are looked for.
REASONS = (
    ("No devices found", "no such device found"),
    ("laim", "busy: another program has claimed it"),
    ("imeout", "it does not answer in time"),
)

_log = logging.getLogger(__name__)


class Usrp:
    """The radio: one transmit and one receive channel of a ``MultiUSRP``."""

    def __init__(self, args: str) -> None:
        import uhd

        self._uhd = uhd
        with _named(f"no USRP at {args!a:.80}"):
            found = list(uhd.find(args))
            if not found:
                raise RadioError(
                    f"no USRP at {args!a:.80}, permitted: arguments that uhd_find_devices shows"
                )
            self._serial = found[0].to_dict().get("serial", "") if len(found) == 1 else ""
            self._radio = _opened(uhd, args)
            self._stream_args = uhd.usrp.StreamArgs("fc32", "sc16")
            self._stream_args.channels = [0]
            # A moment without samples must not end an endless burst.
            self._stream_args.args = uhd.types.DeviceAddr("underflow_policy=next_packet")
        self._rx = self._tx = None
        self._player: threading.Thread | None = None
        self._stop = threading.Event()
        self._failed: Exception | None = None

    def describe(self) -> dict[str, Any]:
        """Serial number and ranges."""
        radio = self._radio
        with _named("does not describe itself"):
            lo = radio.get_rx_freq_range(0), radio.get_tx_freq_range(0)
            return {
                "serial": self._serial or str(radio.get_usrp_rx_info(0)["mboard_serial"]),
                "tx_db": _ends(radio.get_tx_gain_range(0)),
                "rx_db": _ends(radio.get_rx_gain_range(0)),
                "lo_hz": [max(r.start() for r in lo), min(r.stop() for r in lo)],
            }

    def tune(self, rate_hz: float, tx_lo_hz: float, rx_lo_hz: float) -> dict[str, float]:
        """Set rate, bandwidth and carriers; the oscillators themselves, no digital shift."""
        self.silence()
        radio, types = self._radio, self._uhd.types
        with _named(f"refuses {rate_hz:g} S/s or {rx_lo_hz:g} Hz"):
            if abs(radio.get_rx_rate(0) / rate_hz - 1) > 1e-9:
                self._rx = self._tx = None  # streams belong to a rate
                self._set_rate(rate_hz)
            radio.set_tx_bandwidth(rate_hz, 0)
            radio.set_rx_bandwidth(rate_hz, 0)
            radio.set_tx_freq(types.TuneRequest(tx_lo_hz), 0)
            radio.set_rx_freq(types.TuneRequest(rx_lo_hz), 0)
            found = radio.get_rx_rate(0)
            if self._rx is None:
                self._rx = radio.get_rx_stream(self._stream_args)
                self._tx = radio.get_tx_stream(self._stream_args)
            tuned = {
                "rate_hz": found,
                "tx_lo_hz": radio.get_tx_freq(0),
                "rx_lo_hz": radio.get_rx_freq(0),
            }
        if abs(found / rate_hz - 1) > RATE_TOLERANCE:
            raise ConfigError(f"rate_hz is {rate_hz:g}, permitted: {found:g} (the radio's nearest)")
        return tuned

    def _set_rate(self, rate_hz: float) -> None:
        radio = self._radio
        radio.set_rx_rate(rate_hz, 0)
        radio.set_tx_rate(rate_hz, 0)
        if abs(radio.get_rx_rate(0) / rate_hz - 1) > RATE_TOLERANCE:
            # Radios without rate converters run at their master clock.
            with contextlib.suppress(RuntimeError):
                radio.set_master_clock_rate(rate_hz)
                radio.set_rx_rate(rate_hz, 0)
                radio.set_tx_rate(rate_hz, 0)

    def gains(self, tx_db: float | None, rx_db: float | None) -> None:
        """Set fixed gains; automatic control off."""
        with _named(f"refuses gains {tx_db}, {rx_db}"):
            if tx_db is not None:
                self._radio.set_tx_gain(tx_db, 0)
            if rx_db is not None:
                with contextlib.suppress(RuntimeError, AttributeError):  # few radios have it
                    self._radio.set_rx_agc(False, 0)
                self._radio.set_rx_gain(rx_db, 0)

    def transmit(self, waveform: np.ndarray) -> None:
        """Repeat ``waveform`` in one endless burst."""
        self.silence()
        self._tuned()
        copies = max(1, CHUNK // len(waveform))
        block = np.tile(waveform, copies).reshape(1, -1)
        self._stop.clear()
        self._failed = None
        self._broken(0.0)  # what earlier bursts left
        begun = threading.Event()
        self._player = threading.Thread(target=self._play, args=(block, begun), daemon=True)
        self._player.start()
        begun.wait(SEND_TIMEOUT_S)

    def _play(self, block: np.ndarray, begun: threading.Event) -> None:
        metadata = self._uhd.types.TXMetadata()
        metadata.start_of_burst = True
        try:
            at = 0
            while not self._stop.is_set():
                # UHD may take part of it when the radio is slow.
                at += self._tx.send(block[:, at:], metadata, SEND_TIMEOUT_S)
                metadata.start_of_burst = False
                at %= block.shape[1]
                begun.set()
            metadata.end_of_burst = True
            self._tx.send(np.zeros((1, 0), np.complex64), metadata, SEND_TIMEOUT_S)
        except RuntimeError as error:
            self._failed = error

    def interrupted(self) -> bool:
        """Whether the burst had a gap since this was last asked: a machine too slow for it."""
        return self._player is not None and self._broken(EVENT_WAIT_S)

    def silence(self) -> None:
        """End the burst."""
        if self._player is not None:
            self._stop.set()
            self._player.join(RECEIVE_TIMEOUT_S)
            self._player = None
            self._await_end()
        failed, self._failed = self._failed, None
        if failed is not None:
            raise RadioError(f"stopped transmitting: {_one_line(failed)}")

    def _await_end(self) -> None:
        """Until the radio says that all of the burst is out, which may be some 100 ms later.

        What it receives meanwhile is thrown away: a radio of virtual time has none without it.
        """
        metadata, ended = self._uhd.types.TXAsyncMetadata(), False
        acknowledged = self._uhd.types.TXMetadataEventCode.burst_ack
        with _named("does not stop transmitting"):
            for _ in range(END_RECORDS):
                while self._tx.recv_async_msg(metadata, EVENT_WAIT_S):
                    ended |= metadata.event_code == acknowledged
                if ended:
                    return
                self._drain()
                self._request(SETTLE_SAMPLES)
                self._collect(SETTLE_SAMPLES)
        _log.info("end of the burst was not acknowledged")

    def _request(self, count: int) -> None:
        """Ask for ``count`` samples from now on."""
        command = self._uhd.types.StreamCMD(self._uhd.types.StreamMode.num_done)
        command.num_samps = count
        command.stream_now = True
        self._rx.issue_stream_cmd(command)

    def receive(self, count: int) -> np.ndarray:
        """``count`` samples in one piece, complex64 (count,)."""
        require_range("count", count, 1, COUNT_MAX)
        self._tuned()
        with _named("does not receive"):
            for _ in LEADS_S:
                self._drain()
                self._request(count + SETTLE_SAMPLES)
                samples = self._collect(count + SETTLE_SAMPLES)
                if samples is not None:
                    return samples[SETTLE_SAMPLES:]
        raise RadioError("loses samples at this rate, permitted: a lower rate")

    def there_and_back(self, waveform: np.ndarray) -> np.ndarray:
        """Send from time t on, receive from t + one period on: complex64 (period,).

        Both times are of the radio's clock, so that sample 0 of the result is what was sent as
        sample 0 of ``waveform``, if the way takes no time.
        """
        self.silence()
        self._tuned()
        period, types = len(waveform), self._uhd.types
        with _named("does not send at a given time"):
            rate_hz = self._radio.get_rx_rate(0)
            for lead_s in LEADS_S:
                self._drain()
                start = self._radio.get_time_now() + types.TimeSpec(lead_s)
                command = types.StreamCMD(types.StreamMode.num_done)
                command.num_samps = PERIODS * period
                command.stream_now = False
                command.time_spec = start + types.TimeSpec.from_ticks(period, rate_hz)
                metadata = types.TXMetadata()
                metadata.has_time_spec = metadata.start_of_burst = metadata.end_of_burst = True
                metadata.time_spec = start
                # One more than is received, for the delay at the end.
                burst = np.tile(waveform, PERIODS + 2).reshape(1, -1)
                self._rx.issue_stream_cmd(command)
                self._tx.send(burst, metadata, lead_s + SEND_TIMEOUT_S)
                samples = self._collect(command.num_samps, lead_s)
                if samples is not None and not self._broken(POLL_S):
                    return samples.reshape(PERIODS, period).mean(axis=0)
        raise RadioError("commands come too late, permitted: a machine that is less busy")

    def _tuned(self) -> None:
        if self._rx is None:
            raise RadioError("not tuned yet, permitted: tune first")

    def _drain(self) -> None:
        """Throw away what is left of earlier records."""
        buffer = np.empty((1, self._rx.get_max_num_samps()), np.complex64)
        metadata = self._uhd.types.RXMetadata()
        while self._rx.recv(buffer, metadata, 0.0):
            pass

    def _collect(self, count: int, wait_s: float = 0.0) -> np.ndarray | None:
        """The record that was asked for, or None where samples were lost or came too late."""
        codes = self._uhd.types.RXMetadataErrorCode
        samples = np.empty((1, count), np.complex64)
        metadata = self._uhd.types.RXMetadata()
        have = 0
        while have < count:
            have += self._rx.recv(samples[:, have:], metadata, RECEIVE_TIMEOUT_S + wait_s)
            if metadata.error_code == codes.none:
                continue
            if metadata.error_code == codes.timeout:
                raise RadioError(f"no samples within {RECEIVE_TIMEOUT_S + wait_s:g} s")
            _log.info("record broken: %s", metadata.error_code)
            return None
        return samples[0]

    def _broken(self, wait_s: float) -> bool:
        """Whether samples came too late or with gaps; reads all events that wait."""
        metadata, broken = self._uhd.types.TXAsyncMetadata(), False
        while self._tx.recv_async_msg(metadata, wait_s):
            broken |= metadata.event_code != self._uhd.types.TXMetadataEventCode.burst_ack
        return broken


def _opened(uhd: Any, args: str) -> Any:
    """The device; tried again where its network was too slow for UHD's time-outs."""
    for _ in range(OPEN_TRIES - 1):
        try:
            return uhd.usrp.MultiUSRP(args)
        except RuntimeError as error:
            if SLOW not in str(error):
                raise
            _log.warning("opening again: %s", _one_line(error))
    return uhd.usrp.MultiUSRP(args)


def _ends(limits: Any) -> list[float]:
    return [float(limits.start()), float(limits.stop())]


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    for sign, meaning in REASONS:
        if sign in text:
            return meaning
    return text[:200]


@contextlib.contextmanager
def _named(what: str) -> Iterator[None]:
    """Errors of UHD become one line."""
    try:
        yield
    except SemcomError:
        raise
    except (RuntimeError, ValueError, LookupError) as error:
        raise RadioError(f"{what} ({_one_line(error)})") from None


def answer(radio: Usrp, request: Message) -> Message:
    """The reply to one request; failures are replies too."""
    try:
        return _answer(radio, request)
    except SemcomError as error:
        name = "ConfigError" if isinstance(error, ConfigError) else "RadioError"
        return Message("error", {"name": name, "text": str(error)})


def _answer(radio: Usrp, request: Message) -> Message:
    number = (int, float)
    if request.kind == "describe":
        return Message("described", radio.describe())
    if request.kind == "tune":
        names = ("rate_hz", "tx_lo_hz", "rx_lo_hz")
        return Message("tuned", radio.tune(*(float(request.value(n, number)) for n in names)))
    if request.kind == "gains":
        radio.gains(*(request.value(n, (*number, type(None))) for n in ("tx_db", "rx_db")))
    elif request.kind == "transmit":
        radio.transmit(_waveform(request))
    elif request.kind == "interrupted":
        return Message("done", {"interrupted": radio.interrupted()})
    elif request.kind == "silence":
        radio.silence()
    elif request.kind == "receive":
        return Message("received", {}, {"samples": radio.receive(request.value("count", int))})
    elif request.kind == "there_and_back":
        return Message("received", {}, {"samples": radio.there_and_back(_waveform(request))})
    else:
        raise ConfigError(f"unknown request {request.kind!a}")
    return Message("done")


def _waveform(request: Message) -> np.ndarray:
    waveform = request.array("waveform", np.complex64, 1)
    require_range("samples of waveform", len(waveform), 1, COUNT_MAX)
    return waveform


def serve(args: str, endpoint: str) -> None:
    """Open the radio, answer requests until told to end."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    radio = Usrp(args)
    context = zmq.Context()
    socket = MessageSocket(open_socket(context, zmq.ROUTER, bind=endpoint))
    try:
        while not stop.is_set():
            found = socket.receive_from(POLL_S)
            if found is not None:
                identity, request = found
                reply = answer(radio, request)
                reply.meta["id"] = request.meta.get("id")
                socket.send_to(identity, reply, SEND_TIMEOUT_S)
        radio.silence()
    finally:
        socket.close()
        context.term()


def main() -> int:
    """Parse the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="semcom_blocks.radio.uhd_server", description=__doc__)
    parser.add_argument("--args", required=True, help="UHD device arguments")
    parser.add_argument("--endpoint", required=True, help="where to listen, tcp://127.0.0.1:PORT")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)
    try:
        serve(arguments.args, arguments.endpoint)
    except ImportError as error:
        sys.stderr.write(f"semcom: error: driver missing: {error} (Debian: python3-uhd)\n")
        return 2
    except SemcomError as error:
        sys.stderr.write(f"semcom: error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
