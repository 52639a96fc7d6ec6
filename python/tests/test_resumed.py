"""Streams whose caller has the first items."""

from __future__ import annotations

import pytest

SOURCE = """
from synapse import context, handler

closed = []

@handler
def behind():
    for number in range((context().resume_from or 0) + 1, 6):
        yield number

@handler
async def behind_async():
    for number in range((context().resume_from or 0) + 1, 6):
        yield number

@handler
def anew():
    try:
        yield from range(1, 6)
    finally:
        closed.append("anew")

@handler
async def anew_async():
    try:
        for number in range(1, 6):
            yield number
    finally:
        closed.append("anew_async")

@handler
def listed(): return iter(range(1, 6))

@handler
def late():
    yield 1
    yield context().resume_from

@handler
async def value(): return "only"

@handler
def fails():
    yield 1
    raise KeyError("again")

@handler
def endings(): return closed
"""


@pytest.fixture(params=["serial", "threads", "async"])
def worker(request, start):
    return start(SOURCE, mode=request.param, concurrency=2).ready()


def take(worker, name, resume_from, credit=100):
    """The items of a stream and its last frame."""
    extras = {"resume_from": resume_from}
    call = worker.send(name, [], form=1, stream=True, extras=extras)
    worker.credit(call, credit)
    items = []
    while (found := worker.reply(call)).kind == "item":
        items.append(found.value)
    return items, found


@pytest.mark.parametrize("name", ["behind", "behind_async", "anew", "anew_async", "listed"])
@pytest.mark.parametrize("resume_from", [1, 3, 4, 5])
def test_what_the_caller_has_does_not_come_again(worker, name, resume_from):
    # What is dropped costs no credit.
    items, last = take(worker, name, resume_from, credit=5 - resume_from + 1)
    assert items == list(range(resume_from + 1, 6))
    assert last.kind == "end"


def test_more_than_there_is_leaves_nothing(worker):
    assert [take(worker, name, 9)[0] for name in ("anew", "anew_async", "listed")] == [[], [], []]


def test_who_asks_behind_the_first_item_has_begun_anew(worker):
    assert take(worker, "late", 1)[0] == [None]


def test_a_plain_value_is_the_first_item(worker):
    items, last = take(worker, "value", 1)
    assert (items, last.kind) == ([], "end")


def test_an_error_among_what_is_dropped_is_told(worker):
    items, last = take(worker, "fails", 3)
    assert (items, last.value["type"]) == ([], "KeyError")


@pytest.mark.parametrize("name", ["anew", "anew_async"])
def test_a_cancel_closes_the_handler(worker, name):
    call = worker.send(name, [], form=1, stream=True, extras={"resume_from": 2})
    worker.credit(call, 1)
    assert worker.reply(call).value == 3
    worker.cancel(call)
    assert worker.reply(call).kind == "error"
    assert worker.call("endings", [], form=1) == [name]
