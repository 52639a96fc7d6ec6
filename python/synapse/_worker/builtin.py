"""What every worker answers besides the user's handlers: `synapse.ping` and `synapse.info`.

They are numbered behind those of the user and never among the registered ones: a module's only
handler stays its default, and lists of handlers do not show them. A call of them is a call like any
other, so that an answer means that the worker takes calls; the others pay nothing for it.
"""

from __future__ import annotations

import os
import sys
from time import monotonic

from synapse._registry import RESERVED, Handler
from synapse._version import __version__
from synapse._worker.state import Worker, resident_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def builtin_handlers(worker: Worker, mode: str) -> list[Handler]:
    """The handlers of this worker, which gets ready now and runs calls in that mode."""
    began = monotonic()

    def ping(echo: Any = None) -> dict[str, Any]:
        """Answers at once, and gives back what it got."""
        from datetime import datetime, timezone

        return {
            "status": "ok",
            "pid": os.getpid(),
            "runtime": runtime(),
            "uptime": monotonic() - began,
            "timestamp": datetime.now(timezone.utc),
            "echo": echo,
        }

    def info() -> dict[str, Any]:
        """What there is to know of the worker and its handlers."""
        from synapse._signature import describe

        registry = worker.registry
        default = registry.default()
        return {
            "pid": os.getpid(),
            "runtime": runtime(),
            "executable": sys.executable,
            "platform": sys.platform,
            "sdk": __version__,
            "mode": mode,
            "gil": has_gil(),
            "concurrency": 1 if mode == "serial" else worker.config.concurrency,
            "uptime": monotonic() - began,
            "rss": resident_bytes(),
            "calls": worker.count_calls(),
            "default": None if default is None else default.name,
            "handlers": [describe(handler) for handler in registry.handlers.values()],
        }

    return [Handler(ping, f"{RESERVED}ping"), Handler(info, f"{RESERVED}info")]


def has_gil() -> bool:
    """Whether threads take turns in running Python.

    In a free-threaded interpreter that can change: importing an extension that was not made for it
    brings the lock back, for good.
    """
    tell = getattr(sys, "_is_gil_enabled", None)
    return True if tell is None else bool(tell())


def runtime() -> str:
    """What runs the worker, and its version."""
    return f"Python {'.'.join(map(str, sys.version_info[:3]))}"
