"""Starts sleepers that outlive it: in its group, in a session of their own, and twice forked.

Tells their process ids on the control channel. Exits if it is told `exit`, else waits.
"""

import os
import subprocess
import sys
import time

SLEEPER = [sys.executable, "-c", "import time; time.sleep(3600)"]

in_group = subprocess.Popen(SLEEPER)
in_session = subprocess.Popen(SLEEPER, start_new_session=True)

reader, writer = os.pipe()
middle = os.fork()
if middle == 0:
    os.setsid()
    twice = os.fork()
    if twice == 0:
        os.execv(SLEEPER[0], SLEEPER)
    os.write(writer, str(twice).encode())
    os._exit(0)
os.waitpid(middle, 0)
forked_twice = int(os.read(reader, 32))

os.write(5, f"{in_group.pid} {in_session.pid} {forked_twice}".encode())
if sys.argv[1:] == ["exit"]:
    os._exit(0)
while True:
    time.sleep(3600)
