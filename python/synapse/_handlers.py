"""Handlers that belong together, as the methods of a class."""

from __future__ import annotations

from synapse._registry import Handler, registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Self = TypeVar("Self", bound="Handlers")


#: What stands in a class for a method; `types` and `inspect` would have to be loaded.
_METHODS = (type(lambda: None), classmethod, staticmethod)


class Handlers:
    """A base class: methods of the classes below it become handlers.

    All but those whose names begin with `_`, with the state of one object between them::

        class Market(Handlers):
            def price(self, symbol: str) -> float: ...

        Market().register("market")  # market.price
    """

    def register(self: Self, prefix: str = "") -> Self:  # noqa: PYI019 - typing has Self from 3.11 on
        """Registers the methods; `prefix` comes before each name, with a dot.

        Raises:
            ValueError: a name is taken.

        """
        methods: dict[str, object] = {}
        for level in type(self).__mro__:
            if level is Handlers:
                break
            methods = {**vars(level), **methods}
        for name, found in methods.items():
            if isinstance(found, _METHODS) and not name.startswith("_"):
                title = f"{prefix}.{name}" if prefix else name
                self._refuse_second(title)
                registry.add(Handler(getattr(self, name), title))
        return self

    def _refuse_second(self, title: str) -> None:
        """Two objects of one class cannot have the same names."""
        known = registry.handlers.get(title)
        other = None if known is None else getattr(known.function, "__self__", None)
        if type(other) is type(self) and other is not self:
            raise ValueError(
                f'the handler "{title}" is that of another {type(self).__name__} already: '
                'give each object a prefix of its own, as in register("…")'
            )
