"""Where a worker process begins: `python -u …/synapse/_launch.py '<configuration as JSON>'`.

Kept small, because a script is compiled anew at each start; everything else is in `_worker`.
"""

import sys


def _main() -> None:
    here = __file__.replace("\\", "/").rpartition("/")[0]
    package = here.rpartition("/")[0]
    if sys.path and sys.path[0].replace("\\", "/") == here:
        del sys.path[0]
    # In front while our own modules load; `boot` moves it behind the user's directories.
    sys.path.insert(0, package)
    # PYTHONDONTWRITEBYTECODE is meant for the user's code. Compiling ours at every start would take
    # longer than all the rest of the start.
    unwanted, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    from synapse._worker.boot import boot

    sys.dont_write_bytecode = unwanted
    boot(sys.argv[1], package)


if __name__ == "__main__":
    _main()
