"""Writes as many bytes as it is told to stdout and as many to stderr, numbered line by line."""

import os
import sys

total = int(sys.argv[1])
block = b"".join(b"%015d\n" % number for number in range(4096))
for _ in range(total // len(block)):
    for fd in (1, 2):
        view = memoryview(block)
        while view:
            view = view[os.write(fd, view) :]
os.write(5, b"done")
while os.read(3, 4096):
    pass
