"""Lets the user's code call the host. What that takes is loaded with the first such call."""

from __future__ import annotations

from _thread import allocate_lock

from synapse._cancelled import Cancelled
from synapse._host import host
from synapse._worker.state import Worker
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from synapse._host_call import HostCall
    from synapse._worker.callbacks import Callbacks
    from synapse._worker.hosting import Waiting


def connect(worker: Worker, watchdog: Watchdog) -> None:
    """Connects `synapse.host` to the worker's host."""
    lock = allocate_lock()

    loaded: list[Callbacks] = []

    def load() -> Callbacks:
        if not loaded:
            with lock:
                if not loaded:
                    from synapse._worker.callbacks import Callbacks

                    waiting = worker.create_waiting or _wait_in_threads
                    loaded.append(Callbacks(worker, waiting(worker), watchdog))
                    worker.callbacks = loaded[0]
        return loaded[0]

    def start(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> HostCall:
        if not worker.ready:
            raise RuntimeError(
                f'host.call("{name}") came too early: Node answers once the module has been '
                "imported and on_start has run; call it in a handler, or in a thread that starts "
                "there"
            )
        if not worker.framed:
            raise RuntimeError(
                f'host.call("{name}") needs handlers: a script that loops over sys.stdin.buffer '
                "cannot call Node"
            )
        if worker.over:
            raise Cancelled("the worker stops")
        callbacks = load()
        # What has been looked at here does not change any more.
        host.connect(callbacks.call)
        return callbacks.call(name, args, kwargs)

    worker.load_callbacks = load
    host.connect(start)


def _wait_in_threads(worker: Worker) -> Waiting:
    from synapse._worker.awaiting import ThreadWaiting

    return ThreadWaiting(worker)
