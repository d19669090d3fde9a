"""What goes over the wire: one line of JSON, then float32 rows as they lie in memory. Standard library only."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

KEY = "SERVE_KEY"  # in the environment of the process
TYPE = "application/x-marginalia"
MOST_BYTES = 64 * 1024**2  # of a request
Name = tuple[str, str]  # (folder below the models, its digest)


@dataclass(frozen=True, slots=True)
class Rows:
    """`told` says what the rows are; `raw` holds `shape` float32 numbers, little-endian, row after row."""

    told: dict[str, Any]
    shape: tuple[int, int] = (0, 0)
    raw: bytes = b""

    def pack(self) -> bytes:
        head = json.dumps(self.told | {"shape": self.shape}, ensure_ascii=False, separators=(",", ":"))
        return head.encode() + b"\n" + self.raw

    @classmethod
    def unpack(cls, body: bytes) -> "Rows":
        head, _line, raw = body.partition(b"\n")
        told = json.loads(head)
        n, k = told.pop("shape")
        if len(raw) != 4 * n * k:
            raise ValueError("The answer was cut short.")
        return cls(told, (n, k), raw)


def key(secret: str) -> str:
    """What a request shows to the inference process; from it nobody learns the installation's secret."""
    return hmac.new(secret.encode(), b"marginalia inference process", hashlib.sha256).hexdigest()
