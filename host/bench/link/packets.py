# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet error rates: of headers, and of full prompt packets.

A header is judged on its own, at the place and CFO that the truth says, since the frame
that it opens would otherwise be lost to the detector first; a prompt packet counts as
lost whatever the reason.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from host.bench.link import air, paths
from host.bench.link.genie import known_channel
from host.bench.link.intervals import proportion
from semcom_blocks.errors import LinkError
from semcom_blocks.link.packets import MAX_PACKET_BYTES
from semcom_blocks.phy.acquire import backoff
from semcom_blocks.phy.header_reader import read_header
from semcom_blocks.phy.numerology import Numerology
from semcom_blocks.phy.preamble import long_start
from semcom_blocks.phy.receiver import receive

CHUNK = 50
#: Analog symbols of a frame whose header alone is looked at.
HEADER_ANALOG = 48


def measure(
    numerology: Numerology,
    rng: np.random.Generator,
    n_frames: int,
    snr_db: float,
    part: str,
    channel: str = "awgn",
) -> dict[str, np.ndarray]:
    """``good`` bool (n_frames,) of ``part``, "header" or "prompt"; for prompts ``good_known`` too.

    ``good_known`` is a receiver that knows channel, timing and header.
    """
    if part == "header":
        return {"good": _headers(numerology, rng, n_frames, snr_db, channel)}
    good = np.zeros((2, n_frames), bool)
    for index in range(n_frames):
        sent = air.build(numerology, np.zeros(0, np.complex64), rng.bytes(MAX_PACKET_BYTES))
        path = paths.draw(channel, numerology, rng)
        cfo_hz = air.random_cfo_hz(numerology, rng)
        heard = air.send(sent, path, rng, snr_db=snr_db, cfo_hz=cfo_hz)
        good[1, index] = known_channel(heard, sent, snr_db).digital == sent.digital
        capture = air.find(heard, sent)
        if capture is not None:
            good[0, index] = receive(capture, numerology).payload.digital == sent.digital
    return {"good": good[0], "good_known": good[1]}


def _headers(
    numerology: Numerology, rng: np.random.Generator, n_frames: int, snr_db: float, channel: str
) -> np.ndarray:
    good = np.zeros(n_frames, bool)
    for index in range(n_frames):
        sent = air.build(numerology, air.gaussian(rng, HEADER_ANALOG), seq=index)
        path = paths.draw(channel, numerology, rng)
        cfo_hz = air.random_cfo_hz(numerology, rng)
        heard = air.send(sent, path, rng, snr_db=snr_db, cfo_hz=cfo_hz)
        window = heard.samples[heard.start + long_start(numerology) - backoff(numerology) :]
        try:
            good[index] = read_header(window, cfo_hz, numerology)[0] == sent.layout.header
        except LinkError:
            continue
    return good


def summarise(raw: dict[str, np.ndarray]) -> dict[str, Any]:
    """Error rates with Wilson's interval."""
    n_frames = len(raw["good"])
    record = {
        "frames": n_frames,
        **proportion(int(np.count_nonzero(~raw["good"])), n_frames).keys("per"),
    }
    if "good_known" in raw:
        known = int(np.count_nonzero(~raw["good_known"]))
        record |= proportion(known, n_frames).keys("per_known_channel")
    return record
