"""Echo through the SDK: one default handler.

`object` and not `Any`: importing `typing` takes longer than all of the SDK does to start, and it is the program's
choice, which the other contenders' programs do not make either.
"""

from synapse import handler


@handler(default=True)
def main(payload: object) -> object:
    return payload
