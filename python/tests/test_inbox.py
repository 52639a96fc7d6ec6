"""What serial mode has read and not yet worked on."""

from __future__ import annotations

import os
import select

import pytest

from synapse._registry import Registry
from synapse._worker.calls import Calls
from synapse._worker.config import Config
from synapse._worker.inbox import Inbox
from synapse._worker.state import Worker


@pytest.fixture
def inbox(tmp_path):
    source, target = os.pipe()
    worker = Worker(Config({"directory": str(tmp_path), "data_in": source}), Registry())
    inbox = Inbox(worker, Calls(worker))
    yield inbox
    for descriptor in (source, target, inbox._wake_read, inbox._wake_write):
        if descriptor >= 0:
            os.close(descriptor)


def test_a_wake_that_comes_before_the_wait_is_not_lost(inbox):
    inbox.listen()
    inbox.wake()
    assert select.select([inbox._wake_read], [], [], 0)[0], "the wake was lost"
    inbox.wait()


def test_a_wake_without_a_listener_is_nothing(inbox):
    inbox.wake()
    inbox.listen()
    assert not select.select([inbox._wake_read], [], [], 0)[0]
