"""What Python values become on the wire, and which are refused."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import sys
import uuid
from typing import Any, ClassVar, NamedTuple, TypedDict

import hypothesis.strategies as st
import msgpack
import numpy as np
import ormsgpack
import pydantic
import pytest
from hypothesis import given
from vectors import same

from synapse import EncodeError
from synapse._protocol import fallback
from synapse._protocol.codec import Codec, decode, encode
from synapse._protocol.errors import Malformed, ValueRefused

UTC = dt.timezone.utc


pytestmark = pytest.mark.usefixtures("in_use")


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Name(str):
    pass


class Point(NamedTuple):
    x: int
    y: int


class Row(TypedDict):
    id: int


@dataclasses.dataclass
class Order:
    id: int
    _note: str = "n"
    tags: set[str] = dataclasses.field(default_factory=set)
    kinds: ClassVar[int] = 7
    seed: dataclasses.InitVar[int] = 1


@dataclasses.dataclass(frozen=True)
class Slotted:
    __slots__ = ("a",)
    a: int


class Model(pydantic.BaseModel):
    id: int
    when: dt.datetime
    tags: set[int] = set()


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        ((1, 2), [1, 2]),
        (Point(1, 2), [1, 2]),
        (frozenset({1}), {1}),
        (Row(id=1), {"id": 1}),
        (Order(1, tags={"a"}), {"id": 1, "_note": "n", "tags": {"a"}}),
        (Slotted(1), {"a": 1}),
        ([Order(1)], [{"id": 1, "_note": "n", "tags": set()}]),
        (Color.RED, "red"),
        (Level.HIGH, 3),
        ({Color.RED: 1}, {"red": 1}),
        (Name("x"), "x"),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.defaultdict(int, a=1), {"a": 1}),
        (decimal.Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (dt.date(2024, 2, 29), "2024-02-29"),
        (dt.time(1, 2, 3), "01:02:03"),
        ({dt.date(2024, 2, 29): 1}, {"2024-02-29": 1}),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (memoryview(b"abcd")[::2], b"ac"),
        ({(1, "a"): 2}, {(1, "a"): 2}),
        (2**64, 2**64),
        (-(2**63) - 1, -(2**63) - 1),
        ({2**70: 1}, {2**70: 1}),
        (1.0, 1.0),
        (np.int64(5), 5),
        (np.float64(2.5), 2.5),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (
            dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
            dt.datetime(2024, 1, 1, 6, 30, tzinfo=UTC),
        ),
        (dt.datetime.max.replace(tzinfo=UTC), dt.datetime.max.replace(tzinfo=UTC)),
        (dt.datetime.min.replace(tzinfo=UTC), dt.datetime.min.replace(tzinfo=UTC)),
        (
            Model(id=1, when=dt.datetime(2024, 1, 1, tzinfo=UTC), tags={1}),
            {"id": 1, "when": dt.datetime(2024, 1, 1, tzinfo=UTC), "tags": {1}},
        ),
        ({frozenset({1}): 2}, {frozenset({1}): 2}),
    ],
    ids=repr,
)
def test_a_value_arrives_as(value: Any, arrives: Any):
    assert same(decode(encode(value)), arrives)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype="f4").reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype="i2").reshape(2, 3)),
        np.arange(10)[::3],
        np.arange(4, dtype=">i4"),
        np.array([True, False]),
        np.array(1.5),
        np.empty((0, 3), "u8"),
        np.array([1 + 2j], "c8"),
        np.array([0.5], "f2"),
    ],
    ids=lambda value: f"{value.dtype.str}{value.shape}",
)
def test_an_array_arrives_with_its_type_and_shape_and_can_be_written_to(value):
    arrived = decode(encode([value]))[0]
    assert arrived.dtype == value.dtype.newbyteorder("<")
    assert arrived.shape == value.shape
    assert np.array_equal(arrived, value)
    arrived[...] = 0


def test_an_array_of_the_array_module_arrives_as_numpy_array():
    arrived = decode(encode(array.array("d", [1.5, 2.5])))
    assert arrived.dtype == "f8"
    assert arrived.tolist() == [1.5, 2.5]


class TestWithoutNumpy:
    @pytest.fixture(autouse=True)
    def _hide_numpy(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "numpy", None)

    def test_one_dimension_is_an_array(self):
        data = encode(array.array("i", [1, -2]))
        assert decode(data) == array.array("i", [1, -2])

    @pytest.mark.parametrize(
        ("code", "items"), [("l", [-1]), ("L", [1]), ("f", [0.5]), ("Q", [2**64 - 1])]
    )
    def test_every_typecode_keeps_its_items(self, code, items):
        assert decode(encode(array.array(code, items))).tolist() == items

    @pytest.mark.filterwarnings("ignore:The 'u' type code:DeprecationWarning")
    def test_a_unicode_array_is_refused(self):
        with pytest.raises(EncodeError, match="typecode"):
            encode(array.array("u", "x"))

    def test_more_dimensions_are_a_memoryview(self):
        payload = fallback.pack(["i2", [2, 2], "C", bytes(range(8))])
        view = decode(b"\xc7" + bytes([len(payload), 3]) + payload)
        assert isinstance(view, memoryview)
        assert view.tolist() == [[0x100, 0x302], [0x504, 0x706]]

    def test_booleans_are_a_memoryview(self):
        payload = fallback.pack(["b1", [2], "C", b"\x01\x00"])
        assert decode(b"\xc7" + bytes([len(payload), 3]) + payload).tolist() == [True, False]

    @pytest.mark.parametrize(("dtype", "order"), [("i2", "F"), ("c8", "C"), ("f2", "C")])
    def test_what_needs_numpy_says_so(self, dtype, order):
        payload = fallback.pack([dtype, [1, 2], order, bytes(2 * int(dtype[1:]))])
        with pytest.raises(ValueRefused, match="needs numpy"):
            decode(b"\xc7" + bytes([len(payload), 3]) + payload)


class Odd:
    pass


class Lying(pydantic.BaseModel):
    def model_dump(self, **_options: Any) -> Any:
        raise RuntimeError("no dump today")


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append({"again": value})
    return value


async def coroutine():
    pass


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({"items": [0, 1, 2, {"when": dt.datetime(2024, 1, 1)}]}, "$.items[3].when", "time zone"),
        (Odd(), "$", "test_codec.Odd"),
        ([1, [2, object()]], "$[1][1]", "object"),
        ({"a b": {3: 1j}}, '$["a b"][3]', "complex"),
        ({"x": "a\ud800"}, "$.x", "surrogate"),
        ({"a\ud800": 1}, '$["a\\ud800"]', "surrogate"),
        ({1, Odd}, None, "no counterpart"),
        (Order(1, tags=[Odd()]), "$.tags[0]", "Odd"),
        ([dt.timedelta(1)], "$[0]", "timedelta"),
        ({"m": [Lying()]}, "$.m[0]", "no dump today"),
        ([np.array([object()])], "$[0]", "dtype object"),
        ([np.array(["2024-01-01"], "M8[D]")], "$[0]", "dtype"),
        ([np.datetime64("2024-01-01")], "$[0]", "datetime64"),
        ([10**5000], "$[0]", "digits"),
        ([(value for value in ())], "$[0]", "generator"),
        ([range(3)], "$[0]", "range"),
    ],
)
def test_a_refusal_names_the_path(value, path, message):
    with pytest.raises(EncodeError, match=message) as caught:
        encode(value)
    if path is not None:
        assert caught.value.path == path
        assert path in str(caught.value)


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"k": value}])
def test_512_levels_cross_and_one_more_is_refused(wrap):
    value: Any = 0
    for _ in range(512):
        value = wrap(value)
    arrived = decode(encode(value))
    for _ in range(512):
        arrived = arrived[0] if isinstance(arrived, list) else arrived["k"]
    assert arrived == 0
    with pytest.raises(EncodeError, match="deeper than 512") as caught:
        encode(wrap(value))
    assert len(caught.value.path) < 100


def test_a_cycle_is_refused():
    with pytest.raises(EncodeError, match="contains itself"):
        encode(cycle())


def test_a_set_of_lists_arrives_as_a_set_of_tuples():
    assert decode(encode({(1, (2,))})) == {(1, (2,))}


def test_a_map_as_item_of_a_set_is_refused():
    with pytest.raises(ValueRefused, match="dict"):
        decode(b"\xd5\x01\x91\x80")


def test_a_date_beyond_datetime_is_refused():
    with pytest.raises(ValueRefused, match="9999"):
        decode(b"\xc7\x0c\xff" + bytes(4) + (253402300800).to_bytes(8, "big"))


def test_bytes_that_are_no_value_are_refused():
    with pytest.raises(Malformed):
        decode(b"\xc1")


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.datetimes(timezones=st.just(UTC))
)
hashable = st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner) | st.dictionaries(hashable, inner) | st.sets(hashable, max_size=4)
    ),
    max_leaves=20,
)


@given(values)
def test_both_codecs_write_the_same_and_read_it_back(value):
    native = Codec()
    native.load()
    data = fallback.pack(value)
    try:
        assert native.pack(value, native.default, native.pack_options) == data
    except TypeError:
        # What it refuses is left to the codec in Python. Before 1.13 that is all dates.
        assert not hasattr(ormsgpack, "Fragment")
    assert same(fallback.unpack(data), value)
    read = native.unpack(data, ext_hook=native.ext_hook, option=native.unpack_options)
    assert same(read, value)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.binary()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(hashable, inner),
    max_leaves=20,
)


@given(plain)
def test_another_implementation_agrees(value):
    assert fallback.pack(value) == msgpack.packb(value)
    assert same(fallback.unpack(msgpack.packb(value)), value)


@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_a_value_or_are_refused(data):
    try:
        fallback.unpack(data)
    except (Malformed, ValueRefused):
        pass


@given(values, st.data())
def test_a_value_that_is_cut_short_is_refused(value, data):
    whole = fallback.pack(value)
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises((Malformed, ValueRefused)):
        fallback.unpack(part)
