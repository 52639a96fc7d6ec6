from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from harness import WorkerProcess

from synapse._protocol.codec import Codec, codec

VECTORS = Path(__file__).resolve().parents[2] / "__test__" / "vectors"


def vectors(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


@pytest.fixture
def start(tmp_path):
    """Starts workers; every one of them is gone, and by its pid, when the test ends."""
    started: list[WorkerProcess] = []

    def start(source: str, *, name: str = "main.py", **config: Any) -> WorkerProcess:
        entry = tmp_path / name
        entry.write_text(source, encoding="utf-8")
        worker = WorkerProcess(tmp_path, entry=os.fspath(entry), **config)
        started.append(worker)
        return worker

    def bind(module: str, function: str, **config: Any) -> WorkerProcess:
        worker = WorkerProcess(tmp_path, module=module, function=function, **config)
        started.append(worker)
        return worker

    start.bind = bind
    yield start
    for worker in started:
        worker.kill()


def use_codec(monkeypatch: pytest.MonkeyPatch, kind: str, *, graceful: bool = False) -> Codec:
    """Has the module's functions be those of a fresh codec: in plain Python, or in C (`kind`)."""
    fresh = Codec()
    fresh.graceful = graceful
    if kind == "c":
        fresh.load()
        assert fresh.native is True
    for name in Codec.__slots__:
        monkeypatch.setattr(codec, name, getattr(fresh, name))
    return fresh


@pytest.fixture(params=["python", "c"])
def in_use(request, monkeypatch):
    """Which of the two codecs the test runs with; it runs with each."""
    use_codec(monkeypatch, request.param)
    return request.param
