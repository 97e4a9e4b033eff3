# SPDX-License-Identifier: GPL-3.0-or-later
"""The few calls of libiio and libad9361 that gr-iio does not offer.

gr-iio streams, but it cannot read an attribute, takes no refusal for an error and prints
overflows to standard output.  So attributes and the status register go through a context of
our own.  Every call is bounded: libiio gives a network device that does not answer up after
its own five seconds, and what is set here after ``TIMEOUT_MS``.
"""

import ctypes
import errno
import os
from ctypes import c_char_p, c_int, c_longlong, c_size_t, c_ssize_t, c_uint, c_uint32, c_void_p
from ctypes.util import find_library
from typing import Any

from semcom_blocks.errors import RadioError

#: How long one request may take: milliseconds, or seconds on a machine that is overrun.
TIMEOUT_MS = 6000
#: Longest value of an attribute; the list of gains is the longest that there is.
VALUE_BYTES = 4096

_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "iio_create_context_from_uri": (c_void_p, (c_char_p,)),
    "iio_context_destroy": (None, (c_void_p,)),
    "iio_context_set_timeout": (c_int, (c_void_p, c_uint)),
    "iio_context_find_device": (c_void_p, (c_void_p, c_char_p)),
    "iio_context_get_attr_value": (c_char_p, (c_void_p, c_char_p)),
    "iio_device_find_channel": (c_void_p, (c_void_p, c_char_p, ctypes.c_bool)),
    "iio_channel_attr_read": (c_ssize_t, (c_void_p, c_char_p, c_char_p, c_size_t)),
    "iio_channel_attr_write": (c_ssize_t, (c_void_p, c_char_p, c_char_p)),
    "iio_device_attr_read": (c_ssize_t, (c_void_p, c_char_p, c_char_p, c_size_t)),
    "iio_device_attr_write": (c_ssize_t, (c_void_p, c_char_p, c_char_p)),
    "iio_channel_attr_write_longlong": (c_int, (c_void_p, c_char_p, c_longlong)),
    "iio_device_reg_read": (c_int, (c_void_p, c_uint32, ctypes.POINTER(c_uint32))),
    "iio_device_reg_write": (c_int, (c_void_p, c_uint32, c_uint32)),
    "iio_device_set_kernel_buffers_count": (c_int, (c_void_p, c_uint)),
}


def _load(name: str, soname: str) -> Any:
    try:
        return ctypes.CDLL(find_library(name) or soname, use_errno=True)
    except OSError:
        raise RadioError(
            f"driver lib{name} is missing; ./semcom doctor tells how to get it"
        ) from None


def reason(number: int) -> str:
    """An error number in words."""
    words = {errno.EBUSY: "busy: another program uses it", errno.ENODEV: "no such device"}
    return words.get(abs(number), os.strerror(abs(number)))


class IioContext:
    """A connection to an AD936x device named by a libiio URI (``ip:192.168.2.1``, ``usb:``)."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._lib = _load("iio", "libiio.so.0")
        for name, (result, arguments) in _SIGNATURES.items():
            call = getattr(self._lib, name)
            call.restype, call.argtypes = result, arguments
        self._context = self._lib.iio_create_context_from_uri(uri.encode())
        if not self._context:
            raise RadioError(f"pluto:{uri} cannot be opened: {reason(ctypes.get_errno())}")
        self._lib.iio_context_set_timeout(self._context, TIMEOUT_MS)

    def close(self) -> None:
        """Disconnect; a context over USB keeps everybody else out."""
        context, self._context = self._context, None
        if context:
            self._lib.iio_context_destroy(context)

    def attribute(self, name: str) -> str:
        """An attribute of the context, such as ``hw_serial``; empty where there is none."""
        value = self._lib.iio_context_get_attr_value(self._context, name.encode())
        return (value or b"").decode("utf-8", "replace")

    def device(self, name: str) -> int:
        """A device's handle; raises :class:`RadioError` if it is none of this context's."""
        handle = self._lib.iio_context_find_device(self._context, name.encode())
        if not handle:
            raise RadioError(f"pluto:{self.uri} has no {name}, permitted: an AD936x device")
        return int(handle)

    def channel(self, device: str, name: str, output: bool) -> int:
        """A channel's handle."""
        handle = self._lib.iio_device_find_channel(self.device(device), name.encode(), output)
        if not handle:
            raise RadioError(f"pluto:{self.uri} has no channel {name} of {device}")
        return int(handle)

    def read(self, channel: int, name: str) -> str:
        """A channel's attribute."""
        buffer = ctypes.create_string_buffer(VALUE_BYTES)
        got = self._lib.iio_channel_attr_read(channel, name.encode(), buffer, VALUE_BYTES)
        self._checked(got, name)
        return buffer.value.decode("ascii", "replace").strip()

    def write(self, channel: int, name: str, value: str) -> None:
        """Set a channel's attribute; raises :class:`RadioError` where the radio refuses it."""
        got = self._lib.iio_channel_attr_write(channel, name.encode(), value.encode())
        self._checked(got, f"{name} {value}")

    def write_device(self, device: str, name: str, value: str) -> None:
        """Set a device's attribute."""
        got = self._lib.iio_device_attr_write(self.device(device), name.encode(), value.encode())
        self._checked(got, f"{name} {value}")

    def set_rate(self, rate_hz: int) -> None:
        """Set the sample rate of both directions, with the filter that it needs."""
        library = _load("ad9361", "libad9361.so.0")
        library.ad9361_set_bb_rate.argtypes = (c_void_p, ctypes.c_ulong)
        got = library.ad9361_set_bb_rate(self.device("ad9361-phy"), rate_hz)
        self._checked(got, f"sample rate {rate_hz}")

    def set_kernel_buffers(self, device: str, count: int) -> None:
        """Buffers that the driver queues, from the next stream on."""
        got = self._lib.iio_device_set_kernel_buffers_count(self.device(device), count)
        self._checked(got, f"kernel buffers {count}")

    def register(self, device: int, address: int) -> int:
        """Read a register."""
        value = c_uint32()
        got = self._lib.iio_device_reg_read(device, address, ctypes.byref(value))
        self._checked(got, f"register {address:#x}")
        return value.value

    def set_register(self, device: int, address: int, value: int) -> None:
        """Write a register."""
        got = self._lib.iio_device_reg_write(device, address, value)
        self._checked(got, f"register {address:#x}")

    def _checked(self, got: int, what: str) -> None:
        if got < 0:
            raise RadioError(f"pluto:{self.uri} refuses {what}: {reason(got)}")
