# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge codecs' mechanics on a tiny random network: bits, sizes, losses, segments, refusals."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("constriction")

from models.edges.codec import LOST, EdgeBitCodec  # noqa: E402
from models.edges.entropy_codec import LENGTH_BITS, EdgeEntropyCodec  # noqa: E402
from models.edges.transform import (  # noqa: E402
    BitModel,
    EdgeCodecNetworks,
    TransformConfig,
    flips,
    parity,
)
from models.roles import EdgeCode, EdgeCodec  # noqa: E402
from semcom_blocks.errors import ConfigError  # noqa: E402

PLANES = 7


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(5)
    found = EdgeCodecNetworks(TransformConfig(PLANES, (4, 4, 8), (4, 4, 8), 4)).eval()
    torch.nn.init.normal_(found.transform.analysis[-2].weight, std=1.0)
    torch.nn.init.normal_(found.bit_model.layers[-1].bias, std=1.5)
    return found


@pytest.fixture(scope="module")
def codecs(networks):
    return {
        "fixed": EdgeBitCodec(networks),
        "segments": EdgeEntropyCodec(networks, tile=2),
        "whole": EdgeEntropyCodec(networks, tile=None),
    }


def drawing(height, width, seed=3):
    """Some lines on black."""
    rng = np.random.default_rng(seed)
    edges = np.zeros((height, width), np.uint8)
    for _ in range(4):
        edges[rng.integers(height)] = 255
        edges[:, rng.integers(width)] = 200
    return edges


@pytest.mark.parametrize("name", ["fixed", "segments", "whole"])
@pytest.mark.parametrize("shape", [(64, 64), (1, 1), (33, 50)])
def test_any_map_comes_back_in_its_size(codecs, name, shape):
    code = codecs[name].encode(drawing(*shape))
    assert isinstance(codecs[name], EdgeCodec)
    assert set(np.unique(code.bits)) <= {0, 1}
    assert codecs[name].decode(code).shape == shape


@pytest.mark.parametrize("name", ["segments", "whole"])
def test_entropy_coding_changes_nothing(codecs, name):
    edges = drawing(70, 90)
    plain = codecs["fixed"].decode(codecs["fixed"].encode(edges))
    assert np.array_equal(codecs[name].decode(codecs[name].encode(edges)), plain)


def test_rate_is_fixed_and_falls_with_the_planes(networks):
    for planes in (7, 5):
        code = EdgeBitCodec(networks, planes=planes).encode(drawing(128, 64))
        assert len(code.bits) == planes * 8 * 4
        assert len(code.bits) / (128 * 64) <= 0.03


def test_fewer_planes_are_the_first_ones(networks):
    edges = drawing(64, 64)
    many, few = (EdgeBitCodec(networks, planes=n).encode(edges).bits for n in (7, 4))
    assert np.array_equal(many[: len(few)], few)


@pytest.mark.parametrize("name", ["fixed", "segments", "whole"])
def test_no_bits_whatever_break_the_decoder(codecs, name):
    rng = np.random.default_rng(2)
    code = codecs[name].encode(drawing(64, 80))
    for share in (0.01, 0.1, 0.5, 1.0):
        wrong = (rng.random(len(code.bits)) < share).astype(np.uint8)
        assert codecs[name].decode(replace(code, bits=code.bits ^ wrong)).shape == (64, 80)
    for length in (0, 1, 7, len(code.bits) // 2):
        assert codecs[name].decode(replace(code, bits=code.bits[:length])).shape == (64, 80)


def test_lost_bits_are_as_bits_that_never_came(codecs):
    code = codecs["fixed"].encode(drawing(64, 64))
    cut = code.bits[:40]
    marked = np.concatenate((cut, np.full(len(code.bits) - 40, LOST, np.uint8)))
    a, b = (codecs["fixed"].decode(replace(code, bits=bits)) for bits in (cut, marked))
    assert np.array_equal(a, b)


def test_a_wrong_segment_spoils_its_tile_only(codecs):
    code = codecs["segments"].encode(drawing(64, 64))
    wrong = code.bits.copy()
    wrong[LENGTH_BITS] ^= 1  # the first payload bit of the first of four segments
    inner = codecs["segments"].inner
    seen = []
    inner_synthesise = inner.networks.transform.synthesise
    try:
        inner.networks.transform.synthesise = lambda r, b: seen.append(r) or inner_synthesise(r, b)
        codecs["segments"].decode(code)
        codecs["segments"].decode(replace(code, bits=wrong))
    finally:
        del inner.networks.transform.synthesise
    right, spoilt = seen
    assert not spoilt[:, :, :2, :2].any()
    changed = (right != spoilt).any(1)[0]
    assert changed[:2, :2].any() and changed.sum() <= 4


def test_error_rate_reaches_the_synthesis(codecs):
    code = codecs["fixed"].encode(drawing(64, 64))
    a, b = (codecs["fixed"].decode(code, ber) for ber in (0.0, 0.4))
    assert not np.array_equal(a, b)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (EdgeCode(np.zeros(500, np.uint8), 64, 64), "at most 112"),
        (EdgeCode(np.full(9, 7, np.uint8), 64, 64), "value 7"),
        (EdgeCode(np.zeros(9, np.float32), 64, 64), "float32"),
        (EdgeCode(np.zeros((3, 3), np.uint8), 64, 64), "uint8"),
        (EdgeCode(np.zeros(9, np.uint8), 0, 64), "width is 0"),
        (EdgeCode(np.zeros(9, np.uint8), 8000, 8000), "at most 4,000,000"),
        (EdgeCode(np.zeros(9, np.uint8), 64, 10**9), "height"),
    ],
    ids=["many", "values", "floats", "shape", "empty", "large", "long"],
)
def test_decoder_refuses_what_cannot_be(codecs, code, words):
    with pytest.raises(ConfigError, match=words):
        codecs["fixed"].decode(code)


@pytest.mark.parametrize("name", ["fixed", "whole"])
@pytest.mark.parametrize(
    "edges",
    [np.zeros((8, 8, 3), np.uint8), np.full((8, 8), np.nan), np.zeros((0, 4), np.uint8)],
    ids=["colours", "nan", "empty"],
)
def test_encoder_refuses_what_is_no_map(codecs, name, edges):
    with pytest.raises(ConfigError, match="edge map"):
        codecs[name].encode(edges)


@pytest.mark.parametrize("ber", [-0.1, 0.6, float("nan")])
def test_error_rate_has_a_range(codecs, ber):
    code = codecs["fixed"].encode(drawing(16, 16))
    with pytest.raises(ConfigError, match="ber"):
        codecs["fixed"].decode(code, ber)


def test_channel_flips_as_often_as_asked():
    ber = torch.tensor([0.0, 0.1, 0.5])
    factors = flips(torch.Size((3, 7, 60, 60)), ber, torch.Generator().manual_seed(1))
    share = (factors < 0).float().mean((1, 2, 3))
    assert torch.allclose(share, ber, atol=0.01)


def test_bit_model_sees_only_what_comes_before():
    torch.manual_seed(2)
    model = BitModel(3, 6)
    bits = torch.where(torch.rand(1, 3, 4, 4) < 0.5, 1.0, -1.0)
    for plane in range(3):
        for half in (0, 1):
            known = model.known(bits.shape, torch.tensor([plane]), torch.tensor([half]))
            before = torch.zeros(3, 4, 4, dtype=torch.bool)
            before[:plane] = True
            if half:
                before[plane] = parity(4, 4) == 0
            assert torch.equal(known[0].bool(), before)
            other = torch.where(before, bits, -bits)
            assert torch.equal(model(bits, known), model(other, known))
