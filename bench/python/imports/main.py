"""A worker with the imports of a small service."""

from typing import Any

import imports
from synapse import handler


@handler(default=True)
def main(payload: Any) -> Any:
    return payload


@handler
def imported() -> int:
    return len(imports.MODULES)
