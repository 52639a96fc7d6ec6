"""Writes to the control channel without end, and tells how much has been taken."""

import os
import sys

block = b"x" * 65536
written = 0
limit = int(sys.argv[1])
while written < limit:
    written += os.write(5, block)
os._exit(0)
