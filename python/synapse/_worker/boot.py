"""Brings a worker up: prepares the process, runs the user's code, says hello, serves."""

from __future__ import annotations

import builtins
import faulthandler
import os
import sys

from synapse._protocol import fallback
from synapse._protocol.codec import codec, encode
from synapse._protocol.header import FAULT, frame
from synapse._registry import ASYNC_GENERATOR, COROUTINE, kind_of, registry
from synapse._worker import signals, watcher
from synapse._worker.config import Config, parse
from synapse._worker.connect import connect
from synapse._worker.gate import make_lock
from synapse._worker.hello import say_hello
from synapse._worker.hooks import Hooks
from synapse._worker.interrupt import Interrupter
from synapse._worker.state import Worker
from synapse._worker.streams import Streams
from synapse._worker.watchdog import Watchdog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from synapse._worker.memory import Memory


def boot(text: str, package: str) -> None:
    """Runs the worker that the configuration describes, until it ends.

    Args:
        text: the configuration, as JSON.
        package: the directory that holds this package.

    """
    config = parse(text)
    for descriptor in config.channels:
        os.set_inheritable(descriptor, False)
    if config.parent and os.getppid() != config.parent:
        # The host died while the interpreter started; nobody else would tell us.
        watcher.kill_group()
    if not faulthandler.is_enabled():
        # Where a crash happened is among the last words. Those of one thread, for they are few.
        faulthandler.enable(2, all_threads=False)
    fallback.limit_depth(config.depth)
    codec.graceful = config.graceful
    worker = Worker(config, registry)
    watcher.start(worker)
    # Ctrl-C in the terminal is for the host. A handler of Python, unlike SIG_IGN, is not
    # inherited by programs that the user's code starts.
    signals.signal(signals.SIGINT, _ignore)
    watchdog = Watchdog(worker)
    watchdog.start()
    interrupter = Interrupter(worker, watchdog)
    streams = Streams(worker, watchdog, interrupter)
    connect(worker, watchdog)
    memory_lock = make_lock()
    worker.load_memory = lambda: _load_memory(worker, watchdog, memory_lock)
    os.register_at_fork(after_in_child=lambda: _after_fork(worker, streams))
    sys.path.remove(package)
    sys.path[:] = [*_first_directories(config), *sys.path, package]
    try:
        if config.entry is not None:
            code = _run_entry(worker, streams, config.entry)
        else:
            code = _bind(worker, config)
        if code is None:
            code = _serve(worker, watchdog, interrupter, streams)
    finally:
        streams.finish()
    if code:
        sys.exit(code)


def _ignore(_number: int, _frame: Any) -> None:
    """A signal that is meant for the host."""


def _first_directories(config: Config) -> list[str]:
    first = config.directory if config.entry is None else os.path.dirname(config.entry)
    return [first, *config.python_path]


def _load_memory(worker: Worker, watchdog: Watchdog, lock: Any) -> Memory | None:
    """Maps the memory that is shared with the host, if there is any."""
    if worker.memory is None and worker.config.memory is not None and not worker.forked:
        from synapse._worker.memory import Memory

        # Threads may come together, and two would lend the same blocks.
        with lock:
            config = worker.config.memory
            if worker.memory is None and config is not None:
                try:
                    worker.memory = Memory(config, watchdog.set_alarm)
                except OSError:
                    # No room in the address space: what this worker sends takes the pipe.
                    worker.config.memory = None
    return worker.memory


def _after_fork(worker: Worker, streams: Streams) -> None:
    """In a forked child: the channels stay the parent's, and close when the parent ends."""
    worker.forked = True
    if worker.memory is not None:
        worker.memory.forked = True
    worker.data.after_fork()
    streams.after_fork()
    for descriptor in worker.config.channels:
        try:
            os.close(descriptor)
        except OSError:
            pass


# ------------------------------------------------------------------------------- the user's code


def _new_main() -> Any:
    """A fresh `__main__`, as the interpreter makes it for a script."""
    main = type(sys)("__main__")
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    return main


def _run_entry(worker: Worker, streams: Streams, entry: str) -> int | None:
    """Runs the entry file as `python main.py` would.

    Answers None if it is to be served now, otherwise the exit code of the process.
    """
    sys.argv[:] = [entry]
    main = _new_main()
    main.__file__ = entry
    main.__cached__ = None
    try:
        with open(entry, "rb") as file:
            source = file.read()
        exec(compile(source, entry, "exec"), main.__dict__)  # noqa: S102
    except SystemExit as error:
        if streams.is_stdio:
            raise
        return _exited(worker, error)
    except BaseException as error:
        if streams.is_stdio:
            # Said hello long ago: it ends as any script that raises.
            from synapse._errors import strip

            error = error.with_traceback(strip(error.__traceback__))
            sys.excepthook(type(error), error, error.__traceback__)
            return 1
        return _fault(worker, "import", error)
    if streams.is_stdio:
        return 0
    return None


def _bind(worker: Worker, config: Config) -> int | None:
    """Imports the bound module and registers its function."""
    from synapse import _errors
    from synapse._registry import Handler

    sys.argv[:] = [""]
    _new_main()
    module, function = config.module or "", config.function or ""
    try:
        __import__(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module + ".").startswith(error.name + "."):
            return _fault(worker, "import", error)
        message = f'module "{module}" is not found in {os.pathsep.join(sys.path[:-1])}'
        return _refuse(worker, _errors.plain_map(_errors.MODULE_NOT_FOUND, message, module=module))
    except SystemExit as error:
        return _exited(worker, error)
    except BaseException as error:
        return _fault(worker, "import", error)
    target = getattr(sys.modules[module], function, None)
    if not callable(target):
        what = "no function" if target is None else "a value that cannot be called"
        message = f'module "{module}" has {what} named "{function}"'
        described = _errors.plain_map(
            _errors.FUNCTION_NOT_FOUND, message, module=module, function=function
        )
        return _refuse(worker, described)
    known = worker.registry.handlers.get(function)
    for handler in worker.registry.handlers.values():
        handler.default = False
    if known is not None and known.function is target:
        known.default = True
    else:
        worker.registry.handlers[function] = Handler(target, function, default=True)
    return None


# ---------------------------------------------------------------------------------------- serving


def _serve(worker: Worker, watchdog: Watchdog, interrupter: Interrupter, streams: Streams) -> int:
    config, handlers = worker.config, worker.registry.handlers
    if not handlers:
        return _nothing_to_serve(worker)
    streams.close_input()
    hooks = Hooks(worker.registry)
    try:
        hooks.start()
    except SystemExit as error:
        return _exited(worker, error)
    except BaseException as error:
        return _fault(worker, "start", error)
    # As in `_launch`: what follows is our own code again.
    unwanted, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    from synapse._arguments import prepare
    from synapse._worker.builtin import builtin_handlers
    from synapse._worker.calls import Calls

    prepare(worker.registry.handlers.values(), config.validate)
    server: Any
    mode = _choose_mode(config)
    calls = Calls(worker, builtin_handlers(worker, mode))
    if mode == "async":
        from synapse._worker.asynchronous import Asynchronous

        server = Asynchronous(worker, calls, watchdog, hooks)
    elif mode == "threads":
        from synapse._worker.threads import Threads

        server = Threads(worker, calls, watchdog, interrupter)
    else:
        from synapse._worker.serial import Serial

        server = Serial(worker, calls, watchdog, interrupter, hooks)
    sys.dont_write_bytecode = unwanted
    interrupter.install()
    streams.capture_logging()
    say_hello(worker, calls.handlers)
    try:
        server.serve()
    finally:
        worker.running[0] = 0
        interrupter.finish()
        worker.end_callbacks()
        try:
            hooks.stop()
        finally:
            streams.finish()
            worker.data.flush()
    return 0


def _choose_mode(config: Config) -> str:
    if config.mode != "auto":
        return config.mode
    functions: list[Any] = [handler.function for handler in registry.handlers.values()]
    functions += registry.start_hooks + registry.stop_hooks
    if any(kind_of(function) in (COROUTINE, ASYNC_GENERATOR) for function in functions):
        return "async"
    return "serial"


# ----------------------------------------------------------------------------------------- faults


def _fault(worker: Worker, phase: str, error: BaseException) -> int:
    """Tells the host why there will be no hello; answers the exit code."""
    from synapse._errors import encode_error, error_map

    described = error_map(error)
    _send_fault(worker, phase, encode_error(described))
    if sys.excepthook is not sys.__excepthook__:
        # The user's code wants to know as well.
        sys.excepthook(type(error), error, error.__traceback__)
    return 1


def _refuse(worker: Worker, described: dict[str, Any]) -> int:
    _send_fault(worker, "bind", encode(described))
    return 1


def _send_fault(worker: Worker, phase: str, error: bytes) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    # The map {"phase": …, "error": …}, around an error that is encoded already.
    payload = b"\x82" + encode("phase") + encode(phase) + encode("error") + error
    worker.control.send(frame(FAULT, 0, payload))


def _exited(worker: Worker, error: SystemExit) -> int:
    """The fault of code that calls `sys.exit` instead of getting ready."""
    from synapse._errors import START_FAILED, encode_error, error_map

    described = error_map(error, START_FAILED)
    code = error.code
    if code is None:
        code = 0
    shown = f"code {code}" if isinstance(code, int) else f"the message {code!s}"
    described["message"] = f"the program ended by sys.exit with {shown} before it was ready"
    _send_fault(worker, "import", encode_error(described))
    if not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        return 1
    return code


def _nothing_to_serve(worker: Worker) -> int:
    from synapse._errors import START_FAILED, plain_map

    name = os.path.basename(worker.config.entry or worker.config.module or "")
    message = (
        f"{name} ended without a handler: decorate a function with @synapse.handler, or loop over "
        "sys.stdin.buffer as scripts for version 1.4 do"
    )
    return _refuse(worker, plain_map(START_FAILED, message))
