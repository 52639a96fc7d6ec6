"""The mapping of `context().session`, and what of it is sent back."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse import EncodeError
from synapse._protocol.codec import decode, encode
from synapse._session import Session

KEYS = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.integers(0, 3)),
        st.tuples(st.just("delete"), KEYS, st.none()),
        st.tuples(st.just("read"), KEYS, st.none()),
    )
)


def session(data):
    return Session({"id": "s", "data": {key: encode(value) for key, value in data.items()}})


@given(st.dictionaries(KEYS, st.integers(0, 3)), STEPS)
def test_it_is_a_dict_and_its_changes_make_the_one_of_the_other(before, steps):
    model, state = dict(before), session(before)
    for step, key, value in steps:
        if step == "set":
            model[key] = state[key] = value
        elif step == "delete" and key in model:
            del model[key], state[key]
        else:
            assert state.get(key) == model.get(key)
            assert (key in state) == (key in model)
    assert dict(state) == model
    assert len(state) == len(model)
    after = dict(before)
    changes = state.changes() or {"set": {}, "delete": []}
    for key in changes["delete"]:
        del after[key]
    after.update({key: decode(value) for key, value in changes["set"].items()})
    assert after == model


def test_what_is_only_looked_at_is_no_change():
    state = session({"list": [1], "other": 2})
    assert state["list"] == [1]
    assert state.changes() is None


def test_what_is_only_looked_at_is_no_change_though_the_other_side_writes_it_with_other_bytes():
    given = {"small": b"\xd1\x00\x05", "list": b"\xdc\x00\x01\x01", "text": b"\xd9\x01a"}
    state = Session({"id": "s", "data": given})
    assert (state["small"], state["list"], state["text"]) == (5, [1], "a")
    assert state.changes() is None
    state["small"] = 6
    state["list"].append(2)
    assert state.changes() == {"set": {"small": encode(6), "list": encode([1, 2])}, "delete": []}


def test_a_thread_that_the_call_has_left_behind_does_not_fail_it():
    state = session({"a": 1})
    ended = threading.Event()

    def write():
        number = 0
        while not ended.is_set():
            state[str(number)] = number
            number += 1
            if number % 50 == 0:
                for key in list(state._values):
                    del state[key]

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(2_000):
            state.changes()
    finally:
        ended.set()
        thread.join()


def test_what_is_changed_in_place_is():
    state = session({"list": [1], "other": 2})
    state["list"].append(2)
    assert state.changes() == {"set": {"list": encode([1, 2])}, "delete": []}


def test_a_key_that_is_missing_is_a_key_error():
    state = session({"a": 1})
    del state["a"]
    for key in ("a", "b"):
        with pytest.raises(KeyError):
            state[key]
        with pytest.raises(KeyError):
            del state[key]


def test_without_a_session_it_is_empty_and_says_so_when_it_is_written():
    state = Session(None)
    assert (dict(state), state.id) == ({}, None)
    with pytest.raises(RuntimeError, match="the call belongs to no session"):
        state["a"] = 1


def test_keys_are_strings():
    with pytest.raises(TypeError, match="not 7"):
        session({})[7] = 1


def test_what_cannot_cross_is_refused():
    state = session({})
    state["a"] = object()
    with pytest.raises(EncodeError):
        state.changes()
