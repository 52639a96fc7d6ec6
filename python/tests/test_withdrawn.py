"""Calls that the host withdraws, because they have waited for too long, before they begin."""

from __future__ import annotations

import pytest

from synapse._protocol import header as wire

SOURCE = """
import asyncio, time
from synapse import handler

seen = []

@handler
def note(name):
    seen.append(name)
    return name

@handler
def size(data):
    seen.append("size")
    return len(data)

@handler
def count(total):
    seen.append("count")
    yield from range(total)

@handler
def names(_): return seen

@handler
def sleep(seconds):
    print("begun", flush=True)
    time.sleep(seconds)
"""
ASYNCHRONOUS = (
    SOURCE
    + """
@handler
async def wait(seconds):
    print("begun", flush=True)
    await asyncio.sleep(seconds)

@handler
async def note_later(name):
    seen.append(name)
    return name
"""
)
ASKING = (
    SOURCE
    + """
from synapse import host

@handler
def ask(_): return host.answer().result()
"""
)


def refused(worker, call):
    found = worker.reply(call)
    assert (found.kind, found.value["code"]) == ("error", "WITHDRAWN")


def start_heeding(start, source, **more):
    worker = start(source, withdrawals=True, stdout="inherit", **more)
    assert worker.ready().hello["withdrawals"] is True
    return worker


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_in_order_what_is_withdrawn_never_begins(start, warm):
    worker = start_heeding(start, SOURCE)
    if warm:
        for _ in range(50):
            worker.call("names", 1)
    running = worker.send("sleep", 0.5)
    calls = [worker.send("note", name) for name in ("a", "b", "c")]
    large = worker.send("size", bytes(300_000))
    huge = worker.send("size", [bytes(300_000)])
    with_extras = worker.send("note", "d", extras={"metadata": {}})
    stream = worker.send("count", 3, stream=True)
    worker.credit(stream, 9)
    last = worker.send("note", "e")
    worker.begun()
    for call in (calls[1], large, huge, with_extras, stream):
        worker.withdraw(call)
    worker.reply(running)
    assert worker.reply(calls[0]).value == "a"
    refused(worker, calls[1])
    assert worker.reply(calls[2]).value == "c"
    for call in (large, huge, with_extras, stream):
        refused(worker, call)
    assert worker.reply(last).value == "e"
    assert worker.call("names") == ["a", "c", "e"]


@pytest.mark.parametrize(
    ("source", "mode", "wait", "notes"),
    [
        (SOURCE, "threads", "sleep", ["note"]),
        (ASYNCHRONOUS, "async", "wait", ["note", "note_later"]),
    ],
    ids=["threads", "async"],
)
def test_by_number_what_is_withdrawn_never_begins(start, source, mode, wait, notes):
    worker = start_heeding(start, source, mode=mode, concurrency=1)
    running = worker.send(wait, 0.5)
    calls = [worker.send(note, name) for note in notes for name in ("a", "b", "c")]
    worker.begun()
    for call in calls[1::3]:
        worker.withdraw(call)
    worker.reply(running)
    for first, second, third in zip(calls[::3], calls[1::3], calls[2::3]):
        assert worker.reply(first).value == "a"
        refused(worker, second)
        assert worker.reply(third).value == "c"
    assert worker.call("names") == ["a", "c"] * len(notes)


def test_what_came_while_a_handler_waited_for_the_host_never_begins_either(start):
    worker = start_heeding(start, ASKING)
    asking = worker.send("ask")
    callback = worker.asked().call
    calls = [worker.send("note", name) for name in ("a", "b")]
    worker.withdraw(calls[1])
    # Of those that run out of turn the host knows nothing: they are not looked at.
    nested, data = worker.frame("note", "nested", extras={"callback": callback})
    worker.withdraw(nested)
    worker.write(data[:5] + bytes([data[5] | wire.NESTED]) + data[6:])
    assert worker.reply(nested).value == "nested"
    worker.answer(callback, wire.RESPONSE, 7)
    assert worker.reply(asking).value == 7
    assert worker.reply(calls[0]).value == "a"
    refused(worker, calls[1])
    assert worker.call("names") == ["nested", "a"]


def test_what_has_begun_is_not_withdrawn(start):
    worker = start_heeding(start, SOURCE)
    running = worker.send("sleep", 0.3)
    worker.begun()
    worker.withdraw(running)
    assert worker.reply(running).kind == "response"


def test_a_place_that_another_call_was_withdrawn_in_means_nothing(start):
    worker = start_heeding(start, SOURCE)
    running = worker.send("sleep", 0.3)
    call = worker.send("note", "a")
    worker.begun()
    worker.withdraw(call + 4096)
    worker.reply(running)
    assert worker.reply(call).value == "a"


def test_nobody_looks_where_the_host_does_not_withdraw(start):
    worker = start(SOURCE, stdout="inherit").ready()
    assert worker.hello["withdrawals"] is False
    running = worker.send("sleep", 0.3)
    call = worker.send("note", "a")
    worker.begun()
    worker.withdraw(call)
    worker.reply(running)
    assert worker.reply(call).value == "a"


@pytest.mark.parametrize("more", [{"journal": -1}, {"memory": "/dev/null"}], ids=["none", "null"])
def test_without_memory_nothing_can_be_withdrawn(start, more):
    worker = start(SOURCE, withdrawals=True, **more).ready()
    assert worker.hello["withdrawals"] is False
    assert worker.call("note", "a") == "a"
