"""Generators as streams, with credit."""

from __future__ import annotations

import pytest

from synapse._protocol import fallback
from synapse._protocol import header as wire

SOURCE = """
import os, time
from synapse import handler
from synapse._worker import output

closed = []
written = []

def counting(function):
    def count(*args):
        written.append(None)
        return function(*args)
    return count

output.write = counting(output.write)
os.write, os.writev = counting(os.write), counting(os.writev)

@handler
def writes(_): return len(written)

@handler
def numbers(count):
    try:
        for number in range(count):
            yield number
    finally:
        closed.append(count)

@handler
def ticks(_):
    try:
        while True:
            yield "tick"
            time.sleep(0.01)
    finally:
        closed.append("ticks")

@handler
def stuck(_):
    try:
        yield "first"
        while True:
            time.sleep(0.01)
    finally:
        closed.append("stuck")

@handler
def pauses(_):
    try:
        for number in range(20):
            yield number
        while True:
            time.sleep(0.01)
    finally:
        closed.append("pauses")

@handler
def fails(_):
    yield 1
    raise KeyError("no more")

@handler
def odd(_):
    yield object()

@handler
def letters(text):
    for letter in text[:3]:
        yield letter

@handler
def plain(value): return value

@handler
def was_closed(_): return list(closed)
"""

ASYNC = """
import asyncio
""" + SOURCE.replace("def numbers", "async def numbers").replace(
    "def ticks", "async def ticks"
).replace("def stuck", "async def stuck").replace("def pauses", "async def pauses").replace(
    "def fails", "async def fails"
).replace("def odd", "async def odd").replace("def letters", "async def letters").replace(
    "time.sleep", "await asyncio.sleep"
)


@pytest.fixture(params=["serial", "threads", "async", "serial async", "async sync"])
def worker(request, start):
    source = ASYNC if request.param in ("async", "serial async") else SOURCE
    mode = request.param.split()[0]
    return start(source, mode=mode, concurrency=4).ready()


def stream(worker, name, value=None, credit=0):
    call = worker.send(name, value, stream=True)
    if credit:
        worker.credit(call, credit)
    return call


def test_items_and_the_end(worker):
    call = stream(worker, "numbers", 3, credit=10)
    found = [worker.receive() for _ in range(4)]
    assert [frame.kind for frame in found] == ["item", "item", "item", "end"]
    assert [frame.value for frame in found] == [0, 1, 2, None]
    assert {frame.call for frame in found} == {call}


def test_nothing_is_sent_without_credit(worker):
    call = stream(worker, "numbers", 5)
    assert worker.data.is_quiet(0.1)
    worker.credit(call, 2)
    assert [worker.receive().value for _ in range(2)] == [0, 1]
    assert worker.data.is_quiet(0.1)
    worker.credit(call, 1)
    worker.credit(call, 10)
    assert [worker.receive().value for _ in range(3)] == [2, 3, 4]
    assert worker.receive().kind == "end"


def test_a_slow_stream_is_seen_item_by_item(worker):
    call = stream(worker, "stuck", credit=10)
    assert worker.receive().value == "first"
    worker.cancel(call)
    assert worker.receive().kind == "error"
    assert worker.call("was_closed") == ["stuck"]


def test_no_item_is_kept_back_for_one_that_does_not_come(worker):
    call = stream(worker, "pauses", credit=100)
    assert [worker.receive().value for _ in range(20)] == list(range(20))
    worker.cancel(call)
    assert worker.receive().kind == "error"
    assert worker.call("was_closed") == ["pauses"]


def test_items_that_come_fast_are_written_together(worker):
    """Each write costs as much as making several items."""
    stream(worker, "numbers", 2_000, credit=2_001)
    while worker.receive().kind != "end":
        pass
    assert 0 < worker.call("writes") < 500


def test_what_comes_while_the_stream_of_a_large_request_waits_for_credit_is_kept(worker):
    stream(worker, "letters", "abc" + "x" * 200_000, credit=1)
    assert worker.receive().value == "a"
    assert worker.data.is_quiet(0.1)
    streaming = worker._calls
    following, request = worker.frame("plain", "next")
    payload = wire.frame(wire.CREDIT, streaming, fallback.pack(3))
    # The second request is there in part only when the stream ends.
    large, second = worker.frame("plain", "y" * 1000)
    worker.write(request + payload + second[:500])
    found = [worker.receive() for _ in range(4)]
    assert [frame.kind for frame in found if frame.call == streaming] == ["item", "item", "end"]
    assert [frame.value for frame in found if frame.call == following] == ["next"]
    worker.write(second[500:])
    assert worker.reply(large).value == "y" * 1000


def test_cancel_while_it_waits_for_credit_closes_the_generator(worker):
    call = stream(worker, "numbers", 100, credit=1)
    assert worker.receive().value == 0
    worker.cancel(call)
    assert worker.receive().kind == "error"
    assert worker.call("was_closed") == [100]


def test_cancel_while_it_runs_closes_the_generator(worker):
    call = stream(worker, "ticks", credit=1_000_000)
    assert worker.receive().value == "tick"
    worker.cancel(call)
    while (found := worker.receive()).kind == "item":
        pass
    assert (found.kind, found.call) == ("error", call)
    assert worker.call("was_closed") == ["ticks"]


def test_an_exception_ends_the_stream(worker):
    stream(worker, "fails", credit=10)
    assert worker.receive().value == 1
    found = worker.receive()
    assert (found.kind, found.value["type"]) == ("error", "KeyError")


def test_an_item_that_cannot_cross_ends_the_stream(worker):
    stream(worker, "odd", credit=10)
    found = worker.receive()
    assert (found.kind, found.value["code"]) == ("error", "ENCODE")


def test_a_generator_called_for_one_value_answers_a_list(worker):
    assert worker.call("numbers", 3) == [0, 1, 2]


def test_a_plain_function_streams_its_only_value(worker):
    stream(worker, "plain", [1, 2], credit=10)
    assert worker.receive().value == [1, 2]
    assert worker.receive().kind == "end"


def test_calls_behind_a_stream_are_not_lost(worker):
    call, request = worker.frame("numbers", 3, stream=True)
    behind, second = worker.frame("plain", "behind")
    worker.write(request + second)
    worker.credit(call, 10)
    found = [worker.receive() for _ in range(5)]
    assert [frame.value for frame in found if frame.call == call] == [0, 1, 2, None]
    assert [frame.value for frame in found if frame.call == behind] == ["behind"]
