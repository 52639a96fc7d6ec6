"""What handlers print and log."""

from __future__ import annotations

import pytest

SOURCE = """
import logging, os, subprocess, sys, threading, time, warnings
from synapse import context, handler

@handler
def say(text):
    print(text)
    return text

@handler
def parts(_):
    print("a", "b", 3, sep="-", end="")
    sys.stdout.write("!")

@handler
def unfinished(path):
    print("before", end="")
    while not os.path.exists(path): time.sleep(0.001)

@handler
def unflushed(path):
    print("before")
    while not os.path.exists(path): time.sleep(0.001)

@handler
def complain(_):
    sys.stderr.write("trouble\\n")
    warnings.warn("careful", stacklevel=1)

@handler
def record(_):
    logging.getLogger("shop").warning("stock of %s is low", "tea")

@handler
def own_log(_):
    context().log.info("step %d", 2)

@handler
def binary(_):
    sys.stdout.buffer.write("caf\\u00e9\\n".encode())
    sys.stdout.buffer.write(b"\\xc3")
    sys.stdout.buffer.write(b"\\xa9\\n")
    sys.stdout.buffer.write(b"\\xff\\n")

@handler
def descriptor(_):
    os.write(1, b"direct\\n")
    subprocess.run(["echo", "grandchild"], check=True)
    return [sys.stdout.fileno(), sys.stderr.fileno(), sys.stdout.isatty()]

@handler
def surrogate(_): print("a\\udcffb")

@handler
def odd(_):
    try:
        sys.stdout.write(b"bytes")
    except TypeError as error:
        return str(error)

@handler
def about(_):
    sys.stdout.reconfigure(line_buffering=True)
    return [sys.stdout.encoding, sys.stdout.name, sys.stderr.name, sys.stdout.writable()]

@handler
def in_thread(_):
    thread = threading.Thread(target=print, args=("from a thread",))
    thread.start()
    thread.join()

@handler
def huge(size): print("x" * size)

@handler
def crash(_):
    def fail(): raise ValueError("in the background")
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
"""


@pytest.fixture
def worker(start):
    return start(SOURCE).ready()


def logs_of(worker, name, value=None):
    """The logs that precede the reply, as (stream, text), checked to carry the call."""
    call = worker.send(name, value)
    found = []
    while (frame := worker.receive()).kind == "log":
        assert frame.call == call
        found.append((frame.value["stream"], frame.value["text"]))
    assert (frame.kind, frame.call) == ("response", call)
    return found


def test_a_print_is_one_event_and_precedes_the_reply(worker):
    assert logs_of(worker, "say", "hello") == [("stdout", "hello\n")]


def test_text_without_a_line_end_precedes_the_reply_too(worker):
    assert logs_of(worker, "parts") == [("stdout", "a-b-3!")]


@pytest.mark.parametrize("name", ["unfinished", "unflushed"])
def test_a_print_without_flush_is_seen_while_the_handler_runs(worker, name, tmp_path):
    call = worker.send(name, str(tmp_path / "go"))
    assert worker.receive().value["text"].startswith("before")
    (tmp_path / "go").touch()
    assert worker.reply(call).kind == "response"


def test_stderr_and_warnings(worker):
    streams = logs_of(worker, "complain")
    assert streams[0] == ("stderr", "trouble\n")
    assert {stream for stream, _ in streams} == {"stderr"}
    assert "UserWarning: careful" in "".join(text for _, text in streams)


def test_a_record_of_logging_is_structured(worker):
    call = worker.send("record")
    log = worker.receive().value
    assert log["stream"] == "logging"
    assert log["text"] == "stock of tea is low"
    assert (log["level"], log["logger"]) == ("WARNING", "shop")
    assert log["file"] == worker.config["entry"]
    assert isinstance(log["line"], int)
    assert worker.reply(call).kind == "response"


def test_basic_config_keeps_its_format_and_gets_structure(start):
    source = (
        "import logging\nlogging.basicConfig(level=logging.INFO, format='<%(message)s>')\n"
        "from synapse import handler\n"
        "@handler\ndef record(_): logging.info('hi')\n"
    )
    worker = start(source).ready()
    worker.send("record")
    log = worker.receive().value
    assert (log["stream"], log["text"], log["level"]) == ("logging", "<hi>", "INFO")


def test_handlers_of_the_user_are_left_alone(start, tmp_path):
    source = (
        "import logging\nlogging.basicConfig(filename='own.log', level=logging.INFO)\n"
        "from synapse import handler\n"
        "@handler\ndef record(_): logging.info('hi')\n"
    )
    worker = start(source).ready()
    assert worker.call("record") is None
    assert worker.logs == []
    assert "hi" in (tmp_path / "own.log").read_text()


def test_logging_in_stdio_mode_does_not_reach_the_data_channel_before_hello(start):
    worker = start("import logging\nlogging.warning('early')\n" + SOURCE).ready()
    assert worker.call("say", 1) == 1
    worker.end()
    assert "early" in worker.output()


def test_the_log_of_the_context(worker):
    call = worker.send("own_log")
    frame = worker.receive()
    assert frame.call == call
    assert frame.value["text"] == "step 2"
    assert (frame.value["level"], frame.value["file"]) == ("INFO", worker.config["entry"])


def test_bytes_are_decoded_even_in_pieces(worker):
    text = "".join(text for _, text in logs_of(worker, "binary"))
    assert text == "café\né\n\\xff\n"


def test_descriptors_and_grandchildren_go_to_the_pipes(worker):
    assert worker.call("descriptor") == [1, 2, False]
    worker.end()
    assert worker.output("stdout") == "direct\ngrandchild\n"


def test_lone_surrogates_are_spelled_out(worker):
    assert logs_of(worker, "surrogate") == [("stdout", "a\\udcffb\n")]


def test_it_behaves_as_a_text_stream(worker):
    assert "must be str, not bytes" in worker.call("odd")
    assert worker.call("about") == ["utf-8", "<stdout>", "<stderr>", True]


def test_threads_can_print(worker):
    assert logs_of(worker, "in_thread") == [("stdout", "from a thread\n")]


def test_huge_text_is_sent_in_pieces(worker):
    pieces = logs_of(worker, "huge", 1_000_000)
    assert "".join(text for _, text in pieces) == "x" * 1_000_000 + "\n"
    assert len(pieces) > 1


def test_an_exception_in_a_thread_is_logged_and_the_worker_lives(worker):
    call = worker.send("crash")
    text = ""
    while (frame := worker.receive()).kind == "log":
        text += frame.value["text"]
    assert "ValueError: in the background" in text
    assert (frame.kind, frame.call) == ("response", call)
    assert worker.call("say", 1) == 1


def test_ten_thousand_printing_calls(worker):
    frames = [worker.frame("say", number) for number in range(10_000)]
    sent = 0
    for number, (call, data) in enumerate(frames):
        while sent < len(frames) and sent < number + 200:
            worker.write(frames[sent][1])
            sent += 1
        log, reply = worker.receive(), worker.receive()
        assert (log.kind, log.call, log.value["text"]) == ("log", call, f"{number}\n")
        assert (reply.kind, reply.call, reply.value) == ("response", call, number)
        del data


def test_output_before_hello_goes_to_the_pipe(start):
    worker = start("import sys\nprint('banner')\nprint('oh', file=sys.stderr)\n" + SOURCE).ready()
    worker.end()
    assert worker.output("stdout") == "banner\n"
    assert worker.output() == "oh\n"


@pytest.mark.parametrize("how", ["inherit", "ignore"])
def test_streams_that_the_host_does_not_want_are_left_alone(start, how):
    worker = start(SOURCE, stdout=how, stderr=how).ready()
    assert worker.call("say", "hello") == "hello"
    assert worker.logs == []
    worker.end()
    assert worker.output("stdout") == "hello\n"


@pytest.mark.parametrize("mode", ["threads", "async"])
def test_output_carries_the_call_in_other_modes(start, mode):
    source = SOURCE + "\n@handler\nasync def asay(text):\n    print(text)\n    return text\n"
    worker = start(source if mode == "async" else SOURCE, mode=mode, concurrency=3).ready()
    names = ["say", "asay"] if mode == "async" else ["say"]
    for name in names:
        assert logs_of(worker, name, "hello") == [("stdout", "hello\n")]


def test_forked_children_print_to_the_pipe_and_hold_no_channel(start):
    source = """
import os, time
from synapse import handler

@handler
def fork(_):
    child = os.fork()
    if not child:
        print("in the child")
        os._exit(0)
    os.waitpid(child, 0)
    print("in the parent")

@handler
def linger(_):
    child = os.fork()
    if not child:
        time.sleep(30)
        os._exit(0)
    return child
"""
    worker = start(source).ready()
    # From 3.12 on the interpreter warns, on stderr, that there are threads.
    printed = [text for stream, text in logs_of(worker, "fork") if stream == "stdout"]
    assert printed == ["in the parent\n"]
    child = worker.call("linger")
    worker.process.kill()
    with pytest.raises(EOFError):
        worker.receive()
    import os
    import signal

    os.kill(child, signal.SIGKILL)
    assert worker.output("stdout") == "in the child\n"


def test_multiprocessing_spawn_works(start):
    source = """
import multiprocessing
from synapse import handler

def double(value): return 2 * value

@handler
def main(values):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(double, values)
"""
    worker = start(source).ready()
    assert worker.call("main", [1, 2, 3]) == [2, 4, 6]
