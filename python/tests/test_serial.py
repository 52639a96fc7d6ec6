"""Calls in the default mode: one after the other in the main thread."""

from __future__ import annotations

import os
import time

import pytest

from synapse._protocol import fallback

SOURCE = """
import os, sys, time
from synapse import context, handler, unregister

@handler
def echo(value): return value

@handler
def add(a, b=2, *, c=0): return a + b + c

@handler
def sleep(seconds):
    time.sleep(seconds)
    return seconds

@handler
def hold(path):
    while not os.path.exists(path): time.sleep(0.001)

@handler
def about(_):
    ctx = context()
    return {
        "id": ctx.call_id, "metadata": ctx.metadata, "remaining": ctx.remaining(),
        "cancelled": ctx.cancelled, "resume_from": ctx.resume_from,
    }

@handler
def recall(_): return context().session["last"]

@handler
def remember(value):
    context().session["last"] = value

@handler
def report(_):
    context().progress(0.5, "half")

@handler
def big(size): return b"x" * size

@handler
def forget(name): return unregister(name)

@handler
def odd(_): return {"items": [1, object()]}

@handler
def late(value):
    async def answer(): return value
    return answer()

@handler
def lazily(count): return (number for number in range(count))

@handler
def leave(code): sys.exit(code)
"""


@pytest.fixture
def worker(start):
    return start(SOURCE).ready()


def test_a_value_is_the_only_argument(worker):
    for value in (None, [1, 2], {"a": 1}, "text", b"bytes", 2.0):
        assert worker.call("echo", value) == value


def test_an_array_is_positional_arguments(worker):
    assert worker.call("add", [1, 3], form=1) == 4


def test_a_map_is_keyword_arguments(worker):
    assert worker.call("add", {"a": 1, "b": 5, "c": 10}, form=2) == 16


def test_both_forms_in_one(worker):
    assert worker.call("add", [[1], {"c": 5}], form=3) == 8


def test_arguments_that_do_not_fit_are_an_error(worker):
    error = worker.error("add", [], form=1)
    assert error["code"] == "VALIDATION"
    assert "missing 1 required positional argument: 'a'" in error["message"]


def test_the_context_of_a_plain_call(worker):
    call = worker.send("about")
    assert worker.reply(call).value == {
        "id": call,
        "metadata": {},
        "remaining": None,
        "cancelled": False,
        "resume_from": None,
    }


def test_extras_reach_the_context(worker):
    extras = {"remaining": 60_000, "metadata": {"who": "me"}, "resume_from": 7}
    about = worker.call("about", None, extras=extras)
    assert 30 < about.pop("remaining") <= 60
    assert about.pop("id") > 0
    assert about == {
        "metadata": {"who": "me"},
        "cancelled": False,
        "resume_from": 7,
    }


def test_what_a_call_changes_in_its_session_is_sent_before_the_reply(worker):
    session = {"id": "s", "data": {"first": b"\x01"}}
    call = worker.send("remember", 5, extras={"session": session})
    changes = worker.receive()
    assert (changes.kind, changes.call) == ("session", call)
    assert changes.value == {"set": {"last": b"\x05"}, "delete": []}
    assert worker.receive().kind == "response"


def test_a_session_can_be_read(worker):
    session = {"id": "s", "data": {"last": b"\x04"}}
    call = worker.send("recall", None, extras={"session": session})
    assert worker.reply(call).value == 4


def test_progress_precedes_the_reply(worker):
    call = worker.send("report")
    progress = worker.receive()
    assert (progress.kind, progress.call) == ("progress", call)
    assert progress.value == {"fraction": 0.5, "message": "half"}
    assert worker.receive().kind == "response"


def test_a_burst_is_answered_in_order(worker):
    frames = [worker.frame("echo", {"number": number}) for number in range(5000)]
    worker.write(b"".join(data for _, data in frames))
    for number, (call, _) in enumerate(frames):
        found = worker.receive()
        assert (found.kind, found.call, found.value) == ("response", call, {"number": number})


def test_frames_may_come_byte_by_byte(worker):
    call, data = worker.frame("echo", "slowly")
    for byte in data:
        worker.write(bytes([byte]))
        time.sleep(0.001)
    assert worker.reply(call).value == "slowly"


@pytest.mark.parametrize("size", [4095, 4096, 65535, 65536, 200_000, 3_000_000])
def test_large_values_cross_both_ways(worker, size):
    data = os.urandom(size)
    assert worker.call("echo", data) == data
    assert worker.call("echo", [data, 1]) == [data, 1]
    assert worker.call("echo", "é" * size) == "é" * size
    assert worker.call("echo", [data], form=1) == data


def test_small_calls_around_a_large_one_keep_their_order(worker):
    large = os.urandom(500_000)
    frames = [worker.frame("echo", value) for value in (1, large, 2, large, 3)]
    worker.write(b"".join(data for _, data in frames))
    found = [worker.receive() for _ in frames]
    assert [frame.call for frame in found] == [call for call, _ in frames]
    assert [frame.value for frame in found] == [1, large, 2, large, 3]


def test_a_reply_does_not_wait_behind_a_slow_later_call(worker, tmp_path):
    worker.call("echo", 0)
    first, one = worker.frame("echo", "first")
    slow, two = worker.frame("hold", str(tmp_path / "go"))
    worker.write(one + two)
    assert worker.receive().call == first
    (tmp_path / "go").touch()
    assert worker.receive().call == slow


def test_a_result_that_cannot_cross_names_the_path(worker):
    error = worker.error("odd")
    assert error["code"] == "ENCODE"
    assert error["data"]["path"] == "$.items[1]"
    assert worker.call("echo", 1) == 1


def test_an_argument_python_has_no_value_for_is_a_validation_error(worker):
    frame = b"\xc7\x0c\xff" + bytes(4) + (253402300800).to_bytes(8, "big")
    call, data = worker.frame("echo", None)
    worker.write((len(frame) + 8).to_bytes(4, "little") + data[4:12] + frame)
    found = worker.reply(call)
    assert (found.kind, found.value["code"]) == ("error", "VALIDATION")


def test_an_unregistered_handler_is_not_found(worker):
    number = worker.number("echo")
    assert worker.call("forget", "echo") is True
    assert worker.call("forget", "echo") is False
    error = worker.error(number, 1)
    assert error["code"] == "HANDLER_NOT_FOUND"
    assert "add" in error["data"]["available"]
    assert worker.error(999, 1)["code"] == "HANDLER_NOT_FOUND"


def test_a_plain_function_may_return_a_coroutine_or_a_generator(worker):
    assert worker.call("late", 7) == 7
    assert worker.call("lazily", 3) == [0, 1, 2]


def test_replies_before_sys_exit_arrive(worker):
    first, one = worker.frame("echo", "first")
    _, two = worker.frame("leave", 3)
    worker.write(one + two)
    assert worker.receive().call == first
    with pytest.raises(EOFError):
        worker.receive()
    assert worker.wait() == 3


@pytest.mark.usefixtures("native")
def test_the_codec_in_c_is_loaded_when_it_pays(start):
    worker = start(
        "import sys\nfrom synapse import handler\n"
        "@handler\ndef loaded(_): return 'ormsgpack' in sys.modules\n"
    ).ready()
    assert worker.call("loaded") is False
    # When nothing has come for a while.
    while not worker.call("loaded"):
        time.sleep(0.3)


def test_calls_work_without_the_codec_in_c(start):
    source = "import sys\nsys.modules['ormsgpack'] = None\n" + SOURCE
    worker = start(source).ready()
    time.sleep(0.1)
    for number in range(100):
        assert worker.call("echo", {"n": number, "s": {1, 2}}) == {"n": number, "s": {1, 2}}


@pytest.mark.parametrize(
    "data",
    [
        b"\x07\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00",
        b"\xff\xff\xff\xff\x02\x00\x00\x00\x01\x00\x00\x00",
        b"\x08\x00\x00\x00\x7f\x00\x00\x00\x01\x00\x00\x00",
        b"\x09\x00\x00\x00\x02\x80\x00\x00\x01\x00\x00\x00\xc0",
        b"\x09\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\xc1",
        b"\x08\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00",
    ],
    ids=["too short", "too large", "unknown kind", "unknown flag", "no value", "no payload"],
)
def test_a_malformed_frame_ends_the_worker(worker, data):
    worker.write(data)
    assert worker.wait() == 70
    assert "the host sent" in worker.output()


def test_frames_for_calls_that_are_over_are_dropped(worker):
    worker.credit(99, 5)
    payload = fallback.pack(1)
    for kind in (0x03, 0x05, 0x06):
        worker.write(bytes([9, 0, 0, 0, kind, 0, 0, 0, 99, 0, 0, 0]) + payload)
    assert worker.call("echo", 1) == 1
