"""Echo in the framing of version 1.4, as its users wrote it: no SDK, no Synapse import."""

import sys

import msgpack


def main() -> None:
    while True:
        header = sys.stdin.buffer.read(4)
        if len(header) < 4:
            break
        length = int.from_bytes(header, "little")
        if length == 0:
            break
        request = msgpack.unpackb(sys.stdin.buffer.read(length))
        reply = msgpack.packb(request)
        sys.stdout.buffer.write(len(reply).to_bytes(4, "little"))
        sys.stdout.buffer.write(reply)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
