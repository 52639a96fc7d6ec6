"""What every worker answers besides the user's handlers: `synapse.ping` and `synapse.info`."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone

import pytest

from synapse import _version

PLAIN = """
from synapse import handler

@handler
def only(value: int = 1) -> int:
    return value
"""

ASYNC = """
from synapse import handler

@handler
async def only(value: int = 1) -> int:
    return value
"""


@pytest.fixture(params=["serial", "async", "threads"])
def mode(request):
    return request.param


def test_ping_answers_what_it_got_and_how_the_worker_is(start, mode):
    worker = start(ASYNC if mode == "async" else PLAIN, mode=mode, concurrency=4).ready()
    answer = worker.call("synapse.ping", {"any": ["value"]})
    assert answer["echo"] == {"any": ["value"]}
    assert (answer["status"], answer["pid"]) == ("ok", worker.pid)
    assert answer["runtime"] == f"Python {'.'.join(map(str, sys.version_info[:3]))}"
    assert 0 <= answer["uptime"] < 60
    assert abs(datetime.now(timezone.utc) - answer["timestamp"]) < timedelta(minutes=1)
    assert worker.call("synapse.ping", [], form=1)["echo"] is None


def test_info_tells_of_the_worker_and_of_the_handlers_of_the_user(start, mode):
    worker = start(ASYNC if mode == "async" else PLAIN, mode=mode, concurrency=4).ready()
    info = worker.call("synapse.info", [], form=1)
    assert (info["pid"], info["mode"], info["sdk"]) == (worker.pid, mode, _version.__version__)
    assert info["concurrency"] == (1 if mode == "serial" else 4)
    assert (info["executable"], info["platform"]) == (sys.executable, sys.platform)
    assert info["rss"] > 1_000_000
    assert info["gil"] is getattr(sys, "_is_gil_enabled", lambda: True)()
    assert info["calls"] == 1
    assert info["default"] == "only"
    assert info["handlers"] == [worker.hello["handlers"][0]]
    assert info["handlers"][0]["params"][0]["name"] == "value"


def test_they_are_announced_behind_those_of_the_user_whose_only_handler_stays_the_default(start):
    worker = start(PLAIN).ready()
    names = [handler["name"] for handler in worker.hello["handlers"]]
    assert names == ["only", "synapse.ping", "synapse.info"]
    assert worker.hello["default"] == 0


def test_arguments_that_do_not_fit_are_refused(start):
    worker = start(PLAIN).ready()
    error = worker.error("synapse.info", [1, 2], form=1)
    assert error["code"] == "VALIDATION"


def test_lists_of_names_do_not_show_them(start):
    worker = start(
        PLAIN + "\nfrom synapse import handlers\nhandler(name='names')(handlers)"
    ).ready()
    assert worker.call("names", [], form=1) == ["only", "names"]
    error = worker.error(99, None)
    assert error["data"]["available"] == ["only", "names"]


def test_a_handler_of_the_user_cannot_take_such_a_name(start):
    fault = start(PLAIN + "\nhandler(name='synapse.ping')(only)").fault()
    message = fault["error"]["message"]
    assert 'the handler "synapse.ping" at ' in message
    assert 'those that begin with "synapse." are kept' in message
    assert start(PLAIN + "\nhandler(name='synapse_ping')(only)").ready()
