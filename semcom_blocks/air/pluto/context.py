# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of a context in XML, as libiio's network clients ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.sax.saxutils import quoteattr

from semcom_blocks.air.pluto.iio import Attributes, Channel, IioDevice

# The client validates what it reads and complains aloud where there is no definition.
DOCTYPE = (
    "<!DOCTYPE context ["
    "<!ELEMENT context (device | context-attribute)*>"
    "<!ELEMENT context-attribute EMPTY>"
    "<!ELEMENT device (channel | attribute | debug-attribute | buffer-attribute)*>"
    "<!ELEMENT channel (scan-element?, attribute*)>"
    "<!ELEMENT attribute EMPTY>"
    "<!ELEMENT scan-element EMPTY>"
    "<!ELEMENT debug-attribute EMPTY>"
    "<!ELEMENT buffer-attribute EMPTY>"
    "<!ATTLIST context name CDATA #REQUIRED description CDATA #IMPLIED>"
    "<!ATTLIST context-attribute name CDATA #REQUIRED value CDATA #REQUIRED>"
    "<!ATTLIST device id CDATA #REQUIRED name CDATA #IMPLIED>"
    "<!ATTLIST channel id CDATA #REQUIRED type (input|output) #REQUIRED name CDATA #IMPLIED>"
    "<!ATTLIST scan-element index CDATA #REQUIRED format CDATA #REQUIRED scale CDATA #IMPLIED>"
    "<!ATTLIST attribute name CDATA #REQUIRED filename CDATA #IMPLIED>"
    "<!ATTLIST debug-attribute name CDATA #REQUIRED>"
    "<!ATTLIST buffer-attribute name CDATA #REQUIRED>"
    "]>"
)


def _element(tag: str, attributes: Mapping[str, str | None], inside: Iterable[str] = ()) -> str:
    text = "".join(
        f" {key}={quoteattr(value)}" for key, value in attributes.items() if value is not None
    )
    return f"<{tag}{text} >{''.join(inside)}</{tag}>"


def _attributes(tag: str, attributes: Attributes) -> list[str]:
    return [_element(tag, {"name": name}) for name in attributes]


def _channel(channel: Channel) -> str:
    inside = []
    if channel.scan_index is not None:
        scan = {"index": str(channel.scan_index), "format": channel.scan_format}
        inside.append(_element("scan-element", scan))
    for name, attribute in channel.attributes.items():
        names = {"name": name, "filename": attribute.filename}
        inside.append(_element("attribute", names))
    kind = "output" if channel.output else "input"
    return _element("channel", {"id": channel.id, "name": channel.name, "type": kind}, inside)


def _device(device: IioDevice) -> str:
    inside = [_channel(channel) for channel in device.channels]
    inside += _attributes("attribute", device.attributes)
    inside += _attributes("debug-attribute", device.debug)
    inside += _attributes("buffer-attribute", device.buffer)
    return _element("device", {"id": device.id, "name": device.name}, inside)


def context_xml(description: str, about: Mapping[str, str], devices: Iterable[IioDevice]) -> bytes:
    """``about`` is the context's own attributes: model, serial number, firmware, …"""
    inside = [
        _element("context-attribute", {"name": name, "value": value})
        for name, value in about.items()
    ]
    inside += [_device(device) for device in devices]
    context = _element("context", {"name": "local", "description": description}, inside)
    return f'<?xml version="1.0" encoding="utf-8"?>{DOCTYPE}{context}'.encode()
