"""What crosses in place of values that cannot, where the host has asked for it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import conftest
import numpy as np
import pytest

from synapse._protocol.codec import decode, encode

UTC = dt.timezone.utc


@pytest.fixture(params=["python", "c"], autouse=True)
def _graceful(request, monkeypatch):
    conftest.use_codec(monkeypatch, request.param, graceful=True)


def through(value: Any) -> Any:
    return decode(encode(value))


def mark(kind: str, reason: str) -> dict[str, Any]:
    return {"__unserializable__": True, "type": kind, "reason": reason}


class Odd:
    pass


class WithDict:
    def to_dict(self):
        return {"id": 1, "inner": Odd()}


class WithAsDict:
    def _asdict(self):
        return {"id": 2}


class WithList:
    size = 3

    def tolist(self):
        return [1, 2, 3]


class Large(WithList):
    size = 1_000_001


class Failing:
    def to_dict(self):
        raise RuntimeError("not now")

    def isoformat(self):
        return "now"


class Selfish:
    def to_dict(self):
        return [self]


class Everything:
    def __getattr__(self, name):
        return dict


@dataclasses.dataclass
class Order:
    id: int
    socket: Any


ODD = mark("test_graceful.Odd", "type test_graceful.Odd has no counterpart in Node")


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (Odd(), ODD),
        ([1, Odd(), "x"], [1, ODD, "x"]),
        ({"a": Odd(), "b": 2}, {"a": ODD, "b": 2}),
        ((1, {"deep": [Odd()]}), [1, {"deep": [ODD]}]),
        (Order(1, Odd()), {"id": 1, "socket": ODD}),
        (WithDict(), {"id": 1, "inner": ODD}),
        (WithAsDict(), {"id": 2}),
        (WithList(), [1, 2, 3]),
        (Failing(), "now"),
        (dt.datetime(2024, 2, 29, 1, 2), "2024-02-29T01:02:00"),
        ([dt.datetime(2024, 1, 1, tzinfo=UTC), Odd()], [dt.datetime(2024, 1, 1, tzinfo=UTC), ODD]),
        (np.array([1, "x"], object), [1, "x"]),
        (np.array(["2024-01-01"], "M8[D]"), ["2024-01-01"]),
        ({Odd: 1}, {"<type>": 1}),
        ({Odd: 1, int: 2}, {"<type>": 1, "<type> 2": 2}),
        ({"a\ud800": 1}, {"a\\ud800": 1}),
        (
            [object(), b"x", 1.5, None, True],
            [mark("object", "type object has no counterpart in Node"), b"x", 1.5, None, True],
        ),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_the_rest_crosses(value, arrives):
    assert through(value) == arrives


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        ("a\ud800", "str", "surrogate"),
        (Large(), "test_graceful.Large", "no counterpart"),
        (Everything(), "test_graceful.Everything", "no counterpart"),
        ((item for item in ()), "generator", "generator"),
        (dt.timedelta(1), "datetime.timedelta", "no counterpart"),
    ],
)
def test_what_has_no_plain_form_is_marked(value, kind, reason):
    (found,) = through([value])
    assert found["__unserializable__"] is True
    assert found["type"] == kind
    assert reason in found["reason"]


def test_an_integer_with_too_many_digits_is_marked():
    (found,) = through([10**5000])
    assert "digits" in found["reason"]


def test_a_set_keeps_its_other_items():
    found = encode({1, Odd})
    # Python cannot hold the mark in a set; Node can.
    assert b"__unserializable__" in found
    assert found[:1] in (b"\xc7", b"\xc8")


def test_a_circle_is_cut():
    value: list[Any] = [1]
    value.append({"again": value})
    assert through(value) == [1, {"again": mark("list", "it contains itself")}]
    (found,) = through(Selfish())
    assert found["reason"] == "it contains itself"


def test_what_is_too_deep_is_cut():
    value: Any = Odd()
    for _ in range(600):
        value = [value]
    depth, found = 0, through(value)
    while isinstance(found, list):
        depth, found = depth + 1, found[0]
    assert depth == 511
    assert "deeper than 512" in found["reason"]


def test_the_same_object_twice_is_no_circle():
    shared = {"x": 1}
    assert through([shared, shared, Odd()])[:2] == [shared, shared]


def test_what_can_cross_is_not_touched():
    value = {"a": [1, {2, 3}, b"x", dt.datetime(2024, 1, 1, tzinfo=UTC)], (1, 2): "t"}
    assert through(value) == value


SOURCE = """
from synapse import handler, host

class Socket: pass

class Mine(Exception):
    def __init__(self):
        super().__init__("mine")
        self.socket = Socket()
        self.status = 404

@handler
def plain(_): return {"ok": 1, "socket": Socket()}

@handler
def items(_):
    yield 1
    yield Socket()
    yield 3

@handler
def fail(_): raise Mine()

@handler
def ask(_): return host.echo([1, Socket()]).result()
"""


@pytest.mark.parametrize("mode", ["serial", "async", "threads"])
class TestInTheWorker:
    @pytest.fixture
    def worker(self, start, mode):
        return start(SOURCE, values="graceful", mode=mode).ready()

    def test_a_result(self, worker):
        found = worker.call("plain")
        assert found["ok"] == 1
        assert found["socket"]["type"] == "__main__.Socket"

    def test_the_items_of_a_stream(self, worker):
        call = worker.send("items", None, stream=True)
        worker.credit(call, 10)
        found = [worker.reply(call) for _ in range(4)]
        assert [one.kind for one in found] == ["item", "item", "item", "end"]
        assert found[0].value == 1
        assert found[1].value["type"] == "__main__.Socket"

    def test_the_attributes_of_an_error(self, worker):
        error = worker.error("fail")
        assert error["data"]["status"] == 404
        assert error["data"]["socket"]["type"] == "__main__.Socket"
        assert "omitted" not in error

    def test_the_arguments_of_a_callback(self, worker):
        from synapse._protocol import header as wire

        call = worker.send("ask")
        asked = worker.asked()
        first, second = asked.value["args"][0]
        assert first == 1
        assert second["type"] == "__main__.Socket"
        worker.answer(asked.call, wire.RESPONSE, "fine")
        assert worker.reply(call).value == "fine"
