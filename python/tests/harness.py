"""The host's side of a worker, for tests: real processes, real pipes, no threads."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from synapse._protocol import fallback
from synapse._protocol import header as wire

LAUNCHER = Path(__file__).resolve().parents[1] / "synapse" / "_launch.py"
#: Seconds after which a test takes something for lost.
PATIENCE = 120.0
#: Words of the journal that the worker writes, and those behind them in which the host withdraws.
NOTES, WITHDRAWN = 16 + 4096, 4096
#: Bytes of the journal.
JOURNAL = (NOTES + WITHDRAWN) * 4
#: `fcntl` names it from Python 3.10 on.
F_SETPIPE_SZ = 1031

_HEADER = struct.Struct("<IBBHI")
_KINDS = (
    "hello request response error item end credit cancel callback log heartbeat session fault mark "
    "progress release"
)
NAMES = {getattr(wire, name.upper()): name for name in _KINDS.split()}


class Frame:
    def __init__(self, kind: int, call: int, payload: bytes) -> None:
        self.kind = NAMES.get(kind, hex(kind))
        self.call = call
        self.value: Any = fallback.unpack(payload) if payload else None

    def __repr__(self) -> str:
        return f"<{self.kind} of {self.call}: {self.value!r}>"


class Channel:
    """Cuts what arrives at a descriptor into frames."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.data = b""

    def fill(self, deadline: float) -> bool:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.descriptor], [], [], left)[0]:
            raise TimeoutError(f"nothing came; so far {self.data[:200]!r}")
        try:
            more = os.read(self.descriptor, 1 << 20)
        except ConnectionResetError:
            more = b""
        self.data += more
        return bool(more)

    def read(self, size: int) -> bytes:
        deadline = time.monotonic() + PATIENCE
        while len(self.data) < size:
            if not self.fill(deadline):
                raise EOFError(f"the channel ended; left over {self.data[:200]!r}")
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def frame(self) -> Frame:
        length, kind, _flags, _handler, call = _HEADER.unpack(self.read(12))
        return Frame(kind, call, self.read(length - 8))

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing comes for a while."""
        return not self.data and not select.select([self.descriptor], [], [], seconds)[0]


class WorkerProcess:
    def __init__(
        self,
        directory: Path,
        *,
        flags: tuple[str, ...] = (),
        memory: str = "",
        python: str = sys.executable,
        **config: Any,
    ) -> None:
        to_worker, self._to_worker = os.pipe()
        self._from_worker, from_worker = os.pipe()
        control, theirs = socket.socketpair()
        self._control = control
        for descriptor in (to_worker, from_worker):
            if sys.platform == "linux":
                fcntl.fcntl(descriptor, F_SETPIPE_SZ, 1 << 20)
        self.config = {
            "data_in": 3,
            "data_out": 4,
            "control": 5,
            "journal": 6,
            "directory": os.fspath(directory),
            "entry": None,
            "module": None,
            "function": None,
            "python_path": [],
            "protocol": "auto",
            "mode": "auto",
            "concurrency": 1,
            "limits": {"frame": 268435456, "depth": 512},
            "heartbeat_ms": 0,
            "parent": os.getpid(),
            "values": "strict",
            "validate": True,
            "stdout": "event",
            "stderr": "event",
            **config,
        }
        self._journal = open(memory, "r+b") if memory else tempfile.TemporaryFile()  # noqa: SIM115
        if not memory:
            self._journal.truncate(JOURNAL)
        given = (to_worker, from_worker, theirs.fileno(), self._journal.fileno())

        def arrange() -> None:
            os.setpgid(0, 0)
            # Out of the way first: a source may be one of the targets.
            moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 20) for descriptor in given]
            for target, descriptor in zip((3, 4, 5, 6), moved):
                os.dup2(descriptor, target)
            os.closerange(7, 64)

        self.process = subprocess.Popen(
            [python, "-u", *flags, os.fspath(LAUNCHER), json.dumps(self.config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directory,
            close_fds=False,
            preexec_fn=arrange,  # noqa: PLW1509
        )
        os.close(to_worker)
        os.close(from_worker)
        theirs.close()
        self.pid = self.process.pid
        self.data = Channel(self._from_worker)
        self.control = Channel(control.fileno())
        self.hello: dict[str, Any] = {}
        self._calls = 0
        self._closed: set[int] = set()

    # Starting.

    def ready(self) -> WorkerProcess:
        found = self.control.frame()
        assert found.kind == "hello", found
        self.hello = found.value
        return self

    def fault(self) -> dict[str, Any]:
        found = self.control.frame()
        assert found.kind == "fault", found
        return found.value

    # Frames.

    def number(self, name: str) -> int:
        return [handler["name"] for handler in self.hello["handlers"]].index(name)

    def frame(
        self, name: str | int, value: Any, *, form: int = 0, **more: Any
    ) -> tuple[int, bytes]:
        self._calls += 1
        call = more.get("call", self._calls)
        flags = form
        payload = b""
        if "extras" in more:
            flags |= wire.EXTRAS
            payload = fallback.pack(more["extras"])
        if more.get("stream"):
            flags |= wire.STREAM
        payload += fallback.pack(value)
        handler = name if isinstance(name, int) else self.number(name)
        return call, _HEADER.pack(8 + len(payload), wire.REQUEST, flags, handler, call) + payload

    def send(self, name: str | int, value: Any = None, **more: Any) -> int:
        call, data = self.frame(name, value, **more)
        self.write(data)
        return call

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._to_worker, view) :]

    def credit(self, call: int, count: int) -> None:
        payload = fallback.pack(count)
        self.write(_HEADER.pack(8 + len(payload), wire.CREDIT, 0, 0, call) + payload)

    def answer(self, callback: int, kind: int, value: Any = None) -> None:
        """Answers a callback, in whole or in part."""
        payload = b"" if kind == wire.END else fallback.pack(value)
        self.write(wire.frame(kind, callback, payload))

    def asked(self) -> Frame:
        """The next frame, which must be a callback."""
        found = self.receive()
        assert found.kind == "callback", found
        return found

    def cancel(self, call: int) -> None:
        self._control.sendall(wire.frame(wire.CANCEL, call))

    def shutdown(self) -> None:
        self._control.sendall(wire.frame(wire.SHUTDOWN))

    def receive(self) -> Frame:
        return self.data.frame()

    def reply(self, call: int) -> Frame:
        """The next frame of a call that is no log; logs before it are kept in `logs`."""
        while True:
            found = self.receive()
            if found.kind == "log":
                self.logs.append(found)
            elif found.call == call:
                return found
            else:
                raise AssertionError(f"expected a reply to {call}, got {found}")

    @property
    def logs(self) -> list[Frame]:
        return self.__dict__.setdefault("_logs", [])

    def call(self, name: str | int, value: Any = None, **more: Any) -> Any:
        found = self.reply(self.send(name, value, **more))
        assert found.kind == "response", found
        return found.value

    def error(self, name: str | int, value: Any = None, **more: Any) -> dict[str, Any]:
        found = self.reply(self.send(name, value, **more))
        assert found.kind == "error", found
        return found.value

    def begun(self) -> None:
        """Waits until a handler has written the line `begun` on descriptor 1."""
        assert self.process.stdout.readline() == b"begun\n"

    # The journal.

    def words(self) -> list[int]:
        """The journal, as the host reads it."""
        return list(memoryview(os.pread(self._journal.fileno(), NOTES * 4, 0)).cast("I"))

    def withdraw(self, call: int) -> None:
        """Tells the worker not to begin a call, if it has not yet."""
        offset = (NOTES + call % WITHDRAWN) * 4
        os.pwrite(self._journal.fileno(), call.to_bytes(4, sys.byteorder), offset)

    # Ending.

    def close_data(self) -> None:
        self._close(self._to_worker)

    def close_output(self) -> None:
        self._close(self._from_worker)

    def close_control(self) -> None:
        self._control.close()

    def _close(self, descriptor: int) -> None:
        if descriptor not in self._closed:
            self._closed.add(descriptor)
            os.close(descriptor)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def end(self) -> int:
        """Ends in good order: what runs is finished, `on_stop` runs."""
        self.close_data()
        return self.wait()

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    def output(self, stream: str = "stderr") -> str:
        """What came on descriptor 1 or 2, once the worker has ended."""
        return getattr(self.process, stream).read().decode()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.close_data()
        self.close_output()
        self._control.close()
        self.process.stdout.close()
        self.process.stderr.close()
        self._journal.close()
