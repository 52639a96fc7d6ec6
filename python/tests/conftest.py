from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from harness import WorkerProcess

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
