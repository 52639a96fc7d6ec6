"""Exceptions as maps, for error and fault frames.

Imported when the first error happens. Frames of this package at the top of a traceback are left
out: users see what they would see had they called their function themselves.
"""

from __future__ import annotations

import os

from synapse._protocol import fallback
from synapse._protocol.codec import encode
from synapse._protocol.errors import EncodeError, FrameTooLarge, ValidationError, ValueRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

PYTHON_ERROR = "PYTHON_ERROR"
VALIDATION = "VALIDATION"
ENCODE = "ENCODE"
FRAME_TOO_LARGE = "FRAME_TOO_LARGE"
HANDLER_NOT_FOUND = "HANDLER_NOT_FOUND"
MODULE_NOT_FOUND = "MODULE_NOT_FOUND"
FUNCTION_NOT_FOUND = "FUNCTION_NOT_FOUND"
START_FAILED = "START_FAILED"
#: Known to the host only, which had withdrawn the call.
WITHDRAWN = "WITHDRAWN"

#: Exceptions of a chain of causes that are reported.
_CHAIN = 16
#: Exceptions of a group that are reported.
_GROUP = 16
#: Stack frames that are reported as data; the middle of a longer stack is left out.
_FRAMES = 64
#: Bytes of attributes that are sent along.
_DATA = 256 * 1024

#: How the names of files begin whose frames are no business of users: this package's, those that it
#: makes (`_arguments`), and the import system's.
_OURS = (os.path.dirname(os.path.abspath(__file__)) + os.sep, "<synapse>", "<frozen importlib")


def type_name(kind: type) -> str:
    """`KeyError` for built-in classes, otherwise with the module."""
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def strip(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback without this package's frames at its top, and those of the import system."""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith(_OURS):
            break
        traceback = traceback.tb_next
    return traceback


def error_map(error: BaseException, code: str = PYTHON_ERROR) -> dict[str, Any]:
    """The map of `docs/protocol.md`, Error."""
    described = _describe(error, 0, set())
    described["code"] = code
    return described


def plain_map(code: str, message: str, **data: Any) -> dict[str, Any]:
    """An error that no exception stands behind."""
    return {"code": code, "message": message, "data": data}


def code_of(error: BaseException) -> str:
    """The code of what went wrong around a handler, not in it."""
    if isinstance(error, FrameTooLarge):
        return FRAME_TOO_LARGE
    if isinstance(error, EncodeError):
        return ENCODE
    if isinstance(error, (ValidationError, ValueRefused)):
        return VALIDATION
    return PYTHON_ERROR


def _describe(error: BaseException, depth: int, seen: set[int]) -> dict[str, Any]:
    from traceback import TracebackException

    seen.add(id(error))
    kind = type(error)
    stack = strip(error.__traceback__)
    found: dict[str, Any] = {
        "code": PYTHON_ERROR,
        "type": type_name(kind),
        "mro": [type_name(base) for base in kind.__mro__[1:] if base is not object],
        "message": _text(error),
    }
    try:
        whole = TracebackException(kind, error, stack)
        _strip_chain(whole)
        lines: Any = whole.format()
        found["traceback"] = _clean("".join(lines))
        found["frames"] = _frames(whole)
    except Exception as failure:
        # A source file that changed, or a __str__ that raises, must not hide the error itself.
        found["traceback"] = f"{found['type']}: {found['message']}\n"
        found["frames"] = []
        found["notes"] = [f"the traceback could not be formatted: {failure!r}"]
    members = _members(error)
    if members and depth < _CHAIN:
        described = (_describe(one, depth + 1, seen) for one in members[:_GROUP])
        found["exceptions"] = list(described)
    cause = _cause(error)
    if cause is not None and depth < _CHAIN and id(cause) not in seen:
        found["cause"] = _describe(cause, depth + 1, seen)
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, (list, tuple)):
        found["notes"] = [_clean(str(note)) for note in notes]
    data, omitted = _data(error)
    if data:
        found["data"] = data
    if omitted:
        found["omitted"] = omitted
    return found


def _members(error: BaseException) -> tuple[BaseException, ...]:
    """The exceptions of an exception group, also of one that a package made before Python 3.11."""
    if not any(kind.__name__ == "BaseExceptionGroup" for kind in type(error).__mro__):
        return ()
    members = getattr(error, "exceptions", ())
    return tuple(one for one in members if isinstance(one, BaseException))


def _strip_chain(whole: Any, depth: int = 0) -> None:
    """Removes our frames from all exceptions that a traceback text shows."""
    if whole is None or depth > _CHAIN:
        return
    whole.stack[:] = [frame for frame in whole.stack if not frame.filename.startswith(_OURS)]
    _strip_chain(whole.__cause__, depth + 1)
    _strip_chain(whole.__context__, depth + 1)
    for member in getattr(whole, "exceptions", None) or ():
        _strip_chain(member, depth + 1)


def _frames(whole: Any) -> list[dict[str, Any]]:
    stack = list(whole.stack)
    if len(stack) > _FRAMES:
        stack = stack[: _FRAMES // 2] + stack[-_FRAMES // 2 :]
    return [
        {
            "file": _clean(frame.filename),
            "line": frame.lineno,
            "name": frame.name,
            "text": frame.line,
        }
        for frame in stack
    ]


def _cause(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__


def _text(error: BaseException) -> str:
    try:
        return _clean(str(error))
    except Exception as failure:
        return f"<the exception's __str__ raised {type(failure).__name__}>"


def _clean(text: str) -> str:
    """Text that can be encoded, whatever bytes it came from."""
    return text.encode("utf-8", "backslashreplace").decode()


def _data(error: BaseException) -> tuple[dict[str, Any], list[str]]:
    """The public attributes, those of OSError and the like included, and the names of others.

    Left out is what cannot be encoded, and what is too much.
    """
    found: dict[str, Any] = {}
    omitted: list[str] = []
    room = _DATA
    for name, value in _attributes(error).items():
        if not isinstance(name, str) or name.startswith("_"):
            continue
        try:
            size = len(encode(value))
        except Exception:
            omitted.append(_clean(name))
            continue
        if size > room:
            omitted.append(_clean(name))
            continue
        room -= size
        found[name] = value
    return found, omitted[:_FRAMES]


#: Attributes of built-in exceptions that do not live in their `__dict__`.
_SLOTS = {
    OSError: ("errno", "filename", "filename2", "strerror"),
    SyntaxError: ("filename", "lineno", "offset", "text"),
    ImportError: ("name", "path"),
    AttributeError: ("name",),
    NameError: ("name",),
    UnicodeError: ("encoding", "reason", "start", "end"),
    StopIteration: ("value",),
    SystemExit: ("code",),
}


def _attributes(error: BaseException) -> dict[str, Any]:
    found = {}
    for kind, names in _SLOTS.items():
        if isinstance(error, kind):
            for name in names:
                value = getattr(error, name, None)
                if value is not None:
                    found[name] = value
    found.update(getattr(error, "__dict__", {}))
    return found


def encode_error(described: dict[str, Any]) -> bytes:
    """Encodes an error map; what still does not cross is dropped rather than lost with the rest."""
    try:
        return encode(described)
    except EncodeError:
        kept = ("code", "type", "mro", "message", "traceback")
        return fallback.pack({key: described[key] for key in kept if key in described})
