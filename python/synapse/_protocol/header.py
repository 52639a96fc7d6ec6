"""The twelve bytes in front of every payload, and the names of what they say.

Kind, flags and handler are read as one integer, the word, so that a request is dispatched by one
look-up: `word = kind | flags << 8 | handler << 16`.
"""

from struct import Struct

#: Version of the wire that this package speaks.
PROTOCOL = 1

#: Length of what follows the length field, the word, the id.
HEADER = Struct("<III")

#: Bytes of a header.
HEADER_SIZE = 12

#: Bytes of a header that the length field counts.
COUNTED = 8

HELLO = 0x01
REQUEST = 0x02
RESPONSE = 0x03
ERROR = 0x04
ITEM = 0x05
END = 0x06
CREDIT = 0x07
CANCEL = 0x08
CALLBACK = 0x09
LOG = 0x0A
HEARTBEAT = 0x0B
SESSION = 0x0C
SHUTDOWN = 0x0D
FAULT = 0x0E
MARK = 0x0F
PROGRESS = 0x10
RELEASE = 0x11

#: Forms of the arguments of a request, the two lowest bits of its flags.
ONE = 0
POSITIONAL = 1
KEYWORDS = 2
BOTH = 3

#: Flag of a request: a map precedes the arguments.
EXTRAS = 4

#: Flag of a request or a callback: the caller takes a stream.
STREAM = 8

#: Flag of a request: a callback waits for it; the extras name which.
NESTED = 16

#: Flag of a request: the arguments hold function references.
FUNCTIONS = 32

#: Flag of a request, an answer or a callback: the payload refers to shared memory.
SHARED = 64

#: Set in the ids of callbacks and function references, clear in those of calls.
CALLBACK_ID = 1 << 31


def word(kind: int, flags: int = 0, handler: int = 0) -> int:
    """The second field of a header."""
    return kind | flags << 8 | handler << 16


def frame(kind: int, call: int = 0, payload: bytes = b"") -> bytes:
    """A whole frame without flags."""
    return HEADER.pack(len(payload) + COUNTED, kind, call) + payload
