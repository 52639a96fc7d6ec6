from synapse import handler


@handler
def add(a: int, b: int) -> int:
    return a + b
