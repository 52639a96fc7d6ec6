"""Exits while a child in another session, which has lost our marker, holds all its streams."""

import os
import subprocess
import sys

environment = dict(os.environ)
del environment["SYNAPSE_RUN_ID"]
sleeper = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(3600)"],
    env=environment,
    start_new_session=True,
    pass_fds=(3, 4, 5),
)
os.write(5, str(sleeper.pid).encode())
os.write(2, b"left a child\n")
os._exit(3)
