"""The first frame of a worker: it is ready to take a call."""

from __future__ import annotations

import os
import sys
from math import ceil

from synapse._protocol.codec import encode
from synapse._protocol.header import HELLO, PROTOCOL, frame
from synapse._registry import Handler
from synapse._version import __version__
from synapse._worker.state import Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def say_hello(worker: Worker, handlers: list[Handler | None]) -> None:
    """Announces the handlers; from now on the data channel carries frames with ids."""
    from synapse._signature import describe

    default = worker.registry.default()
    worker.framed = True
    _send(
        worker,
        "synapse",
        None if default is None else handlers.index(default),
        [describe(handler) for handler in handlers if handler is not None],
    )


def say_stdio_hello(worker: Worker) -> None:
    """Announces a script that speaks the 1.4 framing."""
    _send(worker, "stdio", None, [])


def _send(worker: Worker, mode: str, default: int | None, handlers: list[dict[str, Any]]) -> None:
    hello = {
        "protocol": PROTOCOL,
        "mode": mode,
        "pid": os.getpid(),
        "python": ".".join(map(str, sys.version_info[:3])),
        "executable": sys.executable,
        "sdk": __version__,
        "heartbeat": ceil(worker.config.heartbeat * 1000),
        "shared": worker.config.memory is not None,
        "withdrawals": worker.journal.heeds,
        "default": default,
        "handlers": handlers,
    }
    payload = encode(hello)
    worker.ready = True
    worker.control.send(frame(HELLO, 0, payload))
