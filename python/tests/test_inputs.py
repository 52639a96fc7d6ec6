"""Input streams, as the host sees them."""

from __future__ import annotations

import struct

import pytest

from synapse._protocol import fallback
from synapse._protocol import header as wire

SOURCE = """
from synapse import handler

kept = []

@handler
def collect(items): return list(items)

@handler
async def collect_async(items): return [item async for item in items]

@handler
def first(items):
    for item in items:
        return item

@handler
def ignore(items): return repr(items)

@handler
def keep(items):
    kept.append(items)
    return [next(items), repr(items)]

@handler
def close(_):
    kept[-1].close()
    return [list(kept[-1]), repr(kept[-1])]

@handler
async def blocks(items):
    return list(items)
"""

REFERENCE = wire.CALLBACK_ID | 9
MODES = ["serial", "threads", "async"]


@pytest.fixture(params=MODES)
def worker(request, start):
    return start(SOURCE, mode=request.param, concurrency=2).ready()


def send(worker, name, reference=REFERENCE):
    """Sends a request whose argument is an input stream."""
    content = b"\xce" + struct.pack(">I", reference)
    payload = bytes([0xC7, len(content), 6]) + content
    number = worker.number(name)
    call = 100 + number
    worker.write(
        struct.pack("<IBBHI", 8 + len(payload), wire.REQUEST, wire.FUNCTIONS, number, call)
        + payload
    )
    return call


@pytest.mark.parametrize("name", ["collect", "collect_async"])
def test_items_come_at_the_pace_of_credit_which_grows(worker, name):
    call = send(worker, name)
    asked = worker.asked()
    assert asked.value == {"function": REFERENCE, "args": [], "call": call, "credit": 32}
    sent, allowed, grants = 0, 32, []
    while sent < 5000:
        for _ in range(allowed):
            worker.answer(asked.call, wire.ITEM, sent)
            sent += 1
        credit = worker.receive()
        while credit.kind == "credit" and worker.data.data:
            grants.append(credit.value)
            credit = worker.receive()
        assert (credit.kind, credit.call) == ("credit", asked.call)
        grants.append(credit.value)
        allowed = credit.value
    assert 256 < max(grants) <= 1024
    worker.answer(asked.call, wire.END)
    while (found := worker.receive()).kind == "credit":
        pass
    assert found.value == list(range(sent))


def test_nothing_is_asked_for_before_the_handler_does_and_what_is_unread_is_released(worker):
    call = send(worker, "ignore")
    found = {frame.kind: frame for frame in (worker.receive(), worker.receive())}
    assert found["release"].call == REFERENCE
    assert (found["response"].call, found["response"].value) == (call, "<host stream not begun>")


def test_a_stream_that_is_left_early_is_given_up_once(worker):
    call = send(worker, "first")
    asked = worker.asked()
    worker.answer(asked.call, wire.ITEM, "one")
    found = {frame.kind: frame for frame in (worker.receive(), worker.receive())}
    assert found["cancel"].call == asked.call
    assert (found["response"].call, found["response"].value) == (call, "one")
    assert worker.data.is_quiet(0.05)


def test_a_stream_that_was_closed_is_at_its_end(worker):
    call = send(worker, "keep")
    asked = worker.asked()
    worker.answer(asked.call, wire.ITEM, "one")
    assert worker.reply(call).value == ["one", "<host stream under way>"]
    call = worker.send("close")
    found = {frame.kind: frame for frame in (worker.receive(), worker.receive())}
    assert found["cancel"].call == asked.call
    assert found["response"].value == [[], "<host stream closed>"]


def test_an_error_ends_it(worker):
    call = send(worker, "collect")
    asked = worker.asked()
    worker.answer(asked.call, wire.ITEM, "one")
    described = {"code": "HOST_ERROR", "type": "RangeError", "message": "too far"}
    worker.answer(asked.call, wire.ERROR, described)
    error = worker.reply(call).value
    assert (error["type"], error["message"]) == ("synapse.HostError", "RangeError: too far")


def test_the_cancel_of_the_call_gives_it_up(worker):
    call = send(worker, "collect")
    asked = worker.asked()
    worker.cancel(call)
    found = {frame.kind: frame for frame in (worker.receive(), worker.receive())}
    assert found["cancel"].call == asked.call
    assert found["error"].call == call


def test_plain_iteration_in_a_coroutine_is_refused_with_the_way_out(worker):
    call = send(worker, "blocks")
    found = [worker.receive() for _ in range(3)]
    assert sorted(frame.kind for frame in found) == ["callback", "cancel", "error"]
    error = next(frame for frame in found if frame.kind == "error")
    assert error.call == call
    assert "use `await` or `async for`" in error.value["message"]


def test_a_payload_that_is_no_reference_fails_the_call(worker):
    content = fallback.pack("x")
    payload = bytes([0xC7, len(content), 6]) + content
    worker.write(
        struct.pack(
            "<IBBHI", 8 + len(payload), wire.REQUEST, wire.FUNCTIONS, worker.number("collect"), 7
        )
        + payload
    )
    error = worker.reply(7).value
    assert "no reference" in error["message"]
