"""The wire of `docs/protocol.md`: frame headers, and the codec of payloads.

Imports nothing of the rest of the package. `header` mirrors `src/protocol/header.rs`.
"""
