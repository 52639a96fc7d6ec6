"""Whether arguments fit a handler: their number and names, and its type hints.

A handler with hints is served through a function of the same parameters, which is made for it:
where the types of the arguments are just what simple hints name, it costs a few comparisons. The
rest is in `_hints`, which is loaded when an argument needs a closer look.
"""

from __future__ import annotations

import sys

from synapse._protocol.errors import ValidationError
from synapse._signature import UNIONS, hints_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType
    from typing import Any

    from synapse._hints import Check
    from synapse._registry import Handler

#: The file of the functions that are made, as tracebacks would show it.
MADE = "<synapse>"

_CO_VARARGS = 0x04
_CO_VARKEYWORDS = 0x08

#: The types whose values fit a hint, whatever they hold.
_EXACT: dict[Any, tuple[type, ...]] = {
    bool: (bool,),
    bytes: (bytes,),
    dict: (dict,),
    float: (float, int),
    int: (int,),
    list: (list,),
    str: (str,),
    None: (type(None),),
    type(None): (type(None),),
}
_NAMED = {getattr(kind, "__name__", "None"): kinds for kind, kinds in _EXACT.items()}


def prepare(handlers: Iterable[Handler], validate: bool) -> None:
    """Has handlers check their arguments.

    Args:
        handlers: those that are served.
        validate: whether handlers do that do not say so themselves.

    """
    for handler in handlers:
        if validate if handler.validate is None else handler.validate:
            handler.function = checked(handler.function)


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function behind a check of its arguments; the function itself if it has no hints.

    A function that a decorator has wrapped is not looked into: its arguments may be others.
    """
    plain: Any = getattr(function, "__func__", function)
    made: Callable[..., Any]
    code: CodeType | None = getattr(plain, "__code__", None)
    if code is None or hasattr(plain, "__wrapped__"):
        return function
    hints = {
        name: hint
        for name, hint in hints_of(function).items()
        if name != "return" and not _is_anything(hint, plain.__globals__)
    }
    if not hints:
        return function
    skipped = 1 if plain is not function else 0
    plan = _Plan(code, skipped, hints, plain.__globals__)
    if code.co_kwonlyargcount or code.co_flags & (_CO_VARARGS | _CO_VARKEYWORDS):
        made = _make(_GENERAL, function, plan)
    else:
        defaults = len(plain.__defaults__ or ())
        source = _source(code, skipped, defaults, hints, plain.__globals__)
        made = _make(source, function, plan)
        # As those of the function: mypy does not know that functions have them.
        made.__defaults__ = plan.defaults = plain.__defaults__
    return made


_GENERAL = """def {}(*args, **kwargs):
    args, kwargs = __check(args, kwargs)
    return __function(*args, **kwargs)
"""


def _source(
    code: CodeType, skipped: int, defaults: int, hints: dict[str, Any], scope: dict[str, Any]
) -> str:
    """A function of the same parameters that compares their types where that is all it takes."""
    names = code.co_varnames[skipped : code.co_argcount]
    parameters = [
        name if index < len(names) - defaults else f"{name}=None"
        for index, name in enumerate(names)
    ]
    if code.co_posonlyargcount > skipped:
        parameters.insert(code.co_posonlyargcount - skipped, "/")
    comparisons: list[str] = []
    flat = True
    for name in names:
        kinds = _exact(hints[name], scope) if name in hints else ()
        if kinds is None:
            flat = False
            break
        if kinds:
            known = (f"__type({name}) is __{kind.__name__}" for kind in kinds)
            comparisons.append(f"({' or '.join(known)})")
    arguments = "".join(f"{name}, " for name in names)
    lines = [f"def {{}}({', '.join(parameters)}):"]
    if flat:
        lines.append(f"    if {' and '.join(comparisons) or 'True'}:")
        lines.append(f"        return __function({arguments})")
    lines.append(f"    return __function(*__check(({arguments}), {{}})[0])")
    return "\n".join(lines)


def _make(source: str, function: Callable[..., Any], plan: _Plan) -> Any:
    scope: dict[str, Any] = {"__function": function, "__check": plan.check, "__type": type}
    for kinds in _EXACT.values():
        scope.update((f"__{kind.__name__}", kind) for kind in kinds)
    # Of the same name, for the messages of Python 3.9; a lambda has none.
    name = plan.name if plan.name.isidentifier() else "call"
    source = source.replace("{}", name, 1)
    exec(compile(source, MADE, "exec"), scope)  # noqa: S102 nothing of it comes from outside
    made = scope[name]
    for attribute in ("__name__", "__qualname__", "__doc__"):
        setattr(made, attribute, getattr(function, attribute, None))
    made.__wrapped__ = function
    return made


def _is_anything(hint: Any, scope: dict[str, Any]) -> bool:
    """Whether a hint lets every value pass: `Any`, or `object`."""
    if isinstance(hint, str):
        hint = scope.get(hint, object if hint == "object" else None)
    if hint is object:
        return True
    return hint is not None and hint is getattr(sys.modules.get("typing"), "Any", None)


def _exact(hint: Any, scope: dict[str, Any]) -> tuple[type, ...] | None:
    """The types whose values fit a hint; None if that takes a closer look."""
    if isinstance(hint, str):
        # As text, unless the module has another thing of that name.
        return None if hint in scope else _NAMED.get(hint)
    if type(hint).__name__ in UNIONS:
        found: list[type] = []
        for one in hint.__args__:
            kinds = _exact(one, scope)
            if not kinds:
                return None
            found += kinds
        return tuple(found)
    try:
        return _EXACT.get(hint)
    except TypeError:
        return None


class _Plan:
    """What to look at in the arguments of one function."""

    def __init__(
        self, code: CodeType, skipped: int, hints: dict[str, Any], scope: dict[str, Any]
    ) -> None:
        self.name = code.co_name
        names = code.co_varnames
        count, keywords = code.co_argcount, code.co_kwonlyargcount
        #: The parameters that take positional arguments.
        self._positional = names[skipped:count]
        self._by_name = frozenset(names[code.co_posonlyargcount : count + keywords])
        at = count + keywords
        self._more = names[at] if code.co_flags & _CO_VARARGS else None
        at += self._more is not None
        self._more_by_name = names[at] if code.co_flags & _CO_VARKEYWORDS else None
        self._hints = hints
        self._scope = scope
        self._checks: dict[str, Check | None] | None = None
        #: What the last parameters are where no argument is given.
        self.defaults: tuple[Any, ...] | None = None

    def check(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments as the hints want them.

        Raises:
            ValidationError: they do not fit.

        """
        checks = self._checks
        if checks is None:
            from synapse._hints import compile_hint

            checks = {name: compile_hint(hint, self._scope) for name, hint in self._hints.items()}
            self._checks = checks
        names, count = self._positional, len(self._positional)
        first_default = count - len(self.defaults or ())
        fitting = []
        for index, value in enumerate(args):
            found = value
            if index >= count:
                found = _apply(checks, self._more, f"{self._more}[{index - count}]", value)
            elif (
                self.defaults is None
                or index < first_default
                or value is not self.defaults[index - first_default]
            ):
                # A default is the handler's own, whatever the hint says.
                found = _apply(checks, names[index], names[index], value)
            fitting.append(found)
        if not kwargs:
            return tuple(fitting), kwargs
        by_name = {
            name: _apply(checks, name if name in self._by_name else self._more_by_name, name, value)
            for name, value in kwargs.items()
        }
        return tuple(fitting), by_name


def _apply(checks: dict[str, Check | None], parameter: str | None, place: str, value: Any) -> Any:
    check = checks.get(parameter) if parameter is not None else None
    if check is None:
        return value
    try:
        return check(value)
    except ValidationError as error:
        error.within(f".{place}")
        raise error.locate() from error.__cause__


def misfit(
    function: Callable[..., Any], args: Iterable[Any], kwargs: dict[str, Any], error: TypeError
) -> ValidationError | None:
    """What a `TypeError` of a call stands for, if arguments were missing, unknown or too many."""
    from inspect import signature

    if getattr(getattr(function, "__code__", None), "co_filename", "") == MADE:
        function = function.__wrapped__  # type: ignore[attr-defined]
    try:
        parameters = signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        # Some built-ins do not tell.
        return None
    try:
        parameters.bind(*args, **kwargs)
    except TypeError as refusal:
        found = ValidationError(str(error))
        # The name is the last thing that the message quotes.
        name = str(refusal).rpartition("'")[0].rpartition("'")[2]
        if name:
            found.within(f".{name}")
        return found.locate(str(error))
    return None
