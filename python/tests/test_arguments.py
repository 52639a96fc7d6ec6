"""Arguments against parameters and type hints."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import functools
import pathlib
import typing
import uuid
from collections import abc
from typing import Any, Callable, Literal, NamedTuple, Optional, TypedDict, Union

import numpy as np
import pydantic
import pytest

from synapse import ValidationError
from synapse._arguments import checked

UTC = dt.timezone.utc
NOW = dt.datetime(2024, 2, 29, tzinfo=UTC)
IDENTITY = uuid.UUID(int=1)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Item:
    when: dt.datetime
    color: Color = Color.RED
    children: list[Item] = dataclasses.field(default_factory=list)
    made: int = dataclasses.field(default=7, init=False)


@dataclasses.dataclass
class Positive:
    value: int

    def __post_init__(self):
        if self.value < 0:
            raise ValueError("it is negative")


class Model(pydantic.BaseModel):
    id: int
    tags: list[str] = []


class Row(TypedDict):
    id: int


class Point(NamedTuple):
    x: int
    y: float = 0.5


class Unknown:
    pass


UserId = typing.NewType("UserId", int)
Variable = typing.TypeVar("Variable")


def one(hint: Any) -> Callable[[Any], Any]:
    def handler(value):
        return value

    handler.__annotations__ = {"value": hint}
    return checked(handler)


FITTING = [
    (int, 1, 1),
    (float, 1, 1),
    (float, 0.5, 0.5),
    (complex, 1, 1),
    (bool, True, True),
    (str, "x", "x"),
    (None, None, None),
    (bytes, b"x", b"x"),
    (bytes, memoryview(b"x"), b"x"),
    (bytearray, b"x", bytearray(b"x")),
    (list, [1, "x"], [1, "x"]),
    (list[int], [1], [1]),
    (abc.Sequence, [1], [1]),
    (abc.Sequence[int], [1], [1]),
    (abc.Iterable[int], {1}, {1}),
    (tuple, [1, 2], (1, 2)),
    (tuple[int, str], [1, "x"], (1, "x")),
    (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (dict[tuple[int, int], str], {(1, 2): "x"}, {(1, 2): "x"}),
    (abc.Mapping[str, Any], {"a": 1}, {"a": 1}),
    (set[int], {1}, {1}),
    (frozenset[int], {1}, frozenset({1})),
    (frozenset, {1}, frozenset({1})),
    (Optional[int], None, None),
    (Union[int, str], "x", "x"),
    (Union[dt.date, str], "2024-02-29", "2024-02-29"),
    (Union[uuid.UUID, None], str(IDENTITY), IDENTITY),
    (Literal["a", 1], 1, 1),
    (Any, object, object),
    (object, 1, 1),
    (Variable, 1, 1),
    (UserId, 1, 1),
    (Unknown, 1, 1),
    ("Nowhere", 1, 1),
    ("int", 1, 1),
    ("Optional[Color]", "red", Color.RED),
    (Callable[[int], int], len, len),
    (dt.datetime, NOW, NOW),
    (dt.date, "2024-02-29", dt.date(2024, 2, 29)),
    (dt.time, "01:02:03", dt.time(1, 2, 3)),
    (decimal.Decimal, "1.10", decimal.Decimal("1.10")),
    (uuid.UUID, str(IDENTITY), IDENTITY),
    (pathlib.Path, "/a", pathlib.Path("/a")),
    (Color, "blue", Color.BLUE),
    (Item, {"when": NOW}, Item(NOW)),
    (Item, {"when": NOW, "children": [{"when": NOW}]}, Item(NOW, children=[Item(NOW)])),
    (Model, {"id": 1, "tags": ["x"]}, Model(id=1, tags=["x"])),
    (Row, {"id": 1, "more": 2}, {"id": 1, "more": 2}),
    (Point, [1], Point(1)),
    (Point, {"x": 1, "y": 2}, Point(1, 2)),
]


@pytest.mark.parametrize(("hint", "value", "arrives"), FITTING, ids=lambda value: repr(value)[:40])
def test_what_fits_arrives_as(hint, value, arrives):
    found = one(hint)(value)
    assert found == arrives
    assert type(found) is type(arrives)


REFUSED = [
    (int, True, "$.value", "expected int, got bool True"),
    (int, 1.5, "$.value", "expected int, got float 1.5"),
    (int, None, "$.value", "expected int, got None"),
    (float, "1", "$.value", "expected float, got str '1'"),
    (str, 1, "$.value", "expected str"),
    (bool, 0, "$.value", "expected bool"),
    (bytes, "x", "$.value", "expected bytes"),
    (None, 0, "$.value", "expected None"),
    ("int", "x", "$.value", "expected int"),
    (list[int], [1, "x"], "$.value[1]", "expected int"),
    (list[int], "x", "$.value", "expected list"),
    (abc.Sequence[int], {1}, "$.value", "expected Sequence"),
    (tuple[int, str], [1], "$.value", "expected 2 items, got 1"),
    (tuple[int, str], [1, 2], "$.value[1]", "expected str"),
    (dict[str, list[int]], {"a b": ["x"]}, '$.value["a b"][0]', "expected int"),
    (dict[int, str], {"a": "x"}, "$.value.a", "expected int"),
    (set[int], [1], "$.value", "expected set"),
    (Optional[int], "x", "$.value", "expected int, got str"),
    (Union[int, str], 1.5, "$.value", "expected int | str, got float"),
    (Optional[Item], {"when": 1}, "$.value.when", "expected datetime"),
    (Literal["a", 1], True, "$.value", "expected one of 'a', 1, got bool True"),
    (Callable[[int], int], 1, "$.value", "expected function"),
    (dt.datetime, "2024-02-29", "$.value", "expected datetime"),
    (dt.date, "yesterday", "$.value", "expected date, got str 'yesterday'"),
    (uuid.UUID, "x", "$.value", "expected uuid.UUID"),
    (Color, "green", "$.value", "expected one of 'red', 'blue', got str 'green'"),
    (Item, {}, "$.value.when", "is missing"),
    (Item, {"when": NOW, "made": 1}, "$.value.made", "is unknown; there are when, color"),
    (Item, [1], "$.value", "expected"),
    (Item, {"when": NOW, "children": [{"when": 1}]}, "$.value.children[0].when", "datetime"),
    (Positive, {"value": -1}, "$.value", "it is negative"),
    (Model, {"id": 1, "tags": ["x", 2]}, "$.value.tags[1]", "valid string"),
    (Row, {}, "$.value.id", "is missing"),
    (Point, [1, 2, 3], "$.value", "at most 2 items"),
    (Point, {"y": 1}, "$.value.x", "is missing"),
    (np.ndarray, [1], "$.value", "expected numpy.ndarray"),
    (int, "x" * 1000, "$.value", "…"),
]


@pytest.mark.parametrize(
    ("hint", "value", "path", "message"), REFUSED, ids=lambda value: repr(value)[:40]
)
def test_what_does_not_fit_is_refused_with_its_path(hint, value, path, message):
    with pytest.raises(ValidationError) as caught:
        one(hint)(value)
    assert caught.value.path == path
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


class TestParameters:
    def test_of_every_kind_are_checked(self):
        def handler(a: int, /, b: int, *more: int, c: int = 0, **others: int):
            return a, b, more, c, others

        function = checked(handler)
        assert function(1, 2, 3, c=4, d=5) == (1, 2, (3,), 4, {"d": 5})
        for args, kwargs, path in [
            (("x", 2), {}, "$.a"),
            ((1,), {"b": "x"}, "$.b"),
            ((1, 2, 3, "x"), {}, "$.more[1]"),
            ((1, 2), {"c": "x"}, "$.c"),
            ((1, 2), {"d": "x"}, "$.d"),
        ]:
            with pytest.raises(ValidationError) as caught:
                function(*args, **kwargs)
            assert caught.value.path == path

    def test_that_are_positional_only_or_named_like_built_ins(self):
        def handler(type: int, /, int: str = "x"):  # noqa: A002
            return type, int

        function = checked(handler)
        assert function(1) == (1, "x")
        assert function(1, int="y") == (1, "y")
        with pytest.raises(TypeError, match="positional"):
            function(type=1)

    def test_keep_their_defaults_whatever_the_hint(self):
        def handler(a: int = None, b: list[int] = ()):  # noqa: RUF013
            return a, b

        function = checked(handler)
        assert function() == (None, ())
        assert function(None) == (None, ())
        assert function(1, [2]) == (1, [2])

    def test_of_a_bound_method(self):
        class Service:
            def method(self, value: int):
                return value

        function = checked(Service().method)
        assert function(1) == 1
        with pytest.raises(ValidationError):
            function("x")

    def test_without_hints_cost_nothing(self):
        def handler(a, b) -> int:
            return a + b

        assert checked(handler) is handler

    def test_of_which_all_let_every_value_pass_cost_nothing(self):
        def handler(a: Any, b: object) -> int:
            return a + b

        assert handler.__annotations__["a"] == "Any"
        assert checked(handler) is handler
        handler.__annotations__ = {"a": Any, "b": object, "return": int}
        assert checked(handler) is handler

    def test_that_let_every_value_pass_do_not_slow_down_the_others(self):
        def handler(a: Any, b: int):
            return a, b

        function = checked(handler)
        function.__globals__["__check"] = None
        assert function([], 1) == ([], 1)

    def test_behind_a_decorator_are_left_alone(self):
        def double(function):
            @functools.wraps(function)
            def wrapper(value):
                return function(value, value)

            return wrapper

        @double
        def handler(a: int, b: int):
            return a, b

        assert checked(handler)("x") == ("x", "x")


SOURCE = """
from synapse import ValidationError, handler, handlers

@handler
def add(a: int, b: int = 1) -> int:
    return a + b

@handler
async def later(a: int):
    return a

@handler
def items(count: int):
    yield from range(count)

@handler
def plain(a, b):
    return [a, b]

@handler(validate=False)
def trusting(a: int):
    return a

@handler(validate=True)
def strict(a: int):
    return a

@handler
def inner():
    return add()

@handler
def own(value):
    raise ValidationError("must not be empty", "$.value")

measure = handler(name="measure")(len)
"""


@pytest.mark.parametrize("mode", ["serial", "async", "threads"])
class TestInTheWorker:
    @pytest.fixture
    def worker(self, start, mode):
        return start(SOURCE, mode=mode).ready()

    def test_types(self, worker):
        assert worker.call("add", [1, 2], form=1) == 3
        for name in ("add", "later", "items"):
            error = worker.error(name, "x")
            assert error["code"] == "VALIDATION"
            assert error["data"]["path"] in ("$.a", "$.count")
        assert worker.call("later", 1) == 1
        assert worker.call("items", 3) == [0, 1, 2]

    @pytest.mark.parametrize(
        ("name", "call", "path", "message"),
        [
            ("plain", (1, [1]), "$.b", "plain() missing 1 required positional argument"),
            ("plain", (1, [1, 2, 3]), "$", "takes 2 positional arguments but 3"),
            ("plain", (2, {"a": 1, "b": 2, "c": 3}), "$.c", "unexpected keyword"),
            ("plain", (0, 1), "$.b", "missing 1"),
            ("add", (1, []), "$.a", "add() missing 1"),
            ("later", (1, []), "$.a", "later() missing 1"),
            ("items", (1, [1, 2]), "$", "items() takes 1"),
            ("measure", (1, []), "$.obj", "len() takes exactly one"),
        ],
    )
    def test_number_and_names(self, worker, name, call, path, message):
        form, value = call
        error = worker.error(name, value, form=form)
        assert error["code"] == "VALIDATION"
        assert error["data"]["path"] == path
        assert message in error["message"]
        assert worker.call("plain", [1, 2], form=1) == [1, 2]

    def test_a_type_error_of_the_handler_is_its_own(self, worker):
        assert worker.error("inner", [], form=1)["code"] == "PYTHON_ERROR"
        assert worker.error("measure", 5)["code"] == "PYTHON_ERROR"

    def test_a_handler_may_say_so_itself(self, worker):
        error = worker.error("own", "")
        assert error["code"] == "VALIDATION"
        assert error["data"]["path"] == "$.value"

    def test_a_handler_decides_for_itself(self, worker):
        assert worker.call("trusting", "x") == "x"


def test_the_host_may_switch_the_check_of_types_off(start):
    worker = start(SOURCE, validate=False).ready()
    assert worker.error("add", "x")["type"] == "TypeError"
    assert worker.error("add", "x")["code"] == "PYTHON_ERROR"
    assert worker.error("strict", "x")["code"] == "VALIDATION"
    assert worker.error("plain", 1)["code"] == "VALIDATION"


def test_frames_of_the_check_do_not_show(start):
    worker = start(
        "from synapse import handler\n@handler\ndef broken(a: int):\n    return 1 / 0\n"
    ).ready()
    error = worker.error("broken", 1)
    assert [frame["name"] for frame in error["frames"]] == ["broken"]
    assert "<synapse>" not in error["traceback"]


def test_hello_tells_the_parameters_as_before(start):
    worker = start(SOURCE).ready()
    about = next(one for one in worker.hello["handlers"] if one["name"] == "add")
    assert [parameter["name"] for parameter in about["params"]] == ["a", "b"]
    assert about["returns"] == "int"
