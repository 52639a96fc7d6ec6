"""A serial worker's loop lends the channel to code that waits for the host, and gets it back."""

from __future__ import annotations

import os
import select

import pytest

from synapse._protocol import fallback
from synapse._protocol import header as wire
from synapse._worker.bell import hush, make_bell, ring

SOURCE = """
import sys, threading, time
from synapse import handler, host

@handler
def served(_):
    frame = sys._getframe(1)
    return [frame.f_code.co_name, frame.f_code.co_filename.rpartition("/")[2]]

@handler
def ask(value):
    return host.echo(value).result()

@handler
def start(value):
    host.echo(value)

@handler
def echo(value): return value

@handler
def size(value): return len(value)

found = []

@handler
def ask_in_thread(value):
    thread = threading.Thread(target=lambda: found.append(host.echo(value).result()))
    thread.start()
    while not found:
        time.sleep(0.001)
    return found.pop()

@handler
def begin_thread(value):
    threading.Thread(target=lambda: found.append(host.echo(value).result())).start()

@handler
def found_so_far(_): return found

calls = []

@handler
def asks_and_yields(_):
    calls.append(host.echo("kept"))
    for number in range(3):
        yield number
    yield calls.pop().result()
"""

LOOP = ["serve", "serial.py"]


@pytest.fixture
def worker(start):
    return start(SOURCE, mode="serial").ready()


def test_after_a_call_of_the_host_the_loop_goes_on(worker):
    assert worker.call("served") == LOOP
    for number in range(3):
        call = worker.send("ask", number)
        worker.answer(worker.asked().call, wire.RESPONSE, "answer")
        assert worker.reply(call).value == "answer"
        assert worker.call("served") == LOOP


def test_calls_that_came_meanwhile_are_run_in_order_and_then_the_loop_goes_on(worker):
    frames = [worker.frame("ask", 0)]
    frames += [worker.frame("echo", number) for number in range(50)]
    frames += [worker.frame("ask", 1), worker.frame("echo", "last")]
    data = b"".join(frame for _, frame in frames)
    # The last one comes in two parts: one is read before the host is called, one after.
    worker.write(data[:-3])
    asked = worker.asked().call
    worker.write(data[-3:] + wire.frame(wire.RESPONSE, asked, fallback.pack("first")))
    found = [worker.receive().value for _ in range(51)]
    worker.answer(worker.asked().call, wire.RESPONSE, "second")
    found += [worker.receive().value for _ in range(2)]
    assert found == ["first", *range(50), "second", "last"]
    assert worker.call("served") == LOOP


def test_a_frame_that_has_come_in_part_goes_with_the_channel(worker):
    call, large = worker.frame("size", b"x" * 300_000)
    small, tail = worker.frame("echo", "tail")
    for cut in (5, 12, 1000, len(large) - 1000, len(large) - 1):
        first = worker.send("ask", cut)
        asked = worker.asked().call
        worker.write(wire.frame(wire.RESPONSE, asked, fallback.pack(cut)) + large[:cut])
        assert worker.reply(first).value == cut
        worker.write(large[cut:] + tail)
        assert worker.reply(call).value == 300_000
        assert worker.reply(small).value == "tail"
        assert worker.call("served") == LOOP


def test_a_thread_is_answered_while_the_loop_runs_a_later_call(worker):
    for number in range(3):
        call = worker.send("ask_in_thread", number)
        worker.answer(worker.asked().call, wire.RESPONSE, f"answer {number}")
        assert worker.reply(call).value == f"answer {number}"
        call = worker.send("ask", number)
        worker.answer(worker.asked().call, wire.RESPONSE, "main")
        assert worker.reply(call).value == "main"


def test_a_thread_that_waits_between_calls_does_not_keep_the_channel(worker):
    assert worker.call("begin_thread", 1) is None
    asked = worker.asked().call
    # While it waits other calls are served.
    assert worker.call("echo", "meanwhile") == "meanwhile"
    worker.answer(asked, wire.RESPONSE, "answer")
    while worker.call("found_so_far") != ["answer"]:
        pass
    # The thread may take a moment more to leave.
    while worker.call("served") != LOOP:
        pass


def test_an_answer_that_nobody_waits_for_disturbs_no_call(worker):
    call = worker.send("start", 1)
    asked = worker.asked().call
    assert worker.reply(call).value is None
    worker.answer(asked, wire.RESPONSE, "unwanted")
    assert worker.call("served") == LOOP


def test_an_answer_that_comes_while_a_stream_waits_for_credit_is_kept(worker):
    call = worker.send("asks_and_yields", stream=True)
    worker.credit(call, 1)
    asked = worker.asked().call
    assert worker.reply(call).value == 0
    worker.answer(asked, wire.RESPONSE, "kept")
    for expected in (1, 2, "kept"):
        worker.credit(call, 1)
        assert worker.reply(call).value == expected
    worker.credit(call, 1)
    assert worker.reply(call).kind == "end"
    assert worker.call("served") == LOOP


def test_cancels_that_nobody_hears_do_not_stop_the_worker(worker):
    call = worker.send("ask", 0)
    worker.answer(worker.asked().call, wire.RESPONSE, None)
    worker.reply(call)
    # More than a pipe holds.
    for unknown in range(70_000):
        worker.cancel(100_000 + unknown)
    call = worker.send("ask", 1)
    worker.asked()
    worker.cancel(call)
    found = [worker.receive(), worker.receive()]
    assert {frame.kind for frame in found} == {"cancel", "error"}


def test_a_bell_that_is_full_rings_all_the_same():
    listening, ringing = make_bell()
    try:
        for _ in range(70_000):
            ring(ringing)
        assert select.select([listening], [], [], 0)[0]
        while select.select([listening], [], [], 0)[0]:
            hush(listening)
        ring(ringing)
        assert select.select([listening], [], [], 0)[0]
    finally:
        os.close(listening)
        os.close(ringing)
