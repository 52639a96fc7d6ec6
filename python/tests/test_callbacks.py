"""Calls of the host, as the host sees them."""

from __future__ import annotations

import struct
import time

import pytest

from synapse import HandlerNotFound, HostError
from synapse._errors import error_map
from synapse._host_errors import make_error
from synapse._protocol import fallback
from synapse._protocol import header as wire

SOURCE = """
import gc, threading, time
from synapse import Cancelled, HostError, context, handler, host

@handler
def ask(*args, **kwargs):
    return host.market.Fetch(*args, **kwargs).result()

@handler
def unawaited(value): return host.echo(value)

@handler
def collect(_):
    return list(host.numbers())

@handler
def first(_):
    for item in host.numbers():
        return item

@handler
def drop(_):
    host.numbers()

@handler
def patient(_):
    call = host.slow()
    try:
        call.result(timeout=0.01)
    except TimeoutError:
        done = call.done()
        print("over", flush=True)
        return [done, call.result()]

@handler
def stubborn(_):
    try:
        host.slow().result()
    except Cancelled:
        time.sleep(0.01)
        raise

@handler
def echo(value): return value

@handler
def in_thread(_):
    found = []
    def run():
        found.append(host.slow().result())
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found

stored = []

@handler
def store(function):
    stored.append(function)
    return repr(function)

@handler
def use(value): return stored[-1](value, flag=True).result()

@handler
def release(_):
    stored[-1].release()
    return [stored[-1].released, repr(stored[-1])]

@handler
def forget(_): stored.clear()

@handler
def back(function): return function

@handler
def unanswered(_):
    pending.append(host.slow())

pending = []

@handler
def join(_): return pending.pop().result()

@handler
def stream(_):
    for number in range(3):
        yield [number, host.slow().result()]
"""

MODES = ["serial", "threads", "async"]


@pytest.fixture(params=MODES)
def worker(request, start):
    return start(SOURCE, mode=request.param, concurrency=2).ready()


@pytest.fixture
def serial(start):
    return start(SOURCE, mode="serial").ready()


def nested(worker, name, value, callback):
    """A request that a callback waits for."""
    payload = fallback.pack({"callback": callback}) + fallback.pack(value)
    call = 1000 + worker.number(name)
    flags = wire.EXTRAS | wire.NESTED
    header = struct.pack("<IBBHI", 8 + len(payload), wire.REQUEST, flags, worker.number(name), call)
    worker.write(header + payload)
    return call


def with_function(worker, name, reference, title="save"):
    """A request whose argument is a function."""
    content = fallback.pack([reference, title])
    payload = bytes([0xC7, len(content), 5]) + content
    call = 2000 + reference % 1000
    header = struct.pack(
        "<IBBHI", 8 + len(payload), wire.REQUEST, wire.FUNCTIONS, worker.number(name), call
    )
    return call, header + payload


def test_a_callback_of_a_call_in_a_session_says_so(start):
    for mode in ("serial", "async", "threads"):
        worker = start(SOURCE, mode=mode, concurrency=2).ready()
        data = {"id": "ada", "data": {"key": fallback.pack(1)}}
        call = worker.send("ask", None, extras={"session": data})
        asked = worker.asked()
        assert asked.value["session"] == "ada"
        worker.answer(asked.call, wire.RESPONSE, 1)
        assert worker.reply(call).value == 1
        # The next call is in none.
        call = worker.send("ask", None)
        asked = worker.asked()
        assert "session" not in asked.value
        worker.answer(asked.call, wire.RESPONSE, 2)
        assert worker.reply(call).value == 2


def test_a_callback_says_who_asks_what(worker):
    call = worker.send("ask", [[1, "two"], {"limit": 3}], form=3)
    asked = worker.asked()
    assert asked.call == wire.CALLBACK_ID | 1
    assert asked.value == {
        "name": "market.Fetch",
        "args": [1, "two"],
        "kwargs": {"limit": 3},
        "call": call,
        "credit": 32,
    }
    worker.answer(asked.call, wire.RESPONSE, {"price": 7})
    assert worker.reply(call).value == {"price": 7}
    # The next one has a number of its own.
    call = worker.send("ask", None)
    asked = worker.asked()
    assert (asked.call, asked.value["args"]) == (wire.CALLBACK_ID | 2, [None])
    worker.answer(asked.call, wire.ERROR, {"code": "HOST_ERROR", "message": "no"})
    error = worker.reply(call).value
    assert (error["type"], error["message"]) == ("synapse.HostError", "no")


def test_a_call_that_is_returned_is_waited_for(worker):
    call = worker.send("unawaited", 5)
    worker.answer(worker.asked().call, wire.RESPONSE, "five")
    assert worker.reply(call).value == "five"


def test_items_are_granted_as_they_are_taken(worker):
    call = worker.send("collect")
    asked = worker.asked().call
    for number in range(16):
        worker.answer(asked, wire.ITEM, number)
    granted = worker.receive()
    assert (granted.kind, granted.call, granted.value) == ("credit", asked, 16)
    worker.answer(asked, wire.END)
    assert worker.reply(call).value == list(range(16))


@pytest.mark.parametrize("name", ["first", "drop"])
def test_a_stream_that_nobody_wants_is_given_up(worker, name):
    call = worker.send(name)
    asked = worker.asked().call
    worker.answer(asked, wire.ITEM, "one")
    kinds = {}
    while len(kinds) < 2:
        found = worker.receive()
        kinds[found.kind] = found.call
    assert kinds == {"cancel": asked, "response": call}
    # What was on its way is dropped.
    worker.answer(asked, wire.ITEM, "two")
    worker.answer(asked, wire.END)
    assert worker.call("echo", 1) == 1


def test_a_wait_that_is_over_does_not_end_the_call(worker):
    call = worker.send("patient")
    asked = worker.asked().call
    assert worker.receive().value["text"] == "over\n"
    worker.answer(asked, wire.RESPONSE, "late")
    assert worker.reply(call).value == [False, "late"]


def test_a_cancelled_call_gives_up_its_callback(worker):
    call = worker.send("stubborn")
    asked = worker.asked().call
    worker.cancel(call)
    found = worker.receive()
    assert (found.kind, found.call) == ("cancel", asked)
    assert worker.reply(call).value["type"] == "synapse.Cancelled"
    worker.answer(asked, wire.RESPONSE, "too late")
    assert worker.call("echo", 1) == 1


def test_a_worker_that_stops_does_not_wait_for_the_host(worker):
    call = worker.send("stubborn")
    worker.asked()
    worker.shutdown()
    assert worker.reply(call).value["type"] == "synapse.Cancelled"
    assert worker.wait() == 0


def test_a_host_that_closes_the_channel_answers_nothing_more(worker):
    call = worker.send("stubborn")
    worker.asked()
    worker.close_data()
    assert worker.reply(call).value["type"] == "synapse.Cancelled"
    assert worker.wait() == 0


def test_a_thread_of_the_user_is_answered(worker):
    call = worker.send("in_thread")
    asked = worker.asked()
    # It is no call's business what the thread asks.
    assert "call" not in asked.value
    worker.answer(asked.call, wire.RESPONSE, "answer")
    assert worker.reply(call).value == ["answer"]
    call = worker.send("in_thread")
    worker.answer(worker.asked().call, wire.RESPONSE, "again")
    assert worker.reply(call).value == ["again"]


def test_a_nested_call_runs_while_its_callback_is_waited_for(worker):
    call = worker.send("ask", 1)
    asked = worker.asked().call
    inner = nested(worker, "echo", "inside", asked)
    assert worker.reply(inner).value == "inside"
    inner = nested(worker, "ask", 2, asked)
    second = worker.asked().call
    deepest = nested(worker, "echo", "deep", second)
    assert worker.reply(deepest).value == "deep"
    worker.answer(second, wire.RESPONSE, "second")
    assert worker.reply(inner).value == "second"
    worker.answer(asked, wire.RESPONSE, "first")
    assert worker.reply(call).value == "first"


def test_a_nested_call_runs_though_a_thread_of_the_user_waits(worker):
    call = worker.send("in_thread")
    asked = worker.asked().call
    assert worker.reply(nested(worker, "echo", "inside", asked)).value == "inside"
    worker.answer(asked, wire.RESPONSE, "answer")
    assert worker.reply(call).value == ["answer"]


def test_other_calls_wait_while_one_waits_for_the_host(serial):
    frames = [serial.frame("ask", 1), serial.frame("echo", "a"), serial.frame("echo", "b")]
    data = b"".join(frame for _, frame in frames)
    # The last one comes in two parts: one is read before the host is called, one after.
    serial.write(data[:-4])
    asked = serial.asked().call
    serial.write(data[-4:])
    assert serial.data.is_quiet(0.1)
    serial.answer(asked, wire.RESPONSE, "first")
    found = [serial.receive() for _ in range(3)]
    assert [frame.value for frame in found] == ["first", "a", "b"]
    assert [frame.call for frame in found] == [call for call, _ in frames]


def test_an_answer_that_came_in_an_earlier_call_is_kept(serial):
    first, one = serial.frame("unanswered", 0)
    serial.write(one)
    asked = serial.asked().call
    assert serial.reply(first).value is None
    _, echo = serial.frame("echo", "between")
    second, join = serial.frame("join", 0)
    answer = wire.frame(wire.RESPONSE, asked, fallback.pack("kept"))
    serial.write(echo + answer + join)
    assert serial.receive().value == "between"
    assert serial.reply(second).value == "kept"


def test_a_large_answer_arrives_whole(worker):
    call = worker.send("ask", 1)
    content = bytes(range(256)) * 4096
    worker.answer(worker.asked().call, wire.RESPONSE, content)
    assert worker.reply(call).value == content


def test_a_stream_may_ask_between_its_items(worker):
    call = worker.send("stream", stream=True)
    for number in range(3):
        worker.credit(call, 1)
        worker.answer(worker.asked().call, wire.RESPONSE, "ok")
        assert worker.reply(call).value == [number, "ok"]
    worker.credit(call, 1)
    assert worker.reply(call).kind == "end"


def test_a_function_is_called_by_its_reference_and_released(worker):
    reference = wire.CALLBACK_ID | 5
    call, data = with_function(worker, "store", reference)
    worker.write(data)
    assert worker.reply(call).value == "<host function save>"
    call = worker.send("use", 3)
    asked = worker.asked()
    assert asked.value["function"] == reference
    assert (asked.value["args"], asked.value["kwargs"]) == ([3], {"flag": True})
    worker.answer(asked.call, wire.RESPONSE, "used")
    assert worker.reply(call).value == "used"
    call = worker.send("release")
    found = sorted((worker.receive() for _ in range(2)), key=lambda frame: frame.kind)
    assert [(frame.kind, frame.call) for frame in found] == [
        ("release", reference),
        ("response", call),
    ]
    assert found[1].value == [True, "<host function save (released)>"]
    error = worker.error("use", 1)
    assert error["message"] == "function save was released: it cannot be called any more"


def test_a_function_that_python_forgets_is_released(worker):
    reference = wire.CALLBACK_ID | 6
    call, data = with_function(worker, "store", reference)
    worker.write(data)
    worker.reply(call)
    worker.send("forget")
    assert {worker.receive().kind for _ in range(2)} == {"release", "response"}


def test_a_function_that_is_never_seen_is_released(worker):
    reference = wire.CALLBACK_ID | 7
    call, data = with_function(worker, "store", reference)
    worker.cancel(call)
    # So that the cancel is read first.
    time.sleep(0.5)
    worker.write(data)
    found = {frame.kind: frame for frame in (worker.receive(), worker.receive())}
    assert found["release"].call == reference
    assert found["error"].value["type"] == "synapse.Cancelled"


def test_a_function_can_be_sent_back(worker):
    reference = wire.CALLBACK_ID | 8
    _, data = with_function(worker, "back", reference)
    worker.write(data)
    frames = {}
    while "response" not in frames:
        length, kind, _, _, _ = struct.unpack("<IBBHI", worker.data.read(12))
        frames[{3: "response"}.get(kind, kind)] = worker.data.read(length - 8)
    content = fallback.pack([reference, "save"])
    assert frames["response"] == bytes([0xC7, len(content), 5]) + content


@pytest.mark.parametrize("place", ["import", "on_start"])
def test_a_call_before_the_worker_is_ready_is_explained(start, place):
    source = "import synapse\nfrom synapse import handler, host\n"
    source += "@handler\ndef echo(value): return value\n"
    if place == "import":
        source += "host.getUser(1)\n"
    else:
        source += "@synapse.on_start\ndef load(): host.getUser(1)\n"
    error = start(source).fault()["error"]
    assert error["type"] == "RuntimeError"
    assert error["message"].startswith('host.call("getUser") came too early')


def test_a_script_of_version_1_4_cannot_call(start):
    worker = start(
        "import sys\nfrom synapse import host\nsys.stdin.buffer.read(4)\nhost.getUser(1)\n"
    ).ready()
    worker.write(b"\x01\x00\x00\x00\xc0")
    assert worker.wait() == 1
    assert "cannot call Node" in worker.output()


def test_the_event_loop_is_not_blocked_by_waiting(start):
    source = (
        "from synapse import handler, host\n@handler\nasync def ask(_):\n"
        "    return host.slow().result()\n"
    )
    for mode in ("async", "serial"):
        worker = start(source, mode=mode).ready()
        call = worker.send("ask")
        found = [worker.receive()]
        while found[-1].kind != "error":
            found.append(worker.receive())
        assert found[-1].call == call
        assert "use `await`" in found[-1].value["message"]


def test_a_forked_child_cannot_call(start):
    worker = start(
        """
import os
from synapse import handler, host

@handler
def fork(_):
    host.warm().result()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            host.getUser(1)
        except RuntimeError as error:
            os.write(write, str(error).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return os.read(read, 1000).decode()
""",
        mode="serial",
    ).ready()
    call = worker.send("fork")
    worker.answer(worker.asked().call, wire.RESPONSE, None)
    assert "forked child" in worker.reply(call).value


def test_errors_of_the_host_are_described():
    error = make_error(
        {
            "code": "HOST_ERROR",
            "type": "TypeError",
            "message": "no",
            "traceback": "TypeError: no\n    at x",
            "data": {"errno": 2},
        }
    )
    assert isinstance(error, HostError)
    assert str(error) == "TypeError: no"
    described = error_map(error)
    assert described["type"] == "synapse.HostError"
    assert described["data"] == {
        "name": "TypeError",
        "message": "no",
        "stack": "TypeError: no\n    at x",
        "data": {"errno": 2},
    }
    missing = make_error({"code": "HANDLER_NOT_FOUND", "data": {"available": ["a"]}})
    assert isinstance(missing, HandlerNotFound)
    assert missing.available == ["a"]
    assert str(make_error(None)) == ""
