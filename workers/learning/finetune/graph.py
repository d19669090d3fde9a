"""A published model as one ONNX graph: reads texts like the classifier it was made from, without torch."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..encoders.batches import batches_for
from ..encoders.onnx import Session
from ..types import Progress, Task
from .reader import Reader, Tagged, assembled

TOKENIZER_FOLDER = "encoder"
SETTINGS = "graph.json"


class Graph:
    """Token lists to logits: (b, k) for whole texts, (b, longest, 1 + 2k) for words."""

    def __init__(self, session: Session, reader: Reader, *, task: Task, width: int, temperature: float) -> None:
        self._session, self.reader, self.task, self.width = session, reader, task, width
        self.temperature = temperature
        self._pad_id = int(reader.tokenizer.pad_token_id or 0)

    @classmethod
    def open(cls, folder: Path, file: str, *, threads: int | None = None) -> "Graph":
        """Open what `compress.to_onnx` wrote. The caller has verified the digests."""
        from transformers import AutoTokenizer

        told: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        tokenizer = AutoTokenizer.from_pretrained(
            folder / TOKENIZER_FOLDER, trust_remote_code=False, local_files_only=True
        )
        return cls(
            Session(folder / file, threads=threads),
            Reader(tokenizer, int(told["max_length"]), str(told["prefix"])),
            task=told["task"],
            width=int(told["width"]),
            temperature=float(told["temperature"]),
        )

    def tokenise(self, texts: list[str]) -> list[list[int]]:
        return self.reader.tokenise(texts)

    def predict_logits(self, tokens: list[list[int]], on_progress: Progress | None = None) -> NDArray[np.float32]:
        """(n, k) before the temperature."""
        out = np.empty((len(tokens), self.width), dtype=np.float32)
        for batch in _batches(tokens, on_progress):
            out[batch] = self._session([tokens[i] for i in batch], self._pad_id)
        return out

    def predict_tags(self, texts: list[str], on_progress: Progress | None = None) -> list[Tagged]:
        """For every text the logits of its units (u, 1 + 2k), before the temperature, and the units."""
        pieces, units = self.reader.cut(texts)
        parts: list[Any] = [None] * len(pieces)
        for batch in _batches([p.ids for p in pieces], on_progress):
            every = self._session([pieces[i].ids for i in batch], self._pad_id)
            for i, logits in zip(batch, every, strict=True):
                parts[i] = logits[pieces[i].firsts]
        return assembled(pieces, units, parts, self.width)


def _batches(tokens: list[list[int]], on_progress: Progress | None) -> Iterator[list[int]]:
    done = 0
    for batch in batches_for("cpu", [len(t) for t in tokens]):
        yield batch
        done += len(batch)
        if on_progress is not None:
            on_progress(done)
