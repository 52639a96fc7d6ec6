"""Functions of JavaScript that came among the arguments of calls."""

from __future__ import annotations

from synapse._protocol.errors import EncodeError, ValueRefused
from synapse._protocol.values import FUNCTION, Extension, register, register_extension

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from synapse._host_call import HostCall


class Owner:
    """What a worker does for the functions that it was given."""

    def call_function(
        self, reference: int, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HostCall:
        """Calls a function."""
        raise NotImplementedError

    def release(self, reference: int) -> None:
        """Tells the host that a function is not needed any more."""
        raise NotImplementedError


class HostFunction:
    """A function of JavaScript. Call it as a handler: what it returns is a `HostCall`.

    It can be kept beyond the call that brought it. It is released when Python has no reference to
    it any more, and by `release()`.
    """

    __slots__ = ("_name", "_owner", "_reference")

    # Users see it as `synapse.HostFunction`.
    __module__ = "synapse"

    def __init__(self, owner: Owner, reference: int, name: str) -> None:
        self._owner = owner
        #: 0 once it is released.
        self._reference = reference
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> HostCall:
        """Calls the function; keyword arguments become an object, its last argument.

        Raises:
            RuntimeError: it was released.
            EncodeError: an argument cannot cross.

        """
        return self._owner.call_function(self._get(), str(self), args, kwargs)

    @property
    def released(self) -> bool:
        """Whether it cannot be called any more."""
        return not self._reference

    def release(self) -> None:
        """Lets go of the function in Node. Twice is harmless."""
        reference, self._reference = self._reference, 0
        if reference:
            self._owner.release(reference)

    def encoded(self, pack: Callable[[Any], bytes]) -> Extension:
        """The value that is this function again in Node."""
        if not self._reference:
            raise EncodeError(f"{self} was released")
        return Extension(FUNCTION, pack([self._reference, self._name]))

    def _get(self) -> int:
        if not self._reference:
            raise RuntimeError(f"{self} was released: it cannot be called any more")
        return self._reference

    def __copy__(self) -> HostFunction:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> HostFunction:
        return self

    def __str__(self) -> str:
        return f"function {self._name}" if self._name else "function"

    def __repr__(self) -> str:
        return f"<host {self}{' (released)' if self.released else ''}>"

    def __del__(self) -> None:
        try:
            self.release()
        except Exception:  # noqa: S110
            # The interpreter ends: the host forgets all functions of this worker.
            pass


def accept(owner: Owner) -> None:
    """From now on functions can be decoded."""

    def revive(data: bytes, unpack: Callable[[Any], Any]) -> HostFunction:
        parts = unpack(data)
        if type(parts) is not list or len(parts) != 2 or type(parts[0]) is not int:
            raise ValueRefused("the payload of a function is not [reference, name]")
        return HostFunction(owner, parts[0], str(parts[1]))

    register_extension(FUNCTION, revive)
    register(HostFunction, lambda value, pack: value.encoded(pack))
