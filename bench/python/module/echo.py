"""Echo for the bridges that import a module and call its functions."""

import json
from typing import Any


def main(payload: Any) -> Any:
    return payload


def main_as_text(payload: Any) -> str:
    """For bridges that return text by value and an object as a proxy."""
    return json.dumps(payload)
