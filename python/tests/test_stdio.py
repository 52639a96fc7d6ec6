"""Unmodified scripts for version 1.4."""

from __future__ import annotations

import os
import signal
import struct
import textwrap

import msgpack
import pytest

CLASSIC = """
import sys, msgpack

def main():
    while True:
        header = sys.stdin.buffer.read(4)
        if not header or len(header) < 4:
            break
        length = int.from_bytes(header, "little")
        if length == 0:
            break
        payload = msgpack.unpackb(sys.stdin.buffer.read(length))
        print("working on", str(payload)[:20])
        result = work(payload)
        data = msgpack.packb(result)
        sys.stdout.buffer.write(len(data).to_bytes(4, "little"))
        sys.stdout.buffer.write(data)
        FLUSH

def work(payload):
    BODY

if __name__ == "__main__":
    main()
"""


def script(body="return payload", flush="sys.stdout.flush()"):
    body = textwrap.indent(textwrap.dedent(body), "    ").strip()
    return CLASSIC.replace("BODY", body).replace("FLUSH", flush)


def request(value):
    data = msgpack.packb(value)
    return struct.pack("<I", len(data)) + data


def reply(worker):
    (length,) = struct.unpack("<I", worker.data.read(4))
    return msgpack.unpackb(worker.data.read(length), strict_map_key=False)


@pytest.mark.parametrize(
    "flush",
    ["sys.stdout.flush()", "sys.stdout.buffer.flush()", "pass"],
)
@pytest.mark.parametrize("protocol", ["auto", "stdio"])
def test_a_classic_loop(start, flush, protocol):
    worker = start(script(flush=flush), protocol=protocol).ready()
    assert worker.hello["mode"] == "stdio"
    assert worker.hello["handlers"] == []
    for value in ({"foo": "bar"}, [1, 2], None, "x" * 100_000):
        worker.write(request(value))
        assert reply(worker) == value
    assert worker.end() == 0
    assert "working on {'foo': 'bar'}" in worker.output("stdout")


def test_a_thousand_requests_at_once(start):
    worker = start(script()).ready()
    worker.write(b"".join(request(number) for number in range(1000)))
    assert [reply(worker) for _ in range(1000)] == list(range(1000))


def test_large_values(start):
    worker = start(script()).ready()
    for size in (65_535, 65_536, 5_000_000):
        data = os.urandom(size)
        worker.write(request(data))
        assert reply(worker) == data


#: Waits until there is a file.
HOLD = "import os, time\n{indent}while not os.path.exists({path}): time.sleep(0.001)"


def test_a_reply_does_not_wait_behind_a_slow_later_request(start, tmp_path):
    worker = start(script(HOLD.format(indent="", path="payload") + "\nreturn payload")).ready()
    there, go = os.fspath(tmp_path), os.fspath(tmp_path / "go")
    worker.write(request(there) + request(go))
    assert reply(worker) == there
    (tmp_path / "go").touch()
    assert reply(worker) == go


def test_a_flushed_reply_is_written_before_the_script_goes_on_working(start, tmp_path):
    hold = HOLD.format(indent=" " * 8, path=repr(os.fspath(tmp_path / "go")))
    worker = start(script(flush="sys.stdout.flush()\n" + " " * 8 + hold)).ready()
    worker.write(request(1) + request(2))
    assert reply(worker) == 1
    (tmp_path / "go").touch()
    assert reply(worker) == 2


@pytest.mark.parametrize(
    "noise",
    [
        "print('noise'); return payload",
        "import os; os.write(1, b'noise'); return payload",
        "import subprocess; subprocess.run(['echo', 'noise']); return payload",
        "import ctypes; ctypes.CDLL(None).puts(b'noise'); return payload",
        "import warnings; warnings.warn('noise'); return payload",
        "import logging; logging.warning('noise'); return payload",
        "import sys; sys.stdout.write('noise'); return payload",
        "import sys; sys.stdout.writelines(['noise']); return payload",
        "import sys; sys.stderr.write('noise'); return payload",
    ],
)
def test_output_never_disturbs_the_frames(start, noise):
    worker = start(script(noise)).ready()
    for value in range(20):
        worker.write(request(value))
        assert reply(worker) == value
    assert worker.end() == 0
    assert "noise" in worker.output("stdout") + worker.output("stderr")


def read_mark(worker):
    assert worker.data.read(4) == b"\xff" * 4
    mark = worker.data.frame()
    assert mark.kind == "mark"
    return mark.value


def test_error_text_is_marked_with_the_number_of_replies(start):
    body = """
        if payload == 2:
            print("[ERROR] two", file=sys.stderr)
            print("an ordinary line", file=sys.stderr)
        return payload"""
    worker = start(script(body)).ready()
    worker.write(b"".join(request(number) for number in range(5)))
    assert [reply(worker) for _ in range(2)] == [0, 1]
    assert read_mark(worker) == {"replies": 2, "text": "[ERROR] two\n"}
    assert [reply(worker) for _ in range(3)] == [2, 3, 4]
    assert worker.control.is_quiet(0.1)
    worker.end()
    assert worker.output() == "[ERROR] two\nan ordinary line\n"


def test_a_rejected_request_without_a_reply_gets_one(start):
    source = """
    import sys, msgpack
    read, write = sys.stdin.buffer, sys.stdout.buffer
    while head := read.read(4):
        payload = msgpack.unpackb(read.read(int.from_bytes(head, "little")))
        if payload % 2:
            print(f"[ERROR] {payload}", file=sys.stderr)
            continue
        reply = msgpack.packb(payload)
        write.write(len(reply).to_bytes(4, "little") + reply)
        write.flush()
    """
    worker = start(textwrap.dedent(source)).ready()
    worker.write(b"".join(request(number) for number in range(4)))
    assert reply(worker) == 0
    assert read_mark(worker) == {"replies": 1, "text": "[ERROR] 1\n"}
    assert reply(worker) is None
    assert reply(worker) == 2
    assert read_mark(worker) == {"replies": 3, "text": "[ERROR] 3\n"}
    assert reply(worker) is None
    worker.write(request(6))
    assert reply(worker) == 6
    worker.end()


def test_other_ways_to_read_and_write(start):
    source = """
    import sys, msgpack
    read, write = sys.stdin.buffer, sys.stdout.buffer
    head = bytearray(4)
    while read.readinto(head) == 4:
        body = bytearray(int.from_bytes(head, "little"))
        read.readinto(body)
        write.write(memoryview(bytes(head)))
        write.raw.write(bytearray(body))
        write.flush()
    """
    worker = start(textwrap.dedent(source)).ready()
    for value in (1, {"a": [1, 2, 3]}, b"x" * 300_000):
        worker.write(request(value))
        assert reply(worker) == value
    assert worker.end() == 0


def test_a_script_that_uses_descriptors_works_if_it_says_so(start):
    source = """
    import os, sys
    source, target = sys.stdin.fileno(), sys.stdout.buffer.fileno()
    source = sys.stdin.buffer.fileno()
    while head := os.read(source, 4):
        os.write(target, head + os.read(source, int.from_bytes(head, "little")))
    """
    worker = start(textwrap.dedent(source), protocol="stdio").ready()
    worker.write(request("descriptors"))
    assert reply(worker) == "descriptors"


def test_output_before_the_first_read_is_no_reply(start):
    source = (
        "import sys\nprint('banner')\nsys.stdout.buffer.write(b'binary banner\\n')\n" + script()
    )
    worker = start(source).ready()
    worker.write(request(1))
    assert reply(worker) == 1
    worker.end()
    assert worker.output("stdout").startswith("banner\nbinary banner\n")


def test_reading_text_finds_the_end(start):
    worker = start("import sys\nassert sys.stdin.read() == ''\n" + script()).ready()
    worker.write(request(1))
    assert reply(worker) == 1


def test_an_exception_in_the_loop_ends_the_script_as_ever(start):
    worker = start(script("raise ValueError(payload)")).ready()
    worker.write(request("broken"))
    assert worker.wait() == 1
    output = worker.output()
    assert "ValueError: broken" in output
    assert "_launch.py" not in output
    assert "boot.py" not in output


def test_sys_exit_is_the_exit_code(start):
    worker = start(script("sys.exit(7)")).ready()
    worker.write(request(1))
    assert worker.wait() == 7


def test_the_last_reply_is_written_when_the_script_ends(start):
    worker = start(script(flush="break")).ready()
    worker.write(request("last"))
    assert reply(worker) == "last"
    assert worker.wait() == 0


def test_a_zero_length_ends_the_loop(start):
    worker = start(script()).ready()
    worker.write(bytes(4))
    assert worker.wait() == 0


def test_shutdown_ends_the_loop(start):
    worker = start(script() + "\nprint('after the loop')\n").ready()
    worker.write(request(1))
    assert reply(worker) == 1
    worker.shutdown()
    assert worker.wait() == 0
    assert "after the loop" in worker.output("stdout")


def test_sigterm_ends_the_script_as_in_1_4(start):
    worker = start(script()).ready()
    worker.terminate()
    assert worker.wait() == -signal.SIGTERM


def test_a_handler_of_the_script_for_sigterm_is_left_alone(start):
    source = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
    worker = start(source + script()).ready()
    worker.terminate()
    assert worker.wait() == 9


def test_the_script_sees_itself_as_main(start):
    worker = start(script("return [__name__, sys.argv, sys.path[0], __file__]")).ready()
    worker.write(request(1))
    name, argv, first, file = reply(worker)
    assert name == "__main__"
    assert argv == [file] == [worker.config["entry"]]
    assert first == worker.config["directory"]


def test_an_import_error_is_a_fault(start):
    fault = start("import nonsense_that_is_not_there\n" + script()).fault()
    assert fault["phase"] == "import"
    assert fault["error"]["type"] == "ModuleNotFoundError"


def test_heartbeats_come_in_this_framing_too(start):
    worker = start(script(), heartbeat_ms=50).ready()
    beat = worker.control.frame()
    assert beat.kind == "heartbeat"
    assert beat.value["rss"] > 1_000_000
    assert beat.value["calls"] == 0
