"""Handlers as the methods of a class."""

from __future__ import annotations

SOURCE = """
from synapse import Handlers

class Base(Handlers):
    def ping(self): return "base"
    def inherited(self): return self.tag

class Market(Base):
    limit = 5
    def __init__(self, tag): self.tag = tag
    def ping(self): return "market"
    def price(self, symbol: str, *, of: int = 1): return [self.tag, symbol, of]
    async def later(self, value): return value
    def ticks(self, count):
        yield from range(count)
    @staticmethod
    def fixed(value): return value
    def _hidden(self): return 1

Market("m").register("market")
Base().register()
"""


def test_public_methods_are_handlers(start):
    worker = start(SOURCE).ready()
    names = {handler["name"]: handler for handler in worker.hello["handlers"]}
    assert sorted(names) == [
        "inherited",
        "market.fixed",
        "market.inherited",
        "market.later",
        "market.ping",
        "market.price",
        "market.ticks",
        "ping",
        "synapse.info",
        "synapse.ping",
    ]
    assert [given["name"] for given in names["market.price"]["params"]] == ["symbol", "of"]
    assert names["market.later"]["kind"] == "coroutine"
    assert names["market.ticks"]["kind"] == "generator"
    assert worker.call("market.price", "x") == ["m", "x", 1]
    assert worker.call("market.inherited", [], form=1) == "m"
    assert worker.call("market.ping", [], form=1) == "market"
    assert worker.call("ping", [], form=1) == "base"
    assert worker.call("market.later", 7) == 7
    assert worker.call("market.fixed", 8) == 8
    assert worker.call("market.ticks", 3) == [0, 1, 2]


def test_a_name_that_is_taken_is_refused(start):
    worker = start(SOURCE + "\nMarket('other').register('market')")
    assert 'the handler "market.' in str(worker.fault())
