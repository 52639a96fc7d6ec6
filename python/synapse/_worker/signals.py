"""The functions of `signal`, without the enumerations that take it milliseconds to make."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import SIG_DFL as SIG_DFL
    from signal import SIG_IGN as SIG_IGN
    from signal import SIGINT as SIGINT
    from signal import SIGKILL as SIGKILL
    from signal import SIGTERM as SIGTERM
    from signal import SIGURG as SIGURG
    from signal import getsignal as getsignal
    from signal import pthread_kill as pthread_kill
    from signal import signal as signal
else:
    from _signal import (
        SIG_DFL,
        SIG_IGN,
        SIGINT,
        SIGKILL,
        SIGTERM,
        SIGURG,
        getsignal,
        pthread_kill,
        signal,
    )

__all__ = [
    "SIGINT",
    "SIGKILL",
    "SIGTERM",
    "SIGURG",
    "SIG_DFL",
    "SIG_IGN",
    "getsignal",
    "pthread_kill",
    "signal",
]
