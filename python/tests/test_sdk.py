"""The public functions, as user code and its unit tests see them."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
from pathlib import Path

import pytest

import synapse
from synapse import _registry
from synapse._registry import Registry, kind_of
from synapse._signature import describe


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    fresh = Registry()
    monkeypatch.setattr(synapse, "registry", fresh)
    return fresh


def test_functions_stay_what_they_are():
    def add(a, b):
        return a + b

    async def wait(a):
        return a

    assert synapse.handler(add) is add
    assert synapse.handler(name="x")(add) is add
    assert synapse.handler(wait) is wait
    assert synapse.on_start(add) is add
    assert synapse.on_stop(add) is add
    assert add(1, 2) == 3
    assert asyncio.run(wait(1)) == 1


def test_names_and_order():
    @synapse.handler
    def first(): ...

    @synapse.handler(name="text.upper")
    def second(): ...

    assert synapse.handlers() == ["first", "text.upper"]
    assert synapse.unregister("first") is True
    assert synapse.unregister("first") is False
    assert synapse.handlers() == ["text.upper"]


def test_a_name_that_is_taken_names_both_places():
    @synapse.handler(name="same")
    def one(): ...

    with pytest.raises(ValueError, match="registered twice") as caught:

        @synapse.handler(name="same")
        def two(): ...

    places = [f"test_sdk.py:{function.__code__.co_firstlineno}" for function in (one,)]
    assert all(place in str(caught.value) for place in places)
    assert str(caught.value).count("test_sdk.py:") == 2


def test_the_same_definition_run_twice_replaces_itself():
    found = []
    for _ in range(2):

        @synapse.handler
        def again(): ...

        found.append(again)
    assert synapse.registry.handlers["again"].function is found[1]


def test_two_defaults_are_refused():
    synapse.handler(default=True, name="a")(lambda: 1)
    with pytest.raises(ValueError, match="two default handlers"):
        synapse.handler(default=True, name="b")(lambda: 2)


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"concurrency": -1}, {"timeout": 0}, {"timeout": -1.5}]
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        synapse.handler(**options)


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="callable"):
        synapse.handler(name="x")(5)


def test_what_has_no_name_needs_one():
    partial = functools.partial(int, base=2)
    with pytest.raises(ValueError, match="no name"):
        synapse.handler(partial)
    assert synapse.handler(name="binary")(partial) is partial


class TestDefault:
    def test_the_marked_one(self, registry):
        synapse.handler(name="main")(lambda: 1)
        synapse.handler(name="x", default=True)(lambda: 2)
        assert registry.default().name == "x"

    def test_the_only_one(self, registry):
        synapse.handler(name="x")(lambda: 1)
        assert registry.default().name == "x"

    def test_the_one_named_main(self, registry):
        synapse.handler(name="x")(lambda: 1)
        synapse.handler(name="main")(lambda: 2)
        assert registry.default().name == "main"

    def test_none(self, registry):
        assert registry.default() is None
        synapse.handler(name="x")(lambda: 1)
        synapse.handler(name="y")(lambda: 2)
        assert registry.default() is None


def plain(): ...


async def coroutine(): ...


def generator():
    yield


async def async_generator():
    yield


class Callable:
    async def __call__(self): ...

    def method(self): ...

    async def async_method(self): ...


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (plain, "function"),
        (coroutine, "coroutine"),
        (generator, "generator"),
        (async_generator, "async_generator"),
        (functools.partial(coroutine), "coroutine"),
        (functools.partial(functools.partial(generator)), "generator"),
        (Callable(), "coroutine"),
        (Callable().method, "function"),
        (Callable().async_method, "coroutine"),
        (Callable, "function"),
        (len, "function"),
        (functools.lru_cache(plain), "function"),
    ],
)
def test_kinds(function, kind):
    assert kind_of(function) == kind


def test_the_table_in_hello():
    def shop(a: int, /, b: str, c: list[int] | None = None, *rest, d, e: float = 1.5, **more): ...

    shop.__annotations__["return"] = None
    shop.__doc__ = "Sells."
    handler = _registry.Handler(shop, "shop", 4, 1.5, idempotent=True)
    assert describe(handler) == {
        "name": "shop",
        "kind": "function",
        "params": [
            {"name": "a", "kind": "positional", "required": True, "type": "int"},
            {"name": "b", "kind": "either", "required": True, "type": "str"},
            {"name": "c", "kind": "either", "required": False, "type": "list[int] | None"},
            {"name": "rest", "kind": "args", "required": False, "type": None},
            {"name": "d", "kind": "keyword", "required": True, "type": None},
            {"name": "e", "kind": "keyword", "required": False, "type": "float"},
            {"name": "more", "kind": "kwargs", "required": False, "type": None},
        ],
        "returns": "None",
        "doc": "Sells.",
        "concurrency": 4,
        "timeout": 1500,
        "idempotent": True,
    }


def test_types_that_are_objects_are_spelled_as_written():
    def function(a, b, c, d): ...

    function.__annotations__ = {
        "a": int,
        "b": Path,
        "c": list[int],
        "d": type(None),
        "return": dict[str, "int"],
    }
    described = describe(_registry.Handler(function, "f"))
    types = [parameter["type"] for parameter in described["params"]]
    module = Path.__module__
    assert types == ["int", f"{module}.Path", "list[int]", "None"]
    assert described["returns"].startswith("dict[str")


def test_parameters_of_methods_wrappers_and_partials():
    class Shop:
        def sell(self, item): ...

    @functools.wraps(Shop.sell)
    def wrapper(*args): ...

    def names(function):
        described = describe(_registry.Handler(function, "f"))
        return [parameter["name"] for parameter in described["params"]]

    assert names(Shop().sell) == ["item"]
    assert names(wrapper) == ["self", "item"]
    assert names(functools.partial(Shop.sell, None)) == ["item"]
    assert names(len) == ["obj"]


def test_context_outside_a_call_says_what_to_do():
    with pytest.raises(RuntimeError, match="inside a handler"):
        synapse.context()


def test_the_host_cannot_be_called_outside_a_worker():
    with pytest.raises(RuntimeError, match=r'host.call\("market\.Fetch"\) found no host'):
        synapse.host.market.Fetch({"a": 1})
    with pytest.raises(RuntimeError, match=r'"getUser".* does not run in a Synapse worker'):
        synapse.host.getUser(1)
    assert not hasattr(synapse.host, "__wrapped__")


def test_cancelled_is_no_ordinary_exception():
    assert not issubclass(synapse.Cancelled, Exception)


def test_importing_the_package_loads_nothing_slow():
    program = (
        "import sys; before = set(sys.modules); import synapse; print(*set(sys.modules) - before)"
    )
    root = Path(synapse.__file__).parents[1]
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    foreign = {name for name in loaded if not name.startswith("synapse")}
    assert foreign <= {"__future__"}
