"""`synapse.testing`: handlers are tested without Node."""

from __future__ import annotations

import asyncio

import pytest

from synapse import EncodeError, HandlerNotFound, HostError, context, host
from synapse.testing import running


def greet(user):
    context().progress(0.5, "asked")
    context().log.info("greets %s", user)
    return f"Hello, {host.getUser(user).result()['name']}!"


async def greet_later(user):
    return f"Hello, {(await host.getUser(user))['name']}!"


def remember(text):
    history = context().session.setdefault("history", [])
    history.append(text)
    return len(history)


def named(user):
    return {"name": f"user {user}"}


async def named_later(user):
    await asyncio.sleep(0)
    return named(user)


@pytest.mark.parametrize("function", [named, named_later])
def test_a_function_answers_for_the_host(function) -> None:
    with running(host={"getUser": function}) as call:
        assert greet(1) == "Hello, user 1!"
        assert asyncio.run(greet_later(2)) == "Hello, user 2!"
    assert call.progress == [(0.5, "asked")]
    assert call.logs == [("INFO", "greets 1")]


def prices(symbol, *, limit):
    yield from range(limit)


async def prices_later(symbol, *, limit):
    for price in range(limit):
        await asyncio.sleep(0)
        yield price


@pytest.mark.parametrize("function", [prices, prices_later])
def test_a_generator_streams(function) -> None:
    async def collect():
        return [price async for price in host.market.prices("A", limit=3)]

    with running(host={"market.prices": function}):
        assert list(host.market.prices("A", limit=3)) == [0, 1, 2]
        assert host.prices("A", limit=40).result() == list(range(40))
        assert asyncio.run(collect()) == [0, 1, 2]


def test_an_endless_stream_is_ended_when_it_is_left() -> None:
    ended = []

    def endless():
        try:
            while True:
                yield 1
        finally:
            ended.append("endless")

    with running(host={"endless": endless}):
        for item in host.endless():
            assert item == 1
            break
        assert ended == ["endless"]
        kept = host.endless()
        assert next(iter(kept)) == 1
    assert ended == ["endless"] * 2


def test_what_a_function_raises_is_an_error_of_the_host() -> None:
    def fails(user):
        raise ValueError(f"no user {user}")

    async def fails_later(user):
        raise ValueError(f"no user {user}")

    with running(host={"getUser": fails, "later": fails_later}):
        with pytest.raises(HostError, match="ValueError: no user 7") as caught:
            greet(7)
        assert isinstance(caught.value.__cause__, ValueError)
        with pytest.raises(HostError, match="no user 8"):
            host.later(8).result()
        with pytest.raises(HandlerNotFound, match="available: getUser, later") as missing:
            host.nothing().result()
        assert missing.value.available == ["getUser", "later"]


def test_the_host_tells_what_may_be_called() -> None:
    with running(host={"getUser": named, "later": named}):
        tools = host.synapse.tools().result()
    assert tools == [{"name": "getUser", "metadata": {}}, {"name": "later", "metadata": {}}]


def test_plain_code_in_an_event_loop_is_told_to_await() -> None:
    async def wrong():
        return greet(1)

    with running(host={"getUser": named}), pytest.raises(RuntimeError, match="use `await`"):
        asyncio.run(wrong())


def test_the_session() -> None:
    with running(session={"history": ["a"]}) as call:
        assert remember("b") == 2
    assert call.session == {"history": ["a", "b"]}
    with running(), pytest.raises(RuntimeError, match="belongs to no session"):
        remember("a")
    with pytest.raises(EncodeError), running(session={}):
        context().session["what"] = object()


def test_the_rest_of_the_context() -> None:
    with running(metadata={"tenant": "x"}, timeout=60, resume_from=3) as call:
        assert context().metadata == {"tenant": "x"}
        assert 59 < (context().remaining() or 0) <= 60
        assert context().resume_from == 3
        assert not context().cancelled
        call.cancel()
        assert context().cancelled


def test_outside_everything_is_as_before() -> None:
    with running(metadata={"outer": True}):
        with running(metadata={"inner": True}):
            assert context().metadata == {"inner": True}
        assert context().metadata == {"outer": True}
    with pytest.raises(RuntimeError, match=r"with synapse[.]testing[.]running"):
        context()
    with pytest.raises(RuntimeError, match=r"with synapse[.]testing[.]running"):
        host.getUser(1)
