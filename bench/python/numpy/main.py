"""Arrays: numpy does the work, and what is measured is how they get there."""

from typing import Any

import numpy
from synapse import handler


@handler(default=True)
def main(payload: Any) -> Any:
    return payload


@handler
def dot(left: Any, right: Any) -> float:
    return float(numpy.dot(left, right))
