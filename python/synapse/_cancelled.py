"""The exception that cancelling a call raises inside it."""


class Cancelled(BaseException):
    """The caller does not want the result any more, or the worker has to stop.

    Raised inside synchronous handlers, wherever they are; coroutines get
    `asyncio.CancelledError`. Like that one it is no `Exception`, so that `except Exception` does
    not swallow it; `finally` and `with` run as usual.
    """

    # Users see it as `synapse.Cancelled`.
    __module__ = "synapse"
