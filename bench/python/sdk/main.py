"""Echo through the SDK: one default handler."""

from typing import Any

from synapse import handler


@handler(default=True)
def main(payload: Any) -> Any:
    return payload
