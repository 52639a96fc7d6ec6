"""Which arguments of a handler are memoryviews instead of bytes.

All binary values of one that is registered with `views=True`; otherwise those parameters that are
annotated so. It does not depend on how large a value is, or on how it has come.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Views:
    """The parameters of one handler that get memoryviews."""

    def __init__(self, parameters: list[dict[str, Any]], *, everything: bool) -> None:
        #: Whether all binary values are views, also those inside others.
        self.everything = everything
        self._positions: list[bool] = []
        self._names: dict[str, bool] = {}
        self._further = False
        self._others = False
        for parameter in parameters:
            wanted, kind = _is_view(parameter["type"]), parameter["kind"]
            if kind == "args":
                self._further = wanted
            elif kind == "kwargs":
                self._others = wanted
            else:
                if kind != "keyword":
                    self._positions.append(wanted)
                if kind != "positional":
                    self._names[parameter["name"]] = wanted

    def __bool__(self) -> bool:
        flags = (*self._positions, *self._names.values(), self._further, self._others)
        return self.everything or any(flags)

    def apply(self, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments, in which binary values may be of either type, as the handler gets them."""
        if self.everything:
            return [_all_views(arg) for arg in args], {
                name: _all_views(arg) for name, arg in kwargs.items()
            }
        positions = self._positions
        return [
            _fit(arg, positions[index] if index < len(positions) else self._further)
            for index, arg in enumerate(args)
        ], {name: _fit(arg, self._names.get(name, self._others)) for name, arg in kwargs.items()}


def _is_view(annotation: str | None) -> bool:
    """Whether an annotation, as hello describes it, is `memoryview` or an optional one."""
    if annotation is None or "memoryview" not in annotation:
        return False
    plain = annotation.replace(" ", "").replace("typing.", "").replace("builtins.", "")
    if plain.startswith("Optional["):
        plain = plain[len("Optional[") : -1]
    return {part for part in plain.split("|") if part != "None"} == {"memoryview"}


def _fit(arg: Any, view: bool) -> Any:
    if view:
        return memoryview(arg) if type(arg) is bytes else arg
    return _no_views(arg)


def _all_views(value: Any) -> Any:
    kind = type(value)
    if kind is bytes:
        return memoryview(value)
    if kind is list:
        return [_all_views(item) for item in value]
    if kind is dict:
        return {key: _all_views(item) for key, item in value.items()}
    return value


def _no_views(value: Any) -> Any:
    kind = type(value)
    if kind is memoryview and value.readonly and value.format == "B":
        return bytes(value)
    if kind is list:
        return [_no_views(item) for item in value]
    if kind is dict:
        return {key: _no_views(item) for key, item in value.items()}
    return value
