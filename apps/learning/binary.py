"""PostgreSQL's binary COPY for arrays: whole buffers become arrays at once, never a row at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

HEADER = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
TRAILER = b"\xff\xff"
BLOCK = 16 * 1024 * 1024  # bytes turned into arrays at once

Composed = sql.Composed | sql.SQL


def copy_vectors(connection: Any, query: Composed) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
    """(ids (n,), vectors (n, d)) blocks of a query that gives a bigint and a halfvec, all of one length."""
    kind: np.dtype[Any] | None = None
    for buffer in _blocks(connection, query):
        if kind is None:
            # 2 bytes count of fields, 4 + 8 the id, 4 the length of the vector's field, then its own 2 + 2 + 2 d
            kind = _vector_row(int.from_bytes(buffer[14:18], "big", signed=True) // 2 - 2)
        if len(buffer) % kind.itemsize:
            raise ValueError("The vectors of one encoder differ in length.")
        table = np.frombuffer(buffer, dtype=kind)
        if not (table["length"] == kind["vector"].itemsize + 4).all():
            raise ValueError("The vectors of one encoder differ in length.")
        yield table["id"].astype(np.int64), table["vector"].astype(np.float16)


def copy_integers(connection: Any, query: Composed, columns: int) -> NDArray[np.int64]:
    """(n, columns) of a query that gives so many bigints, none of them null."""
    fields = [("fields", ">i2")]
    for column in range(columns):
        fields += [(f"length{column}", ">i4"), (f"c{column}", ">i8")]
    kind = np.dtype(fields)
    tables = [np.frombuffer(buffer, dtype=kind) for buffer in _blocks(connection, query)]
    out = np.empty((sum(map(len, tables)), columns), dtype=np.int64)
    start = 0
    for table in tables:
        for column in range(columns):
            out[start : start + len(table), column] = table[f"c{column}"]
        start += len(table)
    return out


def vector_rows(keys: list[bytes], vectors: NDArray[Any]) -> bytes:
    """Rows (bytea, halfvec) for COPY … FROM STDIN (FORMAT binary), header and trailer included."""
    n, dimension = vectors.shape
    width = len(keys[0]) if keys else 0
    kind = np.dtype(
        [
            *(("fields", ">i2"), ("key_length", ">i4"), ("key", f"V{width}")),
            *(("length", ">i4"), ("dimension", ">i2"), ("unused", ">i2"), ("vector", ">f2", (dimension,))),
        ]
    )
    table = np.zeros(n, dtype=kind)
    table["fields"], table["key_length"] = 2, width
    table["key"] = np.frombuffer(b"".join(keys), dtype=f"V{width}")
    table["length"], table["dimension"] = 4 + 2 * dimension, dimension
    table["vector"] = vectors
    return HEADER + table.tobytes() + TRAILER


def _vector_row(dimension: int) -> "np.dtype[Any]":
    return np.dtype(
        [
            *(("fields", ">i2"), ("id_length", ">i4"), ("id", ">i8")),
            *(("length", ">i4"), ("dimension", ">i2"), ("unused", ">i2"), ("vector", ">f2", (dimension,))),
        ]
    )


def _blocks(connection: Any, query: Composed) -> Iterator[bytes]:
    """The stream without header and trailer, cut between rows. libpq hands over one row at a time."""
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        parts: list[bytes] = []
        size, first = 0, True
        for message in copy:
            row = bytes(message)
            if first:
                row, first = row[len(HEADER) :], False
            if row == TRAILER:
                continue
            parts.append(row)
            size += len(row)
            if size >= BLOCK:
                yield b"".join(parts)
                parts, size = [], 0
        if size:
            yield b"".join(parts)
