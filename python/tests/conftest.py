from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import WorkerProcess

from synapse._protocol.codec import Codec, codec
from synapse._worker.gate import FREE_THREADED

VECTORS = Path(__file__).resolve().parents[2] / "__test__" / "vectors"

#: Free-threaded interpreters before 3.14, for which there is no codec in C.
WITHOUT_NATIVE = FREE_THREADED and sys.version_info < (3, 14)
NO_NATIVE = "there is no ormsgpack for free-threaded interpreters before 3.14"
#: What compares the two codecs.
collect_ignore = ["test_codec.py", "test_vectors.py"] if WITHOUT_NATIVE else []


def pytest_report_header() -> list[str]:
    if not WITHOUT_NATIVE:
        return []
    return [f"{NO_NATIVE}: without {', '.join(collect_ignore)}"]


@pytest.fixture
def native():
    """For tests of the codec in C."""
    if WITHOUT_NATIVE:
        pytest.skip(NO_NATIVE)


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


@pytest.fixture
def gated(monkeypatch, tmp_path):
    """Workers interrupt their threads as they do without a global lock, on any interpreter."""
    if not FREE_THREADED:
        folder = tmp_path / "site"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text('import sys; sys.abiflags += "t"', "utf-8")
        monkeypatch.setenv("PYTHONPATH", os.fspath(folder))


def use_codec(monkeypatch: pytest.MonkeyPatch, kind: str, *, graceful: bool = False) -> Codec:
    """Has the module's functions be those of a fresh codec: in plain Python, or in C (`kind`)."""
    fresh = Codec()
    fresh.graceful = graceful
    if kind == "c" and WITHOUT_NATIVE:
        pytest.skip(NO_NATIVE)
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
