# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes between the blocks of a working link, recorded once for all tests."""

import numpy as np
import pytest

from semcom_blocks.link.arq import ArqConfig
from tests.semcom_blocks.gr.bench import until
from tests.semcom_blocks.gr.link import BlockLink, Settings

JOB_ID = 77


@pytest.fixture(scope="session")
def passed():
    """PDUs as (meta, vector) lists by ``block.port``: one job of two packets and 2,500 symbols."""
    rng = np.random.default_rng(0)
    symbols = (rng.standard_normal((2500, 2)) @ [1, 1j] / np.sqrt(2)).astype(np.complex64)
    link = BlockLink(Settings(arq=ArqConfig(payload_bytes=100)))
    with link:
        link.submit(JOB_ID, rng.bytes(150), symbols)
        until(lambda: link.ended(JOB_ID) and len(link.passed["equalizer.frames"]) == 6)
    blocks = (link.arq, link.pilots, link.modulator, link.demodulator)
    blocks += (link.estimator, link.equalizer, link.arq_receiver)
    assert [block.refused for block in blocks] == [0] * len(blocks)
    return {**link.passed, "symbols": symbols}
