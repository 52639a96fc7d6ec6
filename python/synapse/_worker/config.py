"""What the host decides about a worker, handed over as JSON on the command line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Greatest payload the host takes, unless it says otherwise.
DEFAULT_FRAME = 256 * 1024 * 1024


class MemoryConfig:
    """Where the memory is that host and worker share."""

    __slots__ = ("host", "idle", "own")

    def __init__(self, fields: dict[str, Any]) -> None:
        #: Descriptors of the file in which the host lends, and of the one for this worker to lend.
        self.host: int = fields["host"]
        self.own: int = fields["own"]
        #: Bytes that are kept for the next value once one is done with.
        self.idle: int = fields.get("idle") or 0


class Config:
    """The fields of the host's JSON object; what is absent has the default named here."""

    __slots__ = (
        "concurrency",
        "control",
        "data_in",
        "data_out",
        "depth",
        "directory",
        "entry",
        "frame",
        "function",
        "graceful",
        "heartbeat",
        "journal",
        "memory",
        "mode",
        "module",
        "parent",
        "protocol",
        "python_path",
        "stderr",
        "stdout",
        "validate",
        "withdrawals",
    )

    def __init__(self, fields: dict[str, Any]) -> None:
        #: Descriptors of the channels.
        self.data_in: int = fields.get("data_in", 3)
        self.data_out: int = fields.get("data_out", 4)
        self.control: int = fields.get("control", 5)
        #: Descriptor of the memory in which calls that begin are noted; -1 for none.
        self.journal: int = fields.get("journal", -1)
        #: Where the user's code is.
        self.directory: str = fields["directory"]
        #: The file that is run as `__main__`, or None if a module is bound.
        self.entry: str | None = fields.get("entry")
        #: The module and the function of it that are bound when there is no entry file.
        self.module: str | None = fields.get("module")
        self.function: str | None = fields.get("function")
        #: Further directories to import from.
        self.python_path: list[str] = fields.get("python_path") or []
        #: `auto`, `synapse` or `stdio`.
        self.protocol: str = fields.get("protocol") or "auto"
        #: `auto`, `serial`, `async` or `threads`.
        self.mode: str = fields.get("mode") or "auto"
        #: Calls at once, in the modes that know more than one.
        self.concurrency: int = fields.get("concurrency") or 1
        limits = fields.get("limits") or {}
        #: Greatest payload, in bytes.
        self.frame: int = limits.get("frame") or DEFAULT_FRAME
        #: Deepest nesting of values.
        self.depth: int = limits.get("depth") or 512
        memory = fields.get("memory")
        #: The memory that is shared with the host, or None.
        self.memory: MemoryConfig | None = MemoryConfig(memory) if memory else None
        #: Seconds between heartbeats; 0 for none.
        self.heartbeat: float = (fields.get("heartbeat_ms") or 0) / 1000
        #: The host's process; 0 if unknown.
        self.parent: int = fields.get("parent") or 0
        #: Whether marks cross in place of values that cannot.
        self.graceful: bool = fields.get("values") == "graceful"
        #: Whether arguments are checked against the hints of the handlers.
        self.validate: bool = fields.get("validate", True)
        #: Whether the host may withdraw requests that have not begun.
        self.withdrawals: bool = fields.get("withdrawals", False)
        #: What becomes of standard output and standard error: `event`, `inherit` or `ignore`.
        self.stdout: str = fields.get("stdout") or "event"
        self.stderr: str = fields.get("stderr") or "event"

    @property
    def channels(self) -> list[int]:
        """The descriptors that are the host's and this process's, and nobody else's."""
        descriptors = [self.data_in, self.data_out, self.control, self.journal]
        if self.memory is not None:
            descriptors += [self.memory.host, self.memory.own]
        return [descriptor for descriptor in descriptors if descriptor >= 0]


def parse(text: str) -> Config:
    """Reads the host's JSON with the scanner in C alone; the `json` package loads 30 modules."""
    try:
        from _json import make_scanner
    except ImportError:
        import json

        return Config(json.loads(text))
    value, end = make_scanner(_Options())(text, 0)  # type: ignore[call-arg,arg-type,unused-ignore]
    if text[end:].strip():
        raise ValueError("text follows the configuration")
    return Config(value)


class _Options:
    """What the scanner asks of its context."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float

    def __init__(self) -> None:
        self.memo: dict[str, str] = {}
