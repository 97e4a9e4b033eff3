# SPDX-License-Identifier: GPL-3.0-or-later
"""SigMF pairs: read what others wrote, refuse what is something else, write what others read."""

import json

import numpy as np
import pytest

from semcom_blocks.errors import RadioError
from semcom_blocks.sigmf import MAX_META_BYTES, pair

RATE_HZ = 1e6
SAMPLES = np.array([0, 1, -1j, 0.5 + 0.25j], np.complex64)
RAW = {
    "cf32_le": SAMPLES.astype("<c8").tobytes(),
    "ci16_le": np.array([0, 0, 32767, 0, 0, -32768, 16384, 8192], "<i2").tobytes(),
    "ci8": np.array([0, 0, 127, 0, 0, -128, 64, 32], "i1").tobytes(),
}


@pytest.fixture
def write(tmp_path):
    """``write(datatype, raw, rate)`` makes a recording as other software would."""

    def make(datatype="cf32_le", raw=RAW["cf32_le"], rate=RATE_HZ, **changes):
        fields = {"core:datatype": datatype, "core:version": "1.0.0", "core:sample_rate": rate}
        meta = {"global": fields | changes, "captures": [], "annotations": []}
        (tmp_path / "r.sigmf-meta").write_text(json.dumps(meta))
        (tmp_path / "r.sigmf-data").write_bytes(raw)
        return pair(str(tmp_path / "r"))

    return make


@pytest.mark.parametrize("suffix", ["", ".sigmf-meta", ".sigmf-data", ".sigmf"])
def test_either_file_names_the_pair(tmp_path, suffix):
    found = pair(str(tmp_path / f"a.b{suffix}"))
    assert found.meta == tmp_path / "a.b.sigmf-meta"
    assert found.data == tmp_path / "a.b.sigmf-data"


@pytest.mark.parametrize("path", ["", ".sigmf-meta", ".sigmf"])
def test_a_pair_needs_a_name(path):
    with pytest.raises(RadioError, match="permitted: file:PATH"):
        pair(path)


@pytest.mark.parametrize("datatype", RAW)
def test_samples_of_every_datatype_have_full_scale_one(write, datatype):
    found = write(datatype, RAW[datatype]).samples()
    assert found.dtype == np.complex64
    tolerance = {"cf32_le": 0, "ci16_le": 2**-15, "ci8": 2**-7}[datatype]
    assert np.max(np.abs(found - SAMPLES)) <= tolerance


@pytest.mark.parametrize("rate", [RATE_HZ, RATE_HZ * 1.0009, RATE_HZ / 1.0009, int(RATE_HZ)])
def test_a_rate_within_a_thousandth_is_the_same_rate(write, rate):
    write(rate=rate).check_meta(RATE_HZ)


@pytest.mark.parametrize(
    "rate", [RATE_HZ * 1.0011, 2e6, 0, -1e6, 10**300, None, "1e6", True, float("nan"), [1e6]]
)
def test_another_rate_is_named(write, rate):
    with pytest.raises(RadioError, match=r"sample rate .* permitted: 1e\+06 Hz within 0.1 %"):
        write(rate=rate).check_meta(RATE_HZ)


@pytest.mark.parametrize("datatype", ["cf32_be", "rf32_le", "cf64_le", None, 5, ["cf32_le"], {}])
def test_another_datatype_is_named(write, datatype):
    with pytest.raises(RadioError, match=r"datatype .* permitted"):
        write(datatype).check_meta(RATE_HZ)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"global"',
        '{"global": []}',
        '{"global": "core:datatype"}',
        '{"captures": []}',
        "\ufeff{}",
        "[" * 100_000,
        '{"global": ' * 50_000,
    ],
    ids=range(11),
)
def test_what_is_no_metadata_is_one_line(tmp_path, text):
    (tmp_path / "r.sigmf-meta").write_text(text, encoding="utf-8")
    with pytest.raises(RadioError, match="SigMF metadata") as caught:
        pair(str(tmp_path / "r")).read_meta()
    assert "\n" not in str(caught.value)


def test_metadata_that_is_no_text_or_far_too_long(tmp_path):
    path = tmp_path / "r.sigmf-meta"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RadioError, match="SigMF metadata"):
        pair(str(tmp_path / "r")).read_meta()
    with path.open("wb") as file:
        file.truncate(MAX_META_BYTES + 1)
    with pytest.raises(RadioError, match="larger than"):
        pair(str(tmp_path / "r")).read_meta()


@pytest.mark.parametrize(("datatype", "size"), [("cf32_le", 31), ("ci16_le", 6), ("ci8", 1)])
def test_half_a_sample_is_named(write, datatype, size):
    with pytest.raises(RadioError, match=f"has {size} bytes, permitted: multiples of"):
        write(datatype, RAW[datatype][:size]).samples()


def test_no_samples_and_no_files_are_named(write, tmp_path):
    with pytest.raises(RadioError, match="has 0 bytes"):
        write(raw=b"").samples()
    (tmp_path / "r.sigmf-data").unlink()
    with pytest.raises(RadioError, match=r"r\.sigmf-data cannot be read"):
        pair(str(tmp_path / "r")).samples()
    with pytest.raises(RadioError, match="missing"):
        pair(str(tmp_path / "missing")).read_meta()


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "r.sigmf-meta").mkdir()
    with pytest.raises(RadioError, match="SigMF metadata"):
        pair(str(tmp_path / "r")).read_meta()


def test_what_is_written_is_valid_and_read_back(tmp_path):
    found = pair(str(tmp_path / "out.sigmf-meta"))
    found.check_writable()
    found.data.write_bytes(RAW["cf32_le"])
    found.write_meta(2.5e5, "naïve")
    meta = json.loads(found.meta.read_text(encoding="utf-8"))
    # SigMF 1.0: datatype and version are required, captures and annotations are lists.
    assert meta["global"]["core:datatype"] == "cf32_le"
    assert meta["global"]["core:version"] == "1.0.0"
    assert meta["global"]["core:description"] == "naïve"
    assert meta["captures"] == [{"core:sample_start": 0}]
    assert meta["annotations"] == []
    found.check_meta(2.5e5)
    assert np.array_equal(found.samples(), SAMPLES)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "out.sigmf-data",
        "out.sigmf-meta",
    ]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(RadioError, match="no writable folder"):
        pair(str(tmp_path / "missing" / "r")).check_writable()
