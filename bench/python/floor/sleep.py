"""Tasks that sleep, again and again, on an event loop that has nothing else to do.

Arguments: tasks, sleeps of each, milliseconds of a sleep. Prints the milliseconds until all are done.
"""

import asyncio
import sys
from time import perf_counter


async def sleep_again(times: int, seconds: float) -> None:
    for _ in range(times):
        await asyncio.sleep(seconds)


async def main(tasks: int, times: int, milliseconds: float) -> None:
    begin = perf_counter()
    await asyncio.gather(
        *(sleep_again(times, milliseconds / 1_000) for _ in range(tasks))
    )
    print((perf_counter() - begin) * 1_000)


asyncio.run(main(*map(int, sys.argv[1:])))
