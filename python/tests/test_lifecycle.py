"""Starting, stopping, faults, and hosts that vanish."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from harness import PATIENCE

BASIC = """
import asyncio, atexit, os, sys, time
import synapse
from synapse import handler, on_start, on_stop

@on_stop
def note():
    print("stopped", flush=True)
    os.write(1, b"on_stop\\n")

@handler
def echo(value): return value

@handler
def sleep(seconds):
    os.write(1, b"begun\\n")
    time.sleep(seconds)
    return seconds

@handler
def spin(_):
    os.write(1, b"begun\\n")
    while True: pass
"""
ASYNC = (
    BASIC
    + """
@handler
async def wait(seconds):
    os.write(1, b"begun\\n")
    await asyncio.sleep(seconds)
    return seconds
"""
)
AWAITED = "await asyncio.sleep(seconds)\n    return context"


def modes(*names):
    return pytest.mark.parametrize("mode", names or ["serial", "threads", "async"])


def launch(start, mode, **config):
    return start(ASYNC if mode == "async" else BASIC, mode=mode, concurrency=2, **config).ready()


def test_hello(start):
    worker = start(BASIC).ready()
    hello = worker.hello
    assert hello["protocol"] == 1
    assert hello["mode"] == "synapse"
    assert hello["pid"] == worker.pid
    assert hello["python"] == ".".join(map(str, sys.version_info[:3]))
    assert hello["executable"] == sys.executable
    assert hello["sdk"] == "2.0.0"
    assert hello["heartbeat"] == 0
    names = [handler["name"] for handler in hello["handlers"]]
    assert names == ["echo", "sleep", "spin", "synapse.ping", "synapse.info"]


@modes()
def test_the_end_of_the_channel_ends_an_idle_worker_in_good_order(start, mode):
    worker = launch(start, mode)
    assert worker.call("echo", 1) == 1
    assert worker.end() == 0
    assert "on_stop" in worker.output("stdout")


@modes()
def test_shutdown_finishes_what_runs(start, mode):
    worker = launch(start, mode)
    call = worker.send("sleep", 0.5)
    worker.begun()
    worker.shutdown()
    assert worker.reply(call).value == 0.5
    assert worker.wait() == 0
    assert "on_stop" in worker.output("stdout")


@modes()
def test_shutdown_ends_an_idle_worker(start, mode):
    worker = launch(start, mode)
    time.sleep(0.2)
    worker.shutdown()
    assert worker.wait() == 0
    assert "on_stop" in worker.output("stdout")


def test_shutdown_finishes_coroutines(start):
    worker = launch(start, "async")
    call = worker.send("wait", 0.4)
    worker.begun()
    worker.shutdown()
    assert worker.reply(call).value == 0.4
    assert worker.wait() == 0


def test_shutdown_finishes_a_stream(start):
    source = "import time\nfrom synapse import handler\n@handler\ndef items(n):\n"
    source += "    for i in range(n):\n        time.sleep(0.05)\n        yield i\n"
    worker = start(source).ready()
    call = worker.send("items", 5, stream=True)
    worker.credit(call, 10)
    assert worker.receive().value == 0
    worker.shutdown()
    assert [worker.receive().kind for _ in range(5)] == ["item"] * 4 + ["end"]
    assert worker.wait() == 0


@modes()
@pytest.mark.parametrize("name", ["spin", None])
def test_sigterm_interrupts_what_runs_and_stops_in_good_order(start, mode, name):
    worker = launch(start, mode)
    if name is not None:
        worker.send(name)
        worker.begun()
    worker.terminate()
    assert worker.wait() == 0
    assert "on_stop" in worker.output("stdout")


def test_sigterm_interrupts_sleep_and_coroutines(start):
    for mode, name in (("serial", "sleep"), ("async", "wait")):
        worker = launch(start, mode)
        call = worker.send(name, 1e6)
        worker.begun()
        worker.terminate()
        assert worker.reply(call).kind == "error"
        assert worker.wait() == 0


def test_sigterm_before_hello_ends_the_process_as_ever(start):
    worker = start("import os, time\nos.write(1, b'here')\ntime.sleep(100)\n")
    worker.process.stdout.read(4)
    worker.terminate()
    assert worker.wait() == -signal.SIGTERM


def test_sigterm_in_the_end_of_the_interpreter_changes_no_exit_code(start):
    source = BASIC + (
        "class Last:\n"
        "    def __del__(self, kill=os.kill, pid=os.getpid(), term=15, write=os.write):\n"
        "        kill(pid, term)\n"
        "        write(1, b'alive')\n"
        "sys.last = Last()\n"
    )
    worker = start(source).ready()
    assert worker.end() == 0
    assert "alive" in worker.output("stdout")


def test_a_second_sigterm_ends_a_stop_hook_that_hangs(start):
    source = BASIC + "\n@on_stop\ndef hang():\n    os.write(1, b'hanging')\n    time.sleep(100)\n"
    worker = start(source).ready()
    worker.terminate()
    worker.process.stdout.read(7)
    worker.terminate()
    assert worker.wait() == -signal.SIGTERM


def test_handlers_of_the_user_for_signals_are_left_alone(start):
    source = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n" + BASIC
    worker = start(source).ready()
    worker.call("echo", 1)
    worker.terminate()
    assert worker.wait() == 9


def test_sigint_is_for_the_host(start):
    worker = start(BASIC).ready()
    os.kill(worker.pid, signal.SIGINT)
    call = worker.send("sleep", 0.3)
    os.kill(worker.pid, signal.SIGINT)
    assert worker.reply(call).value == 0.3


@pytest.mark.parametrize("name", ["echo", "sleep", "spin"])
def test_a_host_that_vanishes_takes_the_worker_and_its_children_along(start, name):
    source = BASIC + (
        "\nimport subprocess\n"
        "@handler\ndef child(_):\n    return subprocess.Popen(['sleep', '1000']).pid\n"
    )
    worker = start(source).ready()
    child = worker.call("child")
    call = worker.send(name, 1e6)
    if name == "echo":
        worker.reply(call)
    else:
        worker.begun()
    worker.close_control()
    assert worker.wait() == -signal.SIGKILL
    try:
        deadline = time.monotonic() + PATIENCE
        while is_running(child):
            assert time.monotonic() < deadline, "the grandchild outlived the host"
            time.sleep(0.02)
    finally:
        if is_running(child):
            os.kill(child, signal.SIGKILL)


def is_running(pid):
    """Whether a process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_host_that_vanished_before_the_start_is_noticed(start):
    worker = start(BASIC, parent=1 if os.getpid() != 1 else 2)
    assert worker.wait() != 0


def test_a_worker_whose_replies_nobody_reads_ends(start):
    worker = start(BASIC).ready()
    worker.close_output()
    worker.send("echo", 1)
    assert worker.wait() == 1


@modes()
def test_heartbeats_come_while_a_call_spins(start, mode):
    worker = launch(start, mode, heartbeat_ms=50)
    worker.send("spin")
    worker.begun()
    beats = [worker.control.frame()]
    # Some may have been on their way before it began.
    while beats[-1].value["calls"] == 0:
        beats.append(worker.control.frame())
    beats += [worker.control.frame() for _ in range(8)]
    assert {beat.kind for beat in beats} == {"heartbeat"}
    assert beats[-1].value["calls"] == 1
    assert beats[-1].value["rss"] > 1_000_000
    assert beats[-1].value["lag"] >= 0
    assert beats[-1].value["cpu"] > 0
    assert worker.hello["heartbeat"] == 50


def test_hooks_run_once_in_order_before_hello_and_after_the_last_call(start):
    source = """
import os
from synapse import handler, on_start, on_stop
seen = []
@on_start
def one(): seen.append("one")
@on_start
def two(): seen.append("two")
@handler
def main(_): return seen
@on_stop
def first(): os.write(1, b"first ")
@on_stop
def broken(): raise ValueError("broken hook")
@on_stop
def last(): os.write(1, b"last ")
"""
    worker = start(source).ready()
    assert worker.call("main") == ["one", "two"]
    assert worker.end() == 0
    assert worker.output("stdout") == "last first "


@modes("async", "serial", "threads")
def test_hooks_may_be_coroutines(start, mode):
    source = """
import asyncio, os
from synapse import handler, on_start, on_stop
state = {}
@on_start
async def load():
    await asyncio.sleep(0)
    state["loop"] = asyncio.get_running_loop()
@handler
async def main(_):
    return state["loop"] is asyncio.get_running_loop()
@on_stop
async def close():
    await asyncio.sleep(0)
    os.write(1, b"closed")
"""
    worker = start(source, mode=mode).ready()
    assert worker.call("main") is (mode != "threads")
    assert worker.end() == 0
    assert worker.output("stdout") == "closed"


def test_descriptors_are_not_inherited_by_children(start):
    source = """
import os, subprocess
from synapse import handler
@handler
def main(_):
    listing = "import os; print([n for n in (3, 4, 5) if os.path.exists(f'/proc/self/fd/{n}')"
    listing += " and 'pipe' in os.readlink(f'/proc/self/fd/{n}')])"
    return subprocess.run(["python3", "-c", listing], close_fds=False, capture_output=True).stdout
"""
    worker = start(source).ready()
    assert worker.call("main").strip() == b"[]"


class TestFaults:
    def test_an_import_error(self, start):
        worker = start("import sys\nsys.path\nimport nothing_of_this_name\n")
        fault = worker.fault()
        error = fault["error"]
        assert fault["phase"] == "import"
        assert error["code"] == "PYTHON_ERROR"
        assert error["type"] == "ModuleNotFoundError"
        assert error["traceback"].startswith("Traceback (most recent call last):\n")
        assert "import nothing_of_this_name" in error["traceback"]
        assert "_worker" not in error["traceback"]
        assert [frame["line"] for frame in error["frames"]] == [3]
        assert worker.wait() == 1

    def test_a_syntax_error_shows_the_place(self, start):
        fault = start("def broken(:\n").fault()
        assert fault["error"]["type"] == "SyntaxError"
        assert "def broken(:" in fault["error"]["traceback"]
        assert "^" in fault["error"]["traceback"]
        assert "boot.py" not in fault["error"]["traceback"]

    @pytest.mark.parametrize(("code", "status"), [("3", 3), ("", 0), ("'words'", 1)])
    def test_sys_exit(self, start, code, status):
        worker = start(f"import sys\nsys.exit({code})\n")
        fault = worker.fault()
        assert fault["error"]["code"] == "START_FAILED"
        assert "sys.exit" in fault["error"]["message"]
        assert worker.wait() == status

    def test_nothing_to_serve(self, start):
        worker = start("x = 1\n")
        fault = worker.fault()
        assert fault["phase"] == "bind"
        assert fault["error"]["code"] == "START_FAILED"
        assert "@synapse.handler" in fault["error"]["message"]
        assert "sys.stdin.buffer" in fault["error"]["message"]
        assert worker.wait() == 1

    def test_a_start_hook_that_fails(self, start):
        source = BASIC + "\n@on_start\ndef load(): raise OSError(2, 'no model', 'model.bin')\n"
        fault = start(source).fault()
        assert fault["phase"] == "start"
        assert fault["error"]["type"] == "FileNotFoundError"
        assert fault["error"]["data"]["filename"] == "model.bin"

    def test_two_handlers_of_one_name(self, start):
        source = BASIC + "\n@handler(name='echo')\ndef other(value): return value\n"
        fault = start(source).fault()
        assert fault["error"]["type"] == "ValueError"
        assert "registered twice" in fault["error"]["message"]

    def test_a_missing_entry_file(self, start, tmp_path):
        worker = start.bind("json", "dumps", entry=str(tmp_path / "gone.py"))
        assert worker.fault()["error"]["type"] == "FileNotFoundError"


class TestBinding:
    def test_a_function_of_a_module(self, start, tmp_path):
        (tmp_path / "shop.py").write_text("def price(item): return len(item)\n")
        worker = start.bind("shop", "price").ready()
        assert worker.hello["default"] == 0
        assert worker.call("price", "four") == 4

    def test_a_coroutine_of_a_package_on_another_path(self, start, tmp_path):
        package = tmp_path / "elsewhere" / "shop"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "till.py").write_text("async def price(item): return len(item)\n")
        worker = start.bind("shop.till", "price", python_path=[str(tmp_path / "elsewhere")]).ready()
        assert worker.hello["handlers"][0]["kind"] == "coroutine"
        assert worker.call("price", "four") == 4

    def test_a_missing_module(self, start):
        fault = start.bind("no_such_module", "f").fault()
        assert fault["phase"] == "bind"
        assert fault["error"]["code"] == "MODULE_NOT_FOUND"
        assert "no_such_module" in fault["error"]["message"]

    def test_a_missing_parent_package(self, start):
        assert start.bind("no_such.module", "f").fault()["error"]["code"] == "MODULE_NOT_FOUND"

    def test_a_missing_function(self, start):
        fault = start.bind("json", "nothing").fault()
        assert fault["error"]["code"] == "FUNCTION_NOT_FOUND"
        assert '"nothing"' in fault["error"]["message"]

    def test_an_import_error_within_the_module_is_not_taken_for_its_absence(self, start, tmp_path):
        (tmp_path / "shop.py").write_text("import no_such_dependency\n")
        fault = start.bind("shop", "price").fault()
        assert fault["phase"] == "import"
        assert fault["error"]["code"] == "PYTHON_ERROR"
        assert "shop.py" in fault["error"]["traceback"]


class TestModes:
    def test_auto_is_serial_without_coroutines(self, start):
        source = (
            "import sys\nfrom synapse import handler\n"
            "@handler\ndef main(_): return 'asyncio' in sys.modules\n"
        )
        assert start(source).ready().call("main") is False

    def test_coroutines_overlap(self, start):
        source = """
import asyncio
from synapse import handler
begun = 0
@handler
async def meet(count):
    global begun
    begun += 1
    while begun < count:
        await asyncio.sleep(0.001)
"""
        worker = start(source, concurrency=50).ready()
        calls = [worker.send("meet", 50) for _ in range(50)]
        assert {worker.receive().call for _ in calls} == set(calls)

    def test_no_more_coroutines_at_once_than_allowed(self, start):
        source = """
import asyncio
from synapse import handler
now = most = 0
@handler
async def work(_):
    global now, most
    now += 1
    most = max(most, now)
    # So many come together however slow the machine is; what is beyond has its time, too.
    while most < 3:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    now -= 1
    return most
"""
        worker = start(source, concurrency=3).ready()
        calls = [worker.send("work") for _ in range(12)]
        assert max(worker.receive().value for _ in calls) == 3

    def test_a_synchronous_handler_does_not_block_coroutines(self, start):
        source = ASYNC + (
            "released = []\n"
            "@handler\ndef hold(_):\n    while not released: time.sleep(0.001)\n"
            "@handler\nasync def release(_): released.append(True)\n"
        )
        worker = start(source, concurrency=2).ready()
        slow = worker.send("hold")
        fast = worker.send("wait", 0.01)
        assert worker.receive().call == fast
        release = worker.send("release")
        assert {worker.receive().call for _ in range(2)} == {slow, release}

    def test_threads_overlap_and_are_limited(self, start):
        source = (
            BASIC
            + """
import threading
lock, now, most = threading.Lock(), 0, 0
@handler
def work(_):
    global now, most
    with lock:
        now += 1
        most = max(most, now)
    # Two come together however slow the machine is; a third would have its time, too.
    while most < 2: time.sleep(0.001)
    time.sleep(0.05)
    with lock:
        now -= 1
    return most
"""
        )
        worker = start(source, mode="threads", concurrency=2).ready()
        calls = [worker.send("work") for _ in range(6)]
        found = [worker.receive() for _ in calls]
        assert {frame.call for frame in found} == set(calls)
        assert max(frame.value for frame in found) == 2

    @modes("threads", "async")
    @pytest.mark.parametrize("size", [10, 65_536, 3_000_000])
    def test_values_of_every_size(self, start, mode, size):
        worker = launch(start, mode)
        data = os.urandom(size)
        assert worker.call("echo", data) == data
        assert worker.call("echo", [data], form=1) == data

    @modes("threads", "async")
    def test_sys_exit_in_a_handler(self, start, mode):
        source = "import sys\n" + (ASYNC if mode == "async" else BASIC)
        source += "\n@handler\ndef leave(code): sys.exit(code)\n"
        worker = start(source, mode=mode).ready()
        worker.send("leave", 4)
        assert worker.wait() == 4

    def test_sys_exit_in_a_coroutine(self, start):
        worker = start(ASYNC + "\n@handler\nasync def leave(code): sys.exit(code)\n").ready()
        worker.send("leave", 4)
        assert worker.wait() == 4

    def test_a_background_task_that_fails_is_logged_and_the_worker_lives(self, start):
        source = """
import asyncio, gc
from synapse import handler
@handler
async def main(_):
    async def fail(): raise ValueError("in the background")
    asyncio.get_running_loop().create_task(fail())
    await asyncio.sleep(0.01)
    gc.collect()
    return "alive"
"""
        worker = start(source).ready()
        assert worker.call("main") == "alive"
        assert any("in the background" in log.value["text"] for log in worker.logs)
        assert worker.call("main") == "alive"

    @modes("threads", "async")
    def test_a_malformed_frame_ends_the_worker(self, start, mode):
        worker = launch(start, mode)
        worker.write(b"\x08\x00\x00\x00\x7f\x00\x00\x00\x01\x00\x00\x00")
        assert worker.wait() == 70
        assert "kind 0x7f" in worker.output()

    def test_a_malformed_control_frame_ends_the_worker(self, start):
        worker = start(BASIC).ready()
        worker._control.sendall(b"\x08\x00\x00\x00\x7f\x00\x00\x00\x01\x00\x00\x00")
        assert worker.wait() == 70

    @modes("threads", "async")
    def test_contexts_belong_to_their_calls(self, start, mode):
        source = ASYNC if mode == "async" else BASIC
        source += """
from synapse import context
@handler
def whoami(seconds):
    time.sleep(seconds)
    return context().call_id, context().metadata
"""
        if mode == "async":
            source = source.replace("def whoami", "async def whoami")
            source = source.replace("time.sleep(seconds)\n    return context", AWAITED)
        worker = start(source, mode=mode, concurrency=4).ready()
        calls = [
            worker.send("whoami", 0.1, extras={"metadata": {"n": number}}) for number in range(4)
        ]
        for _ in calls:
            found = worker.receive()
            assert found.value == [found.call, {"n": calls.index(found.call)}]


def test_an_idle_worker_is_small(start):
    source = "from synapse import handler\n@handler\ndef echo(value): return value\n"
    worker = start(source).ready()
    assert worker.call("echo", 1) == 1
    # Idle for a while it loads what it runs faster with.
    time.sleep(0.5)
    bare = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert bare.stdout.readline() == b"\n"
        extra = resident(worker.pid) - resident(bare.pid)
    finally:
        bare.communicate(b"\n")
    assert extra < 12 * 1024 * 1024


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
