"""Modules of handlers in Node as attributes of the package, and handlers by their whole name."""

import pytest

import synapse
from synapse.testing import running


def fetch(request):
    return {"fetched": request}


def test_a_module_of_handlers_is_there_before_any_handler_and_its_functions_call_node():
    data_fetch = synapse.market.DataFetch
    with running(host={"market.DataFetch": fetch}):
        assert data_fetch({"symbol": "BTC"}).result() == {"fetched": {"symbol": "BTC"}}
        assert synapse.callback("market.DataFetch", 1).result() == {"fetched": 1}


def test_a_misspelt_function_of_the_package_is_told_when_it_is_used():
    with pytest.raises(AttributeError, match="module 'synapse' has no function 'hander'"):

        @synapse.hander
        def add(a, b):
            return a + b


@pytest.mark.parametrize("name", ["_private", "__wrapped__", "Contxt"])
def test_other_names_are_missing_as_in_any_module(name):
    assert not hasattr(synapse, name)
    assert not hasattr(synapse.market, "_private")


def test_the_package_of_tests_is_no_module_of_handlers():
    assert synapse.testing.running is running
