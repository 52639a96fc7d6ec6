"""The modules of the package import each other without a circle."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "synapse"


def module_name(path: Path, root: Path) -> str:
    """The dotted name of the file `path` of the package that lies in `root`."""
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.Module, module: str, is_package: bool) -> set[str]:
    """What the module imports at any time, as dotted names: in functions and for types, too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")
                keep = len(above) - node.level + (1 if is_package else 0)
                base = ".".join([*above[:keep], *([base] if base else [])])
            found.update(f"{base}.{alias.name}" for alias in node.names)
            found.add(base)
    return found


def test_nothing_is_pickled() -> None:
    for path in sorted(ROOT.rglob("*.py")):
        names = imported(ast.parse(path.read_text("utf-8")), module_name(path, ROOT), False)
        assert not {"pickle", "cPickle", "dill", "marshal", "shelve"} & names, path


def graph(root: Path) -> dict[str, set[str]]:
    """Which modules of the package in `root` each of its modules imports."""
    paths = {module_name(path, root): path for path in sorted(root.rglob("*.py"))}
    edges: dict[str, set[str]] = {}
    for name, path in paths.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = imported(tree, name, is_package=path.name == "__init__.py")
        edges[name] = {other for other in names if other in paths and other != name}
        if path.name == "__init__.py":
            continue
        # `from .a import b` where `b` is a module depends on `b`, not on the folder's own file.
        edges[name] -= {other for other in edges[name] if name.startswith(f"{other}.")}
    return edges


def circle(root: Path) -> list[str] | None:
    """The names on one circle of imports, or None."""
    try:
        TopologicalSorter(graph(root)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


def test_no_circle_of_imports() -> None:
    assert len(graph(ROOT)) > 1
    assert circle(ROOT) is None


@pytest.mark.parametrize(
    ("second", "found"),
    [
        ("from . import first", True),
        ("from .first import x", True),
        ("import sample.first", True),
        ("try:\n    import sample.first\nexcept ImportError:\n    pass", True),
        ("def late():\n    from . import first", True),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import first",
            True,
        ),
        ("import json", False),
    ],
)
def test_a_circle_is_found(tmp_path: Path, second: str, found: bool) -> None:
    root = tmp_path / "sample"
    root.mkdir()
    (root / "__init__.py").write_text("from .second import *\n", encoding="utf-8")
    (root / "first.py").write_text("from .second import y\n", encoding="utf-8")
    (root / "second.py").write_text(second, encoding="utf-8")
    assert (circle(root) is not None) is found
