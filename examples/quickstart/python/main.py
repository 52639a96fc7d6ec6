"""The Python side of the quickstart: plain functions, some of them handlers."""

from statistics import mean, quantiles

from synapse import context, handler


@handler
def summarize(readings: list[float]) -> dict[str, object]:
    """Mean and quartiles of some readings."""
    if not readings:
        raise ValueError("there are no readings to summarize")
    print(f"summarizing {len(readings)} readings")
    return {"mean": mean(readings), "quartiles": quantiles(readings, n=4)}


@handler(name="text.upper")
async def upper(text: str) -> str:
    """An async handler: many of its calls can wait at the same time."""
    return text.upper()


@handler(default=True)
def echo(payload: object) -> dict[str, object]:
    """What `call(input)` reaches."""
    return {"echo": payload, "call": context().call_id}
