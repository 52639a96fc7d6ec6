"""Checks of values against type hints; `docs/values.md` has the table.

A check answers the value, or what the hint makes of it: a dataclass of a dict, a tuple of a list.
Hints that are not in the table are not checked: `compile_hint` answers None for them. Imported when
an argument needs a closer look.
"""

from __future__ import annotations

import collections.abc
import datetime
import sys
import typing
from typing import Any, Callable

from synapse._protocol.errors import ValidationError
from synapse._signature import UNIONS

Check = Callable[[Any], Any]
Scope = dict[str, Any]

#: Characters of a refused value that a message shows.
_SHOWN = 40
#: Values of an Enum or Literal that a message lists.
_LISTED = 8
#: Wrappers that say nothing of the value.
_TRANSPARENT = ("Annotated", "Final", "NotRequired", "ReadOnly", "Required")


def compile_hint(hint: Any, scope: Scope) -> Check | None:
    """The check for a hint, or None if every value fits.

    Args:
        hint: what is written in the annotation, evaluated or as text.
        scope: the names of the module that it is written in.

    """
    if isinstance(hint, typing.ForwardRef):
        hint = hint.__forward_arg__
    if isinstance(hint, str):
        try:
            hint = eval(hint, scope)  # noqa: S307 the user's own annotation
        except Exception:
            # It names what exists for type checkers only, or is newer than this interpreter.
            return None
        return compile_hint(hint, scope)
    if hint is None or hint is type(None):
        return _instance(type(None), "None")
    supertype = getattr(hint, "__supertype__", None)
    if supertype is not None:
        return compile_hint(supertype, scope)
    origin = typing.get_origin(hint)
    if origin is None:
        return _compile_class(hint, scope) if isinstance(hint, type) else None
    arguments = typing.get_args(hint)
    if str(origin).rpartition(".")[2].rstrip("'>") in _TRANSPARENT:
        return compile_hint(arguments[0], scope)
    if type(hint).__name__ in UNIONS:
        return _union(arguments, scope)
    if str(origin) == "typing.Literal":
        return _literal(arguments)
    if isinstance(origin, type):
        return _compile_generic(origin, arguments, scope)
    return None


def _compile_generic(origin: Any, arguments: tuple[Any, ...], scope: Scope) -> Check | None:
    if origin is tuple:
        return _tuple(arguments, scope)
    if origin in (set, frozenset):
        return _set(origin, arguments[0], scope)
    if issubclass(origin, collections.abc.Mapping):
        return _mapping(origin, arguments, scope)
    if origin is list or origin in (
        collections.abc.Sequence,
        collections.abc.MutableSequence,
        collections.abc.Collection,
        collections.abc.Iterable,
    ):
        return _list(origin, arguments[0], scope)
    if origin is collections.abc.Callable:
        return _callable
    # Of what they hold, or give, the hint is taken at its word.
    return _compile_class(origin, scope)


# ------------------------------------------------------------------------------------------ classes

_compiled: dict[type, Check | None] = {}


def _compile_class(kind: type, scope: Scope) -> Check | None:
    if kind not in _compiled:
        try:
            _compiled[kind] = _find(kind, scope)
        except TypeError:
            # A metaclass that compares by its own rules.
            return None
    return _compiled[kind]


def _find(kind: type, scope: Scope) -> Check | None:  # noqa: PLR0912
    name = _name(kind)
    if kind in (bool, str, list, dict, datetime.datetime):
        return _instance(kind, name)
    if kind in (int, float, complex):
        return _number(kind)
    if kind in (bytes, bytearray, memoryview):
        return _binary(kind)
    if kind is tuple:
        return _tuple((), scope)
    if kind in (set, frozenset):
        return _set(kind, Any, scope)
    if kind in (datetime.date, datetime.time):
        return _read_text(kind, kind.fromisoformat)
    if _is_a(kind, "enum", "Enum"):
        return _enum(kind)
    if _is_a(kind, "decimal", "Decimal") or _is_a(kind, "uuid", "UUID"):
        return _read_text(kind, kind)
    if _is_a(kind, "pathlib", "PurePath"):
        return _read_text(kind, kind)
    if callable(getattr(kind, "model_validate", None)):
        return _model(kind)
    if hasattr(kind, "__dataclass_fields__"):
        return _Dataclass(kind)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _NamedTuple(kind)
    if issubclass(kind, dict) and hasattr(kind, "__required_keys__"):
        return _TypedDict(kind)
    return _find_in_libraries(kind)


def _find_in_libraries(kind: type) -> Check | None:
    if _is_a(kind, "numpy", "ndarray"):
        return _instance(kind, _name(kind))
    if _is_a(kind, "pyarrow", "Table", "ChunkedArray"):
        return _instance(kind, _name(kind))
    if _is_a(kind, "pandas", "DataFrame", "Series"):
        return _from_arrow(kind, lambda table: table.to_pandas())
    if _is_a(kind, "polars", "DataFrame", "Series"):
        return _from_arrow(kind, sys.modules["polars"].from_arrow)
    return None


def _is_a(kind: type, module: str, *names: str) -> bool:
    """Whether a class is one of a module, which is loaded if there is such a class."""
    known = (getattr(sys.modules.get(module), name, None) for name in names)
    return any(isinstance(other, type) and issubclass(kind, other) for other in known)


def _instance(kind: type, name: str) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, kind):
            raise _expected(name, value)
        return value

    return check


def _number(kind: type) -> Check:
    fitting = {int: (int,), float: (float, int), complex: (complex, float, int)}[kind]

    def check(value: Any) -> Any:
        # For Python True is the integer 1.
        if not isinstance(value, fitting) or isinstance(value, bool):
            raise _expected(kind.__name__, value)
        return value

    return check


def _binary(kind: type) -> Check:
    def check(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if isinstance(value, (bytes, bytearray, memoryview)):
            return kind(value)
        raise _expected(kind.__name__, value)

    return check


def _read_text(kind: type, read: Callable[[str], Any]) -> Check:
    """What Python sends as text is read from text."""

    def check(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if isinstance(value, str):
            try:
                return read(value)
            except Exception as error:
                raise _expected(_name(kind), value) from error
        raise _expected(_name(kind), value)

    return check


def _from_arrow(kind: type, convert: Callable[[Any], Any]) -> Check:
    def check(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if _is_a(type(value), "pyarrow", "Table", "ChunkedArray"):
            made = convert(value)
            if isinstance(made, kind):
                return made
        raise _expected(_name(kind), value)

    return check


def _enum(kind: Any) -> Check:
    def check(value: Any) -> Any:
        try:
            return kind(value)
        except ValueError:
            allowed = [member.value for member in kind]
            raise _expected(f"one of {_list_values(allowed)}", value) from None

    return check


def _model(kind: Any) -> Check:
    """A model of pydantic, by its own rules."""

    def check(value: Any) -> Any:
        try:
            return kind.model_validate(value)
        except Exception as error:
            raise _of_pydantic(error) from error

    return check


def _of_pydantic(error: Exception) -> ValidationError:
    try:
        found: list[dict[str, Any]] = error.errors()  # type: ignore[attr-defined]
        first = found[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        refusal = ValidationError(f"{first['msg']}{more}")
        for part in reversed(first["loc"]):
            refusal.within(_segment(part))
    except Exception:
        return ValidationError(str(error))
    return refusal


class _Fields:
    """A class with named fields, whose hints are looked at when the first value comes.

    By then all names that they mention exist, its own among them.
    """

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self._checks: dict[str, Check | None] | None = None

    def checks(self) -> dict[str, Check | None]:
        """The checks by field."""
        if self._checks is None:
            hints: dict[str, Any] = {}
            for base in reversed(self.kind.__mro__):
                scope = vars(sys.modules.get(base.__module__, typing))
                for name, hint in getattr(base, "__annotations__", {}).items():
                    hints[name] = compile_hint(hint, scope)
            self._checks = hints
        return self._checks

    def apply(self, name: str, value: Any) -> Any:
        """The value of a field."""
        check = self.checks().get(name)
        return value if check is None else _within(check, value, _segment(name))

    def build(self, values: dict[str, Any]) -> Any:
        """An instance; what its own code refuses is refused."""
        try:
            return self.kind(**values)
        except Exception as error:
            raise ValidationError(f"{_name(self.kind)}: {error}") from error


class _Dataclass(_Fields):
    def __call__(self, value: Any) -> Any:
        if isinstance(value, self.kind):
            return value
        if not isinstance(value, dict):
            raise _expected(_name(self.kind), value)
        from dataclasses import MISSING, fields

        known = {field.name: field for field in fields(self.kind) if field.init}
        for field in self.kind.__dataclass_fields__.values():
            if str(field._field_type) == "_FIELD_INITVAR":  # noqa: SLF001
                known[field.name] = field
        for name in value:
            if name not in known:
                raise _unknown(name, known)
        for name, field in known.items():
            if name not in value and field.default is MISSING and field.default_factory is MISSING:
                raise _missing(name)
        return self.build({name: self.apply(name, item) for name, item in value.items()})


class _NamedTuple(_Fields):
    def __call__(self, value: Any) -> Any:
        names = self.kind._fields
        if isinstance(value, (list, tuple)):
            if len(value) > len(names):
                raise _expected(f"{_name(self.kind)} of at most {len(names)} items", value)
            value = dict(zip(names, value))
        if not isinstance(value, dict):
            raise _expected(_name(self.kind), value)
        for name in value:
            if name not in names:
                raise _unknown(name, names)
        for name in names:
            if name not in value and name not in self.kind._field_defaults:
                raise _missing(name)
        return self.build({name: self.apply(name, item) for name, item in value.items()})


class _TypedDict(_Fields):
    def __call__(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise _expected(_name(self.kind), value)
        for name in sorted(self.kind.__required_keys__):
            if name not in value:
                raise _missing(name)
        return {name: self.apply(name, item) for name, item in value.items()}


# --------------------------------------------------------------------------------------- containers


def _list(origin: type, item: Any, scope: Scope) -> Check:
    check_item = compile_hint(item, scope)

    def check(value: Any) -> Any:
        if isinstance(value, list):
            return _items(check_item, value)
        if not isinstance(value, origin):
            raise _expected(_name(origin), value)
        return value

    return check


def _tuple(arguments: tuple[Any, ...], scope: Scope) -> Check:
    """An array always arrives as a list: it is made a tuple."""
    endless = len(arguments) == 2 and arguments[1] is Ellipsis
    # `tuple[()]` and a bare `tuple` look alike before 3.11; neither is worth a check.
    checks = [compile_hint(hint, scope) for hint in arguments if hint is not Ellipsis]

    def check(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _expected("tuple", value)
        if endless:
            return tuple(_items(checks[0], value))
        if not checks:
            return tuple(value)
        if len(value) != len(checks):
            raise ValidationError(f"expected {len(checks)} items, got {len(value)}")
        return tuple(
            item if one is None else _within(one, item, f"[{index}]")
            for index, (one, item) in enumerate(zip(checks, value))
        )

    return check


def _set(origin: type, item: Any, scope: Scope) -> Check:
    check_item = compile_hint(item, scope)

    def check(value: Any) -> Any:
        if not isinstance(value, (set, frozenset)):
            raise _expected(origin.__name__, value)
        if check_item is not None:
            return origin(_items(check_item, value))
        return value if isinstance(value, origin) else origin(value)

    return check


def _mapping(origin: type, arguments: tuple[Any, ...], scope: Scope) -> Check:
    check_key, check_item = (compile_hint(hint, scope) for hint in (*arguments, Any, Any)[:2])

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _expected(_name(origin), value)
        if check_key is None and check_item is None:
            return value
        made = {}
        for key, item in value.items():
            try:
                fitting = key if check_key is None else check_key(key)
                made[fitting] = item if check_item is None else check_item(item)
            except ValidationError as error:
                error.within(_segment(key))
                raise
        return made

    return check


def _items(check: Check | None, items: Any) -> Any:
    if check is None:
        return items
    made: list[Any] = []
    try:
        for item in items:
            made.append(check(item))  # noqa: PERF401 their number tells which one does not fit
    except ValidationError as error:
        error.within(f"[{len(made)}]")
        raise
    return made


def _callable(value: Any) -> Any:
    if not callable(value):
        raise _expected("function", value)
    return value


def _literal(allowed: tuple[Any, ...]) -> Check:
    def check(value: Any) -> Any:
        for one in allowed:
            if one == value and type(one) is type(value):
                return value
        raise _expected(f"one of {_list_values(allowed)}", value)

    return check


def _union(hints: tuple[Any, ...], scope: Scope) -> Check | None:
    checks = [compile_hint(hint, scope) for hint in hints]
    if None in checks:
        return None
    # What fits as it is goes before what would be made of it.
    present: list[Check] = [check for check in checks if check is not None]
    valued = [
        check for check, hint in zip(present, hints) if hint is not None and hint is not type(None)
    ]
    expected = " | ".join(_name(hint) for hint in hints)

    def check(value: Any) -> Any:
        made: list[Any] = []
        refusal: ValidationError | None = None
        for one in present:
            try:
                found = one(value)
            except ValidationError as error:
                refusal = error if one in valued else refusal
                continue
            if found is value:
                return value
            made.append(found)
        if made:
            return made[0]
        if refusal is not None and len(valued) == 1 and value is not None:
            raise refusal
        raise _expected(expected, value)

    return check


# ----------------------------------------------------------------------------------------- refusals


def _within(check: Check, value: Any, segment: str) -> Any:
    try:
        return check(value)
    except ValidationError as error:
        error.within(segment)
        raise


def _expected(what: str, value: Any) -> ValidationError:
    if value is None:
        return ValidationError(f"expected {what}, got None")
    try:
        text = repr(value)
    except Exception:
        text = ""
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return ValidationError(f"expected {what}, got {_name(type(value))} {shown}".rstrip())


def _missing(name: str) -> ValidationError:
    error = ValidationError("is missing")
    error.within(_segment(name))
    return error


def _unknown(name: Any, known: Any) -> ValidationError:
    error = ValidationError(f"is unknown; there are {', '.join(known)}")
    error.within(_segment(name))
    return error


def _segment(key: Any) -> str:
    if isinstance(key, str) and key.isidentifier():
        return f".{key}"
    if isinstance(key, str):
        import json

        return f"[{json.dumps(key)}]"
    return f"[{key!r:.80}]"


def _name(hint: Any) -> str:
    if hint is None or hint is type(None):
        return "None"
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        # As the module that it is imported from has it: `pandas.DataFrame`.
        module = hint.__module__.partition(".")[0]
        own = module in ("builtins", "__main__", "collections", "datetime", "typing")
        return hint.__qualname__ if own else f"{module}.{hint.__qualname__}"
    return str(hint).replace("typing.", "").replace("__main__.", "")


def _list_values(values: Any) -> str:
    listed = [repr(value) for value in values]
    more = ", …" if len(listed) > _LISTED else ""
    return ", ".join(listed[:_LISTED]) + more
