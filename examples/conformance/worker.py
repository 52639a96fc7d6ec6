"""What `synapse conformance` asks of a worker, in Python."""

import time

from synapse import handler, host


@handler
def echo(value):
    return value


@handler
def fail(message):
    raise ValueError(message)


@handler
def add(a, b):
    return a + b


@handler
def count(number):
    yield from range(number)


@handler
def sleep(ms):
    time.sleep(ms / 1000)


@handler
def ask(name, *arguments):
    return host.call(name, *arguments).result()
