# SPDX-License-Identifier: GPL-3.0-or-later
import xml.etree.ElementTree as ElementTree

from semcom_blocks.air.pluto.context import context_xml
from semcom_blocks.air.pluto.iio import Channel, IioDevice, channel_attributes, constant


def test_description_as_clients_read_it():
    attributes = channel_attributes(
        "voltage0", False, {"rate": constant("1"), "gain": constant("2")}, shared="rate"
    )
    channel = Channel("voltage0", False, attributes, None, 0, "le:S12/16>>0")
    device = IioDevice(
        "iio:device3",
        "adc",
        (channel,),
        {"mode": constant("x")},
        {"loopback": constant("0")},
        {"watermark": constant("1")},
    )
    xml = context_xml('a "radio" & <more>', {"hw_serial": "1<2"}, [device])
    root = ElementTree.fromstring(xml)
    assert root.get("description") == 'a "radio" & <more>'
    assert root.find("context-attribute").attrib == {"name": "hw_serial", "value": "1<2"}
    found = root.find("device")
    assert found.attrib == {"id": "iio:device3", "name": "adc"}
    scan = found.find("channel/scan-element")
    assert scan.attrib == {"index": "0", "format": "le:S12/16>>0"}
    names = {a.get("name"): a.get("filename") for a in found.findall("channel/attribute")}
    # A shared attribute's file lacks the channel's number.
    assert names == {"rate": "in_voltage_rate", "gain": "in_voltage0_gain"}
    for tag in ("attribute", "debug-attribute", "buffer-attribute"):
        assert len(found.findall(tag)) == 1
    # Without a definition of its elements clients print complaints.
    assert b"<!DOCTYPE context [" in xml
