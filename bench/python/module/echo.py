"""Echo for the bridges that import a module and call its functions."""

from typing import Any


def main(payload: Any) -> Any:
    return payload
