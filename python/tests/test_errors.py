"""Exceptions as the host gets to see them."""

from __future__ import annotations

import pytest

SOURCE = """
import sys
from synapse import handler

class Base(Exception): pass

class Mine(Base):
    def __init__(self, text, **more):
        super().__init__(text)
        self.status = 404
        self.detail = {"list": [1, 2]}
        self.socket = object()
        self._private = 1

class Rude(Exception):
    def __str__(self): raise RuntimeError("no text")

def helper():
    raise Mine("mine")

@handler
def custom(_): helper()

@handler
def chained(_):
    try:
        {}["missing"]
    except KeyError as error:
        raise ValueError("outer") from error

@handler
def implicit(_):
    try:
        {}["missing"]
    except KeyError:
        raise ValueError("outer")

@handler
def suppressed(_):
    try:
        {}["missing"]
    except KeyError:
        raise ValueError("outer") from None

@handler
def looped(_):
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    raise one

@handler
def noted(_):
    error = ValueError("noted")
    error.__notes__ = ["first", "second"]
    raise error

@handler
def rude(_): raise Rude()

@handler
def missing_file(_): open("/no/such/file")

@handler
def surrogate(_): raise ValueError("a\\udcffb")

@handler
def recursion(_): return recursion(_)

@handler
def interrupt(_): raise KeyboardInterrupt

@handler
def exit_by_base(_): raise GeneratorExit

@handler
def library(_):
    import json
    json.loads("{")

@handler
def echo(value): return value
"""


@pytest.fixture
def worker(start):
    return start(SOURCE).ready()


def test_a_class_of_the_user(worker):
    error = worker.error("custom")
    assert error["code"] == "PYTHON_ERROR"
    assert error["type"] == "__main__.Mine"
    assert error["mro"] == ["__main__.Base", "Exception", "BaseException"]
    assert error["message"] == "mine"
    assert error["data"] == {"status": 404, "detail": {"list": [1, 2]}}
    assert [frame["name"] for frame in error["frames"]] == ["custom", "helper"]
    assert error["frames"][1]["text"] == 'raise Mine("mine")'
    assert error["frames"][0]["file"] == worker.config["entry"]
    lines = error["traceback"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith(", in custom")
    assert lines[-1] == "Mine: mine"
    assert "serial.py" not in error["traceback"]


@pytest.mark.parametrize("name", ["chained", "implicit"])
def test_the_cause(worker, name):
    error = worker.error(name)
    assert error["cause"]["type"] == "KeyError"
    assert error["cause"]["message"] == "'missing'"
    assert "KeyError: 'missing'" in error["traceback"]


def test_a_suppressed_context_is_no_cause(worker):
    error = worker.error("suppressed")
    assert error.get("cause") is None
    assert "KeyError" not in error["traceback"]


def test_a_loop_of_causes_ends(worker):
    error = worker.error("looped")
    assert error["cause"]["message"] == "two"
    assert error["cause"].get("cause") is None


def test_notes(worker):
    assert worker.error("noted")["notes"] == ["first", "second"]


def test_an_exception_without_text(worker):
    error = worker.error("rude")
    assert error["type"] == "__main__.Rude"
    assert "RuntimeError" in error["message"]


def test_attributes_of_built_in_exceptions(worker):
    error = worker.error("missing_file")
    assert error["type"] == "FileNotFoundError"
    assert error["mro"] == ["OSError", "Exception", "BaseException"]
    assert error["data"] == {
        "errno": 2,
        "filename": "/no/such/file",
        "strerror": "No such file or directory",
    }


def test_text_that_is_no_unicode(worker):
    assert worker.error("surrogate")["message"] == "a\\udcffb"


def test_endless_recursion(worker):
    error = worker.error("recursion")
    assert error["type"] == "RecursionError"
    assert len(error["frames"]) <= 64
    assert worker.call("echo", 1) == 1


@pytest.mark.parametrize(
    ("name", "kind"), [("interrupt", "KeyboardInterrupt"), ("exit_by_base", "GeneratorExit")]
)
def test_exceptions_beside_exception(worker, name, kind):
    assert worker.error(name)["type"] == kind
    assert worker.call("echo", 1) == 1


def test_classes_of_modules_carry_the_module(worker):
    error = worker.error("library")
    assert error["type"] == "json.decoder.JSONDecodeError"
    assert "ValueError" in error["mro"]
    assert error["data"]["pos"] == 1


@pytest.mark.parametrize("mode", ["threads", "async"])
def test_other_modes_tell_the_same(start, mode):
    worker = start(SOURCE, mode=mode).ready()
    error = worker.error("custom")
    assert [frame["name"] for frame in error["frames"]] == ["custom", "helper"]
    assert error["type"] == "__main__.Mine"


def test_coroutines_tell_the_same(start):
    source = "from synapse import handler\n@handler\nasync def fails(_): return {}['x']\n"
    error = start(source).ready().error("fails")
    assert [frame["name"] for frame in error["frames"]] == ["fails"]
    assert error["type"] == "KeyError"
