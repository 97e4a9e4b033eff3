# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers and band tables out of samples, at once and in two steps."""

import pytest

from semcom_blocks.errors import LinkError
from semcom_blocks.phy.bands import Band, BandTable
from semcom_blocks.phy.header import table_bytes_after
from semcom_blocks.phy.header_reader import read_head, read_header, read_table
from semcom_blocks.phy.known_layout import TableLayout
from semcom_blocks.phy.preamble import long_start

ONE = BandTable((Band(None, 16, 0.3, 2), Band(1, 32, 0.7, 4)))
#: Its table lasts 11 ms, over which a clock that is 100 ppm off drifts by more than a sample.
SIXTEEN = BandTable((Band(None, 16, 0.2, 2), *[Band(n, 2, 0.05, 4) for n in range(16)]))


def samples_of(link, sent, **channel):
    """From the window of the first long symbol on."""
    return link.send(sent.samples, before=0, **channel)[long_start(link.numerology) :]


def test_a_header_without_bands_has_no_table(link):
    sent = link.frame(3, 100, 20)
    samples = samples_of(link, sent, snr_db=10.0)
    head, cfo_hz = read_head(samples, 0.0, link.numerology)
    assert table_bytes_after(head) == 0
    assert read_header(samples, 0.0, link.numerology) == (sent.layout.header, cfo_hz)


@pytest.mark.parametrize("table", [ONE, SIXTEEN])
@pytest.mark.parametrize("channel", [{"snr_db": 3.0}, {"snr_db": 6.0, "sro_ppm": 100.0}])
def test_a_table_is_read_with_its_header_as_pilots(link, table, channel):
    sent = link.banded(table, [20] * len(table.stream_ids), 20)
    samples = samples_of(link, sent, cfo_hz=150.0, **channel)
    head, cfo_hz = read_head(samples, 100.0, link.numerology)
    assert head == sent.layout.header.head_bytes()
    assert cfo_hz == pytest.approx(150.0, abs=60.0)
    assert read_table(samples, head, cfo_hz, link.numerology) == sent.layout.header
    assert read_header(samples, 100.0, link.numerology)[0] == sent.layout.header
    # No more samples are looked at than header and table take.
    layout, num = TableLayout(link.numerology, head), link.numerology
    enough = 2 * num.fft_size + layout.n_symbols * num.symbol_len
    assert read_table(samples[:enough], head, cfo_hz, num) == sent.layout.header


def test_noise_is_neither(link):
    samples = link.normal(20_000)
    with pytest.raises(LinkError):
        read_header(samples, 0.0, link.numerology)
    with pytest.raises(LinkError):
        read_table(samples, link.banded(ONE, [5]).layout.header.head_bytes(), 0.0, link.numerology)
