"""Sits in a C call that holds the interpreter lock, so that no thread of it can run."""

import ctypes
import os

os.write(5, b"ready")
ctypes.PyDLL(None).sleep(3600)
