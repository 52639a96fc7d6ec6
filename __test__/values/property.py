"""Values across the real pipe: echoes, and values of its own that Node echoes."""

import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import pathlib
import uuid

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.extra import numpy as arrays

from synapse import handler, host

UTC = dt.timezone.utc


def types(value):
    """The types of a value and of what it holds; sets in an order of their own."""
    kind = type(value).__name__
    if isinstance(value, np.ndarray):
        return ["ndarray", value.dtype.str[1:], list(value.shape)]
    if isinstance(value, (list, tuple)):
        return [kind, [types(item) for item in value]]
    if isinstance(value, (set, frozenset)):
        found = [types(item) for item in value]
        return [kind, sorted(found, key=lambda tree: json.dumps(tree, separators=(",", ":")))]
    if isinstance(value, dict):
        return [kind, [[types(key), types(item)] for key, item in value.items()]]
    return kind


@handler
def echo(value):
    return [value, types(value)]


# ------------------------------------------------------------------------- values of Python's own


class Color(enum.Enum):
    RED = "red"
    BLUE = 2


@dataclasses.dataclass
class Order:
    id: int
    note: str


text = st.text(st.characters(exclude_categories=["Cs"]))
zones = st.timezones() | st.just(UTC)
dtypes = (
    arrays.integer_dtypes(endianness="?")
    | arrays.unsigned_integer_dtypes(endianness="?")
    | arrays.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | arrays.complex_number_dtypes(endianness="?", sizes=(64, 128))
    | arrays.boolean_dtypes()
)
shaped = st.builds(
    lambda array, form: FORMS[form](array),
    arrays.arrays(dtypes, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    st.sampled_from(("plain", "fortran", "reversed", "strided")),
)
FORMS = {
    "plain": lambda array: array,
    "fortran": np.asfortranarray,
    "reversed": lambda array: array[..., ::-1] if array.ndim else array,
    "strided": lambda array: array[::2] if array.ndim else array,
}
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**90), 2**90)
    | st.floats()
    | text
    | st.binary()
    | st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29), timezones=zones)
    | st.dates()
    | st.times()
    | st.decimals()
    | st.uuids()
    | st.sampled_from(Color)
    | st.builds(pathlib.PurePosixPath, st.sampled_from(("/a", "b/c")))
    | st.builds(Order, st.integers(0, 9), text)
    | st.integers(-9, 9).map(np.int32)
    | st.floats(width=32).map(np.float32)
    | shaped
)
plain_keys = st.integers(-(2**63), 2**64 - 1) | text
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(text, inner, max_size=4)
        | st.dictionaries(st.integers(-(2**70), 2**70), inner, max_size=4)
        | st.sets(plain_keys, max_size=4)
        | st.frozensets(text, max_size=4)
    ),
    max_leaves=8,
)

#: What Node has for the numbers of numpy; the others are an NdArray with their type.
TYPED = {
    "b1": "Uint8Array",
    "i1": "Int8Array",
    "u1": "Uint8Array",
    "i2": "Int16Array",
    "u2": "Uint16Array",
    "i4": "Int32Array",
    "u4": "Uint32Array",
    "i8": "BigInt64Array",
    "u8": "BigUint64Array",
    "f4": "Float32Array",
    "f8": "Float64Array",
}


def expected(value):
    """What the table of docs/values.md says: what it is in Node, and what comes back from there."""
    if isinstance(value, (np.int32, np.float32)):
        return expected(value.item())
    if value is None:
        return "null", None
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int):
        return ("number" if abs(value) < 2**53 else "bigint"), value
    if isinstance(value, float):
        # JavaScript has one kind of number: a whole one comes back as int.
        whole = value.is_integer() and abs(value) < 2**53 and str(value) != "-0.0"
        return "number", int(value) if whole else value
    if isinstance(value, str):
        return "string", value
    if isinstance(value, bytes):
        return "Buffer", value
    if isinstance(value, dt.datetime):
        # A Date counts milliseconds.
        moment = value.astimezone(UTC)
        return "Date", moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    if isinstance(value, (dt.date, dt.time)):
        return "string", value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID, pathlib.PurePath)):
        return "string", str(value)
    if isinstance(value, Color):
        return expected(value.value)
    if isinstance(value, Order):
        return expected({"id": value.id, "note": value.note})
    if isinstance(value, np.ndarray):
        return expected_array(value)
    if isinstance(value, (list, tuple)):
        found = [expected(item) for item in value]
        return ["Array", [one for one, _ in found]], [other for _, other in found]
    if isinstance(value, (set, frozenset)):
        return ["Set", sorted({str(expected(item)[0]) for item in value})], set(value)
    keys = [expected(key)[0] for key in value]
    found = [expected(item) for item in value.values()]
    back = dict(zip(value, (other for _, other in found)))
    if all(isinstance(key, str) for key in value):
        return ["Object", [one for one, _ in found]], back
    return ["Map", [[key, one] for key, (one, _) in zip(keys, found)]], back


def expected_array(array):
    name = array.dtype.str[1:]
    little = array.astype(array.dtype.newbyteorder("<"))
    if array.ndim != 1 or name not in TYPED:
        return ["NdArray", name, list(array.shape)], little
    # Any Uint8Array is sent as bytes.
    back = little.tobytes() if TYPED[name] == "Uint8Array" else little
    return TYPED[name], back


def same(one, other):
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and one.tobytes() == other.tobytes()
        )
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or (
            one == other and math.copysign(1, one) == math.copysign(1, other)
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        # Node sorts names that are whole numbers to the front.
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


def complaint(value, back, told):
    """What is wrong with an echo, or None."""
    kind, wanted = expected(value)
    if normal(told) != normal(kind):
        return f"{value!r} is {told} in Node, not {kind}"
    if not same(wanted, back):
        return f"{value!r} came back as {back!r}, not as {wanted!r}"
    return None


def normal(tree):
    """The items of objects in any order."""
    if isinstance(tree, (list, tuple)):
        parts = [normal(part) for part in tree]
        if parts and parts[0] == "Object":
            parts[1] = sorted(parts[1], key=str)
        return parts
    return tree


def exploring(count, number):
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    rules = settings(max_examples=count, database=None, deadline=None, suppress_health_check=checks)
    return lambda test: seed(number)(rules(given(values)(test)))


@handler
def explore(count, number):
    seen = [0]

    @exploring(count, number)
    def check(value):
        seen[0] += 1
        back, told = host.echo(value).result()
        assert complaint(value, back, told) is None, complaint(value, back, told)

    check()
    return seen[0]


generated = []


@handler
def generate(count, number):
    generated.clear()

    @exploring(int(count), number)
    def collect(value):
        generated.append(value)

    collect()
    for index, value in enumerate(generated):
        yield [index, value]


@handler
def compare(index, back, told):
    return complaint(generated[index], back, told)
