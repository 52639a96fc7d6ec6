"""The version of the package; hello carries it to the host."""

__version__ = "2.0.0"
