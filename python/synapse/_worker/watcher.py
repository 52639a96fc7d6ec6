"""The thread that listens to the host on the control channel."""

from __future__ import annotations

import os
from _thread import start_new_thread
from time import sleep

from synapse._protocol.header import CANCEL, COUNTED, HEADER, HEADER_SIZE, SHUTDOWN
from synapse._worker.output import leave
from synapse._worker.signals import SIGKILL
from synapse._worker.state import STOP, Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

#: Seconds that a worker which was told to stop has left when the host is gone.
_LAST_WORDS = 2.0

#: Exit code after bytes that are no frame (EX_SOFTWARE of sysexits.h).
BAD_FRAME = 70


def start(worker: Worker) -> None:
    """Starts the thread."""
    start_new_thread(_watch, (worker,))


def _watch(worker: Worker) -> None:
    control = worker.config.control
    data = b""
    while True:
        try:
            more = os.read(control, 65536)
        except ConnectionResetError:
            more = b""
        if worker.forked:
            return
        if not more:
            break
        data += more
        data = data[_handle(worker, data) :]
    if worker.is_stopping():
        sleep(_LAST_WORDS)
    kill_group()


def _handle(worker: Worker, data: bytes) -> int:
    """Handles the whole frames in `data`; answers how many bytes they were."""
    at = 0
    while len(data) - at >= HEADER_SIZE:
        length, word, call = HEADER.unpack_from(data, at)
        if length < COUNTED or length > worker.config.frame + COUNTED:
            protocol_error(f"a control frame of length {length}")
        if len(data) - at < 4 + length:
            break
        kind = word & 0xFF
        if kind == CANCEL:
            worker.cancel(call)
        elif kind == SHUTDOWN:
            worker.cancel(STOP)
        else:
            protocol_error(f"a control frame of kind {kind:#04x}")
        at += 4 + length
    return at


def protocol_error(what: str) -> NoReturn:
    """Ends the process because the host sent bytes that the protocol does not know."""
    os.write(2, f"synapse: the host sent {what}; the worker ends\n".encode())
    leave(BAD_FRAME)


def kill_group() -> NoReturn:
    """Ends this process and, if it leads a group of its own, everything that it started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, SIGKILL)
    leave(1)
