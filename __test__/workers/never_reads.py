"""Is ready, and sleeps for ever without looking at any channel."""

import os
import time

os.write(5, b"ready")
while True:
    time.sleep(3600)
