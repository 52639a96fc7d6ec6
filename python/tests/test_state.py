"""What the threads of a worker share."""

from __future__ import annotations

import os
from collections import deque

import pytest

from synapse._registry import Registry
from synapse._worker import state
from synapse._worker.config import Config
from synapse._worker.output import ControlOutput, DataOutput
from synapse._worker.state import Worker


@pytest.fixture
def clock(monkeypatch):
    """The time that the worker sees, to be set."""
    now = [100.0]
    monkeypatch.setattr(state, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def worker(tmp_path):
    return Worker(Config({"directory": str(tmp_path)}), Registry())


def test_a_cancel_outlives_the_gaps_in_which_a_large_request_comes(worker, clock):
    worker.cancel(7)
    for _ in range(20):
        worker.forget_stale()
        clock[0] += 0.01
    assert worker.is_cancelled(7)


def test_a_cancel_for_a_call_that_is_over_is_forgotten(worker, clock):
    worker.cancel(7)
    for _ in range(3):
        worker.forget_stale()
        clock[0] += 1.0
    assert not worker.cancelled


def test_who_is_told_of_cancels_is_told_once_a_call(worker):
    told = []
    worker.on_cancel = told.append
    for call in (7, 8, 7, state.STOP, state.STOP):
        worker.cancel(call)
    assert told == [7, 8, state.STOP, state.STOP]


class Interrupted(list):
    """What is pending, where a signal handler prints right after the last look at it."""

    def __init__(self, output):
        super().__init__()
        self._output = output
        self._calls = 0

    def __bool__(self):
        found = len(self) > 0
        if not found and not self._calls:
            self._calls += 1
            self._output.send(b"printed")
        return found


def test_what_a_signal_handler_prints_while_output_is_flushed_does_not_stay_behind():
    reading, writing = os.pipe()
    output = DataOutput(writing)
    output.pending = Interrupted(output)
    output.send(b"reply ")
    os.set_blocking(reading, False)
    try:
        assert os.read(reading, 100) == b"reply printed"
    finally:
        os.close(reading)
        os.close(writing)


class Reentered(deque):
    """What control has to write, where a signal handler prints while a frame is taken."""

    def __init__(self, output):
        super().__init__()
        self._output = output

    def popleft(self):
        frame = super().popleft()
        if frame == b"first":
            self._output.send(b"second")
        return frame


def test_a_control_frame_that_comes_up_within_another_follows_it():
    reader, writer = os.pipe()
    output = ControlOutput(writer)
    output._pending = Reentered(output)
    output.send(b"first")
    output.send(b"third")
    assert os.read(reader, 64) == b"firstsecondthird"
    os.close(reader)
    os.close(writer)
