"""Reads a Parquet file in a process of its own, under limits: `python -I parquet_child.py FILE ROWS`.

First line out: {"columns", "features", "rows"}, or {"error", …}. Then one JSON list of cells per row, or null for a row
that is too long.
"""

import contextlib
import resource
import sys
from typing import Any

import orjson

MEMORY = 2 * 1024**3
SECONDS = 900  # of computing
MOST_COLUMNS = 300
MOST_GROUP = 512 * 1024**2  # unpacked bytes of one row group, which is what has to be in memory
MOST_RATIO = 200
FREE = 64 * 1024**2
BATCH = 128  # rows
MOST_LINE = 8 * 1024**2 - 1  # bytes, with the line end


def main() -> None:
    path, most = sys.argv[1], int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    with contextlib.suppress(ValueError, OSError):  # not on every system
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        import pyarrow
    except ImportError:
        say({"error": "missing"})
        return
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    try:
        read(path, most)
    except (MemoryError, pyarrow.ArrowMemoryError):
        say({"error": "memory"})
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        say({"error": "broken", "why": str(error)[:300]})


def read(path: str, most: int) -> None:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=1024 * 1024) as file:
        about = file.metadata
        refusal = too_much(about)
        if refusal:
            say(refusal)
            return
        schema = file.schema_arrow
        wanted = [field.name for field in schema if is_text_or_number(field.type)]
        head = {"columns": wanted, "features": features(schema.metadata or {}), "rows": about.num_rows}
        say(head)
        left = most
        for batch in file.iter_batches(batch_size=BATCH, columns=wanted, use_threads=False):
            for row in batch.slice(0, left).to_pylist():
                say([row[name] for name in wanted])
            left -= batch.num_rows
            if left <= 0:
                return


def too_much(about: Any) -> dict[str, Any] | None:
    if about.num_columns > MOST_COLUMNS:
        return {"error": "columns", "most": MOST_COLUMNS}
    packed = unpacked = 0
    for number in range(about.num_row_groups):
        group = about.row_group(number)
        if group.total_byte_size > MOST_GROUP:
            return {"error": "group", "number": number + 1, "most": MOST_GROUP // 1024**2}
        unpacked += group.total_byte_size
        packed += sum(group.column(place).total_compressed_size for place in range(group.num_columns))
    if unpacked > max(FREE, MOST_RATIO * packed):
        return {"error": "ratio"}
    return None


def is_text_or_number(kind: Any) -> bool:
    """No pictures and no sounds."""
    import pyarrow

    is_ = pyarrow.types
    if is_.is_binary(kind) or is_.is_large_binary(kind) or is_.is_fixed_size_binary(kind):
        return False
    if is_.is_list(kind) or is_.is_large_list(kind) or is_.is_fixed_size_list(kind):
        return is_text_or_number(kind.value_type)
    if is_.is_struct(kind):
        return all(is_text_or_number(kind.field(place).type) for place in range(kind.num_fields))
    return True


def features(metadata: dict[bytes, bytes]) -> Any:
    try:
        return orjson.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def say(line: Any) -> None:
    written = orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.buffer.write(written if len(written) <= MOST_LINE else b"null\n")


if __name__ == "__main__":
    main()
