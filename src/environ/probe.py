"""Tells what an interpreter is, as one line of JSON. Run by interpreters that nobody has looked at
yet, so it must parse and answer on any Python, and answer even when something fails."""

import json
import os
import sys


def describe():
    base_prefix = getattr(sys, "base_prefix", sys.prefix)
    base = getattr(sys, "_base_executable", None) or sys.executable
    if base_prefix != sys.prefix and base == sys.executable:
        # Before 3.11 a virtual environment does not know its base interpreter.
        name = "python%d.%d" % sys.version_info[:2]
        base = os.path.join(base_prefix, "bin", name)
        if not os.path.exists(base):
            base = os.path.realpath(sys.executable)
    try:
        import pip

        pip_version = pip.__version__
    except Exception:
        pip_version = None
    try:
        machine = os.uname()[4]
    except AttributeError:
        machine = os.environ.get("PROCESSOR_ARCHITECTURE", "unknown")
    return {
        "synapse_probe": 1,
        "version": "%d.%d.%d" % sys.version_info[:3],
        # Windows has no `sys.abiflags` before 3.14.
        "free_threaded": "free-threading" in sys.version,
        "implementation": getattr(getattr(sys, "implementation", None), "name", "cpython"),
        "platform": "%s-%s" % (sys.platform, machine),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": base_prefix,
        "base_executable": base,
        "pip": pip_version,
    }


try:
    answer = describe()
except Exception:
    answer = {"synapse_probe": 1, "error": str(sys.exc_info()[1])}
sys.stdout.write(json.dumps(answer) + "\n")
