"""What the worker does about shared memory, without a host."""

from __future__ import annotations

import pytest

from synapse._registry import Handler
from synapse._signature import views_of
from synapse._worker.blocks import IDLE, Blocks
from synapse._worker.lending import Search


def test_blocks_in_use_never_overlap():
    blocks = Blocks(1, 10)
    assert blocks.take(4) == (1, 4, False)
    assert blocks.take(5) == (5, 5, False)
    assert blocks.take(1) is None


def test_the_warm_blocks_that_were_used_last_come_first():
    blocks = Blocks(1, 20)
    blocks.take(4)
    blocks.take(4)
    blocks.put(1, 4, 1.0)
    blocks.put(5, 4, 2.0)
    assert blocks.take(4) == (5, 4, True)
    assert blocks.take(3) == (1, 4, True)
    assert blocks.take(3) == (9, 3, False)


def test_a_small_value_does_not_take_large_blocks():
    blocks = Blocks(1, 20)
    blocks.take(8)
    blocks.put(1, 8, 1.0)
    assert blocks.take(3) == (9, 3, False)


def test_the_oldest_go_first_and_can_be_taken_again():
    blocks = Blocks(1, 10)
    blocks.take(4)
    blocks.take(4)
    blocks.put(1, 4, 1.0)
    blocks.put(5, 4, 2.0)
    assert blocks.cool(4, 3.0) == [(1, 4)]
    assert blocks.cool(4, 3.0) == []
    assert blocks.cool(4, 2.0 + IDLE) == [(5, 4)]
    assert blocks.is_cold
    assert blocks.take(9) == (1, 9, False)


def kinds(function, args, kwargs=None, **options):
    views = views_of(Handler(function, "tested", **options))
    given, named = views.apply(args, kwargs or {})
    return [type(arg).__name__ for arg in (*given, *named.values())]


def test_parameters_that_are_annotated_get_views():
    def tested(
        first: memoryview, second, *rest: memoryview, last: memoryview | None = None, **more
    ):
        raise NotImplementedError

    args = [b"a", memoryview(b"b"), b"c", memoryview(b"d")]
    named = {"last": b"e", "other": memoryview(b"f")}
    assert kinds(tested, args, named) == [
        "memoryview",
        "bytes",
        "memoryview",
        "memoryview",
        "memoryview",
        "bytes",
    ]


@pytest.mark.parametrize(
    ("annotation", "wanted"),
    [
        ("memoryview", True),
        ("memoryview | None", True),
        ("Optional[memoryview]", True),
        ("bytes", False),
        ("bytes | memoryview", False),
        ("list[memoryview]", False),
    ],
)
def test_which_annotations_ask_for_views(annotation, wanted):
    def tested(value):
        raise NotImplementedError

    tested.__annotations__["value"] = annotation
    assert bool(views_of(Handler(tested, "tested"))) is wanted


def test_a_handler_of_views_gets_them_inside_other_values():
    def tested(value):
        raise NotImplementedError

    views = views_of(Handler(tested, "tested", views=True))
    (given,), _ = views.apply([{"a": [b"x", 1], "b": "text"}], {})
    assert type(given["a"][0]) is memoryview
    assert given["a"][1:] == [1]
    assert given["b"] == "text"


def test_the_search_for_large_data_ends():
    visits = 0

    class Counted(Search):
        def extract(self, value, depth):
            nonlocal visits
            visits += 1
            return super().extract(value, depth)

    rows = [{"id": 1} for _ in range(100_000)]
    assert Counted(None, 1 << 30).extract(rows, 16) is rows
    assert visits < 5_000
