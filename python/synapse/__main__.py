"""`python -m synapse worker.py`: a worker by a command of your own.

For the option `runtime: { command }` of Node: an interpreter that Synapse has no part in, such as
one in a container. The variable `SYNAPSE_WORKER` says the rest; see `docs/protocol.md`.
"""

from __future__ import annotations

import json
import os
import sys

_USAGE = 2


def _main() -> None:
    text = os.environ.pop("SYNAPSE_WORKER", None)
    if text is None or len(sys.argv) != 2:
        sys.stderr.write(
            "usage: python -m synapse <file>, started by Synapse as runtime: { command }\n"
        )
        sys.exit(_USAGE)
    fields = json.loads(text)
    fields["entry"] = os.path.abspath(sys.argv[1])
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # `-m` has put the working directory first, which is not the worker's.
    sys.path[:] = [package, *(path for path in sys.path[1:] if path != package)]
    from synapse._worker.boot import boot

    boot(json.dumps(fields), package)


if __name__ == "__main__":
    _main()
