"""Tables and columns of Apache Arrow, as extension type 4: `[kind, bytes]`, an Arrow IPC stream.

Imported for the first such value. Of the libraries only those are imported that the value needs.
"""

from __future__ import annotations

from io import BytesIO

from synapse._protocol.errors import EncodeError, ValueRefused
from synapse._protocol.values import ARROW, Extension, describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Pack = Callable[[Any], bytes]

#: The kinds of ext 4: all columns, or the only one.
TABLE = "table"
COLUMN = "column"


def reduce_pyarrow(value: Any, pack: Pack) -> Extension:
    """A Table or RecordBatch; an Array or ChunkedArray is a column."""
    import pyarrow

    if isinstance(value, pyarrow.RecordBatch):
        value = pyarrow.Table.from_batches([value])
    if isinstance(value, pyarrow.Table):
        return _extension(TABLE, _stream(value), pack)
    return _extension(COLUMN, _stream(pyarrow.table({"": value})), pack)


def reduce_pandas(value: Any, pack: Pack) -> Extension:
    """A DataFrame, with its index if that is no plain range; a Series is a column, without it."""
    try:
        import pyarrow
    except ImportError:
        name = describe(type(value))
        reason = f"a {name} crosses as an Arrow table, for which pyarrow is not installed"
        raise EncodeError(reason) from None
    if value.ndim == 1:
        column = pyarrow.Array.from_pandas(value)
        return _extension(COLUMN, _stream(pyarrow.table({"": column})), pack)
    return _extension(TABLE, _stream(pyarrow.Table.from_pandas(value)), pack)


def reduce_polars(value: Any, pack: Pack) -> Extension:
    """A DataFrame; a Series is a column. Neither needs pyarrow."""
    import polars

    kind = TABLE
    if isinstance(value, polars.Series):
        kind, value = COLUMN, value.to_frame()
    sink = BytesIO()
    # Node's reader does not know the newer layouts of strings.
    value.write_ipc_stream(sink, compat_level=polars.CompatLevel.oldest())
    return _extension(kind, sink.getbuffer(), pack)


def revive_arrow(data: bytes, unpack: Callable[[Any], Any]) -> Any:
    """A `pyarrow.Table` or `ChunkedArray`; without pyarrow a DataFrame or Series of polars.

    Raises:
        ValueRefused: neither library is installed, or the bytes are no Arrow IPC stream.

    """
    parts = unpack(data)
    if (
        type(parts) is not list
        or len(parts) != 2
        or parts[0] not in (TABLE, COLUMN)
        or not isinstance(parts[1], (bytes, memoryview))
    ):
        raise ValueRefused("the payload of an Arrow table is not [kind, bytes]")
    kind, content = parts
    try:
        return _read(content, whole=kind == TABLE)
    except ImportError:
        message = "an Arrow table needs pyarrow or polars, of which neither is installed"
        raise ValueRefused(message) from None
    except ValueRefused:
        raise
    except Exception as error:
        raise ValueRefused(f"an Arrow table cannot be read: {error}") from error


def _read(content: bytes | memoryview, *, whole: bool) -> Any:
    try:
        import pyarrow
    except ImportError:
        import polars

        frame = polars.read_ipc_stream(BytesIO(content))
        return frame if whole else frame.to_series(0)
    # The table's columns are views of the bytes.
    with pyarrow.ipc.open_stream(pyarrow.py_buffer(content)) as stream:
        table = stream.read_all()
    return table if whole else table.column(0)


def _stream(table: Any) -> memoryview:
    import pyarrow

    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return memoryview(sink.getvalue())


def _extension(kind: str, content: memoryview, pack: Pack) -> Extension:
    return Extension(ARROW, pack([kind, content]))
