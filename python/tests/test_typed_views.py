"""Arrays where numpy is missing: they go back as they came."""

from __future__ import annotations

import random
import sys
from array import array

import conftest
import pytest
from vectors import bytes_of

from synapse._protocol import fallback, values
from synapse._protocol.codec import Codec, decode, encode
from synapse._protocol.errors import ValueRefused

SIZES = {
    dtype: int(dtype[1:])
    for dtype in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "b1")
}


@pytest.fixture(autouse=True)
def _without_numpy(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.setattr(values, "_elements", None)


@pytest.fixture(params=["python", "c"])
def in_use(request, monkeypatch):
    fresh = conftest.use_codec(monkeypatch, request.param)
    if request.param == "c":
        # What it has bound is the fresh one.
        monkeypatch.setattr("synapse._protocol.codec.codec", fresh)


def encoded(dtype: str, shape: list[int], content: bytes, order: str = "C") -> bytes:
    return fallback.pack(
        values.Extension(values.ARRAY, fallback.pack([dtype, shape, order, content]))
    )


VECTORS = [
    entry
    for entry in conftest.vectors("values.json")["values"]
    if isinstance(entry["value"], dict)
    and "$ndarray" in entry["value"]
    and "python" in entry.get("encode", ["python"])
]


def needs_numpy(array: dict) -> bool:
    shape = array["shape"]
    is_laid_out = array["order"] == "F" and len(shape) > 1
    return is_laid_out or array["dtype"] not in SIZES or (len(shape) > 1 and 0 in shape)


@pytest.mark.parametrize("vector", [pytest.param(v, id=v["name"]) for v in VECTORS])
def test_the_golden_bytes_go_back_as_they_came_or_are_refused(vector):
    data = bytes_of(vector["hex"])
    if needs_numpy(vector["value"]["$ndarray"]):
        with pytest.raises(ValueRefused, match="needs numpy"):
            fallback.unpack(data)
    else:
        assert fallback.pack(fallback.unpack(data)).hex() == data.hex()


# Hypothesis looks for numpy itself.
@pytest.mark.parametrize("seed", range(200))
def test_every_array_goes_back_as_it_came(seed):
    choose = random.Random(seed)
    dtype = choose.choice(sorted(SIZES))
    shape = [choose.randint(1, 4) for _ in range(choose.randint(0, 4))]
    count = SIZES[dtype]
    for extent in shape:
        count *= extent
    content = bytes(choose.randrange(2 if dtype == "b1" else 256) for _ in range(count))
    data = encoded(dtype, shape, content)
    arrived = fallback.unpack(data)
    assert fallback.pack({"a": [arrived]}) == b"\x81\xa1a\x91" + data
    if len(shape) == 1 and dtype != "b1":
        assert type(arrived) is array
    else:
        assert list(arrived.shape) == shape


def test_it_does_so_whatever_the_codec(in_use):
    for dtype in ("f4", "b1", "u1"):
        data = encoded(dtype, [2, 2], bytes(4 * SIZES[dtype]))
        assert encode(decode(data)) == data
        assert encode([decode(data)]) == b"\x91" + data


@pytest.mark.usefixtures("native")
def test_a_codec_that_is_loaded_later_knows_of_it():
    view = fallback.unpack(encoded("f8", [1, 2], bytes(16)))
    later = Codec()
    later.load()
    assert later.native is True
    assert later.pack(view, later.default, later.pack_options) == encoded("f8", [1, 2], bytes(16))


def test_casts_of_it_are_arrays_and_bytes_are_bytes():
    view = fallback.unpack(encoded("f4", [2, 2], bytes(range(16))))
    content = view.tobytes()
    assert fallback.pack(view.cast("B")) == fallback.pack(content)
    assert fallback.pack(view.cast("B").cast("f")) == encoded("f4", [4], content)
    assert fallback.pack(view.cast("B").cast("f")[::2]) == encoded(
        "f4", [2], content[:4] + content[8:12]
    )
    assert fallback.pack(view.toreadonly()) == encoded("f4", [2, 2], content)


def test_views_of_other_things_are_bytes():
    for exporter in (b"abcd", bytearray(b"abcd"), array("f", [0.5])):
        view = memoryview(exporter)
        assert fallback.pack(view) == fallback.pack(bytes(view))


SOURCE = """
import sys
sys.modules["numpy"] = None
from synapse import handler

@handler
def echo(value): return value

@handler
def kind(value): return [type(value).__name__, list(value.shape), value.format]

@handler
def stream(value):
    yield value
"""


@pytest.mark.parametrize("mode", ["serial", "threads", "async"])
def test_a_worker_sends_it_back_at_any_time(start, mode):
    worker = start(SOURCE, mode=mode, concurrency=1 if mode == "serial" else 2).ready()

    def sent_back(value: values.Extension, name: str = "echo", **more: object) -> object:
        call = worker.send(name, value, **more)
        if more:
            worker.credit(call, 2)
        return worker.reply(call).value

    def array_of(rows: int) -> values.Extension:
        parts = ["f8", [rows, 2], "C", bytes(16 * rows)]
        return values.Extension(values.ARRAY, fallback.pack(parts))

    for rows in (1, 3, 400, 40_000, 1):
        given = array_of(rows)
        arrived = sent_back(given)
        assert isinstance(arrived, memoryview), rows
        assert (arrived.format, list(arrived.shape)) == ("d", [rows, 2])
        assert worker.call("kind", given) == ["memoryview", [rows, 2], "d"]
        streamed = sent_back(given, "stream", stream=True)
        assert list(streamed.shape) == [rows, 2]
        assert worker.receive().kind == "end"
        assert worker.call("echo", "text" * rows) == "text" * rows
