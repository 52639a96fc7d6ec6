"""The table of handlers in hello: their parameters, types and options.

Reads code objects itself, because loading `inspect` takes longer than starting a worker may.
"""

from __future__ import annotations

from synapse._registry import Handler
from synapse._views import Views

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: What the classes of unions of hints are called, from version to version.
UNIONS = ("UnionType", "_UnionGenericAlias", "Union")

_CO_VARARGS = 0x04
_CO_VARKEYWORDS = 0x08


def describe(handler: Handler) -> dict[str, Any]:
    """What hello says of a handler."""
    function = handler.function
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    types = hints_of(function)
    doc = getattr(function, "__doc__", None)
    return {
        "name": handler.name,
        "kind": handler.kind,
        "params": _parameters(function, types),
        "returns": _type_name(types, "return"),
        "doc": doc if isinstance(doc, str) else None,
        "concurrency": handler.concurrency,
        "timeout": None if handler.timeout is None else round(handler.timeout * 1000),
        "idempotent": handler.idempotent,
    }


def views_of(handler: Handler) -> Views:
    """Which arguments of a handler are memoryviews."""
    function = handler.function
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    types = hints_of(function)
    if not handler.views and not any("memoryview" in f"{given}" for given in types.values()):
        return Views([], everything=False)
    return Views(_parameters(function, types), everything=handler.views)


def hints_of(function: Any) -> dict[str, Any]:
    """The hints of a function as they are written: evaluated, or as text."""
    try:
        found = function.__annotations__
    except AttributeError:
        return {}
    except Exception:
        # From 3.14 annotations are evaluated on demand, and may name what exists for type
        # checkers only.
        import annotationlib  # type: ignore[import-not-found,unused-ignore]

        form = annotationlib.Format.STRING
        found = annotationlib.getannotations(function, format=form)
    return found if isinstance(found, dict) else {}


def _type_name(types: dict[str, Any], name: str) -> str | None:
    if name not in types:
        return None
    given = types[name]
    if isinstance(given, str):
        return given
    if given is None or given is type(None):
        return "None"
    if isinstance(given, type) and not hasattr(given, "__origin__"):
        if given.__module__ == "builtins":
            return given.__qualname__
        return f"{given.__module__}.{given.__qualname__}"
    return repr(given).replace("typing.", "")


def _parameters(function: Any, types: dict[str, Any]) -> list[dict[str, Any]]:
    bound = getattr(function, "__func__", None)
    code = getattr(bound or function, "__code__", None)
    if code is None:
        return _inspected(function, types)
    function = bound or function
    names = code.co_varnames
    count, keywords = code.co_argcount, code.co_kwonlyargcount
    defaults = len(function.__defaults__ or ())
    keyword_defaults = function.__kwdefaults__ or {}
    found = []
    for index in range(count):
        kind = "positional" if index < code.co_posonlyargcount else "either"
        required = index < count - defaults
        found.append(_parameter(names[index], kind, required, types))
    at = count + keywords
    if code.co_flags & _CO_VARARGS:
        found.append(_parameter(names[at], "args", False, types))
        at += 1
    found.extend(
        _parameter(name, "keyword", name not in keyword_defaults, types)
        for name in names[count : count + keywords]
    )
    if code.co_flags & _CO_VARKEYWORDS:
        found.append(_parameter(names[at], "kwargs", False, types))
    return found[1:] if bound is not None else found


def _parameter(name: str, kind: str, required: bool, types: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "kind": kind, "required": required, "type": _type_name(types, name)}


def _inspected(function: Any, types: dict[str, Any]) -> list[dict[str, Any]]:
    """The parameters of what has no code object: classes, partials, built-ins, instances."""
    from inspect import Parameter, signature

    kinds = {
        Parameter.POSITIONAL_ONLY: "positional",
        Parameter.POSITIONAL_OR_KEYWORD: "either",
        Parameter.KEYWORD_ONLY: "keyword",
        Parameter.VAR_POSITIONAL: "args",
        Parameter.VAR_KEYWORD: "kwargs",
    }
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):
        # Some built-ins do not tell.
        return [_parameter("args", "args", False, {}), _parameter("kwargs", "kwargs", False, {})]
    variable = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return [
        _parameter(
            parameter.name,
            kinds[parameter.kind],
            parameter.default is Parameter.empty and parameter.kind not in variable,
            types
            if parameter.name in types or parameter.annotation is Parameter.empty
            else {parameter.name: parameter.annotation},
        )
        for parameter in parameters
    ]
