"""A bounded fork bomb: every process that is left forks the next, in sessions of their own."""

import os
import time

os.write(5, b"ready")
for _ in range(200):
    if os.fork() == 0:
        os.setsid()
        os.fork()
        time.sleep(3600)
time.sleep(3600)
