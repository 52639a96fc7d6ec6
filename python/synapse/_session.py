"""The state of a caller's session, as `context().session` gives it."""

from __future__ import annotations

from collections.abc import MutableMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_MISSING = object()


class Session(MutableMapping):  # type: ignore[type-arg]
    """What the caller's session holds, by key. The keys are strings.

    What a call changes is there in the next call of the session, whichever worker runs it, once
    the call has succeeded; if it raises, nothing of it is kept. Values changed in place count,
    too: those that the call has looked at are compared when it ends.
    """

    def __init__(self, given: Any = None) -> None:
        known = given if isinstance(given, dict) else {}
        session = known.get("id")
        data = known.get("data")
        self._id: str | None = session if isinstance(session, str) else None
        #: As they came: encoded.
        self._encoded: dict[str, bytes] = data if isinstance(data, dict) else {}
        #: Those that the call has read or written.
        self._values: dict[str, Any] = {}
        self._deleted: set[str] = set()

    @property
    def id(self) -> str | None:
        """The session's id; None if the call belongs to none."""
        return self._id

    def __getitem__(self, key: str) -> Any:
        value = self._values.get(key, _MISSING)
        if value is _MISSING:
            if key in self._deleted:
                raise KeyError(key)
            from synapse._protocol.codec import decode

            value = self._values[key] = decode(self._encoded[key])
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self._check_writable()
        if not isinstance(key, str):
            raise TypeError(f"the keys of a session are strings, not {key!r}")
        self._values[key] = value
        self._deleted.discard(key)

    def __delitem__(self, key: str) -> None:
        self._check_writable()
        if key not in self:
            raise KeyError(key)
        self._values.pop(key, None)
        if key in self._encoded:
            self._deleted.add(key)

    def __contains__(self, key: object) -> bool:
        return key in self._values or (key in self._encoded and key not in self._deleted)

    def __iter__(self) -> Iterator[str]:
        for key in self._encoded:
            if key not in self._deleted:
                yield key
        for key in self._values:
            if key not in self._encoded:
                yield key

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<Session {self._id!r}: {', '.join(self) or 'empty'}>"

    def changes(self) -> dict[str, Any] | None:
        """What is different now, for the worker: None if nothing is.

        Raises:
            EncodeError: a value cannot cross.

        """
        from synapse._protocol.codec import encode

        changed = {}
        # A copy: a thread that the call has left behind may write still.
        for key, value in list(self._values.items()):
            encoded = encode(value)
            if not self._holds(key, encoded):
                changed[key] = encoded
        if not changed and not self._deleted:
            return None
        return {"set": changed, "delete": sorted(self._deleted)}

    def _holds(self, key: str, encoded: bytes) -> bool:
        """Whether that is what came, which the other side may have written with other bytes.

        What the call has only looked at must not undo what others do to it meanwhile.
        """
        from synapse._protocol.codec import decode, encode

        came = self._encoded.get(key)
        if came is None or came == encoded:
            return came is not None
        return encode(decode(came)) == encoded

    def _check_writable(self) -> None:
        if self._id is None:
            raise RuntimeError(
                "the call belongs to no session, so nothing can be kept: call it from Node with "
                "synapse.session(id).invoke(…) or the option `session`"
            )
