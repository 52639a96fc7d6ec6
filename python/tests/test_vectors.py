"""The golden bytes that the tests of all three languages read."""

from __future__ import annotations

import conftest
import ormsgpack
import pytest
from vectors import bytes_of, same, value_of

from synapse._protocol import fallback, header
from synapse._protocol.codec import decode, encode
from synapse._protocol.errors import Malformed, ValueRefused

VALUES = conftest.vectors("values.json")
FRAMES = conftest.vectors("frames.json")


def by_name(entries):
    return [pytest.param(entry, id=entry["name"]) for entry in entries]


@pytest.mark.parametrize("vector", by_name(VALUES["values"]))
def test_a_value_is_decoded(vector, in_use):
    assert same(decode(bytes_of(vector["hex"])), value_of(vector["value"]))


@pytest.mark.parametrize(
    "vector",
    by_name(entry for entry in VALUES["values"] if "python" in entry.get("encode", ["python"])),
)
def test_a_value_is_encoded(vector, in_use):
    assert encode(value_of(vector["value"])).hex() == bytes_of(vector["hex"]).hex()


@pytest.mark.parametrize("vector", by_name(VALUES["malformed"]))
def test_malformed_bytes_are_refused(vector):
    with pytest.raises((Malformed, ValueRefused)):
        fallback.unpack(bytes_of(vector["hex"]))


#: The codec in C does not look behind the value, and allows 1,023 levels. What the host's encoder
#: writes has neither.
LENIENT = {
    "two values",
    "a byte after a map",
    "set with a byte after the array",
    "nested 513 deep",
    "maps nested 513 deep",
    "sets nested 513 deep in arrays",
}

if not hasattr(ormsgpack, "Fragment"):
    # Before 1.13, which needs Python 3.11, it crashes when the memory that is claimed is not there.
    LENIENT |= {"claims more than there is: array", "claims more than there is: array in an array"}


@pytest.mark.parametrize(
    "vector", by_name(entry for entry in VALUES["malformed"] if entry["name"] not in LENIENT)
)
def test_malformed_bytes_are_refused_whatever_the_codec(vector, in_use):
    with pytest.raises((Malformed, ValueRefused)):
        decode(bytes_of(vector["hex"]))


@pytest.mark.parametrize("vector", by_name(FRAMES["frames"]))
def test_a_header_is_read_and_written(vector):
    data = bytes_of(vector["hex"])
    payload = bytes_of(vector["payload_hex"])
    length, word, call = header.HEADER.unpack_from(data, 0)
    assert length == len(payload) + header.COUNTED == len(data) - 4
    assert word == header.word(vector["kind"], vector["flags"], vector["handler"])
    assert call == vector["id"]
    assert data[header.HEADER_SIZE :] == payload
    if not vector["flags"] and not vector["handler"]:
        assert header.frame(vector["kind"], call, payload) == data
