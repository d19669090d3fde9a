"""Texts to unit vectors. Importing this module costs nothing; torch is loaded by `load` alone."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..types import LearningError, Progress
from . import backbone, ngrams, store
from .backbone import MINILM
from .batches import batches_for, padded
from .naming import parse
from .parity import Held
from .runtimes import Forward, Runtime, open_forward
from .threads import usable_cores

__all__ = [
    "CHAR_NGRAMS",
    "DEFAULT",
    "Encoder",
    "TransformerEncoder",
    "digest",
    "dimension",
    "load",
    "pad",
    "resolve_device",
]

CHAR_NGRAMS = "char-ngrams"
DEFAULT = MINILM
TOKENISE_AT_ONCE = 16_384  # texts; bounds memory while still giving length-sorted batches
AHEAD = 2  # batches of a GPU that are computed before the oldest is fetched


class Encoder(Protocol):
    digest: str  # of the vectors that really come out
    dimension: int

    def encode(
        self, texts: list[str], *, batch_tokens: int = 0, on_progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """(n,) texts to (n, dimension) rows of length one. `batch_tokens` 0 means what suits the device."""
        ...


def digest(name: str) -> str:
    """Key of everything that decides a vector: weights, tokeniser, prefix, pooling, length, precision. 64 digits."""
    if name == CHAR_NGRAMS:
        return hashlib.sha256(ngrams.RECIPE.encode()).hexdigest()
    return backbone.fingerprint(name)


def dimension(name: str) -> int:
    return ngrams.DIMENSION if name == CHAR_NGRAMS else backbone.spec(name).dimension


def load(
    name: str,
    *,
    device: str = "auto",
    threads: int | None = None,
    runtime: str = "auto",
    cache: Path | None = None,
    held: Held | None = None,
) -> Encoder:
    """Open an encoder: "minilm-l6", "char-ngrams", a Hugging Face id or a folder, with options after a question mark.

    `device` is "auto", "cpu" or "cuda"; `threads` limits the cores of a CPU forward pass, else those that this process
    may use. `runtime` is "auto", "torch", "torch-bf16", "onnx-fp32" or "onnx-int8"; the last and bf16 pass the parity
    gate on `held` texts or give way to fp32, which the encoder's `runtime` tells. `cache` is where ONNX files are kept,
    else MARGINALIA_HOME/encoders. Raises LearningError in words when files are missing or not the published ones, or
    when the precision that the name promises cannot be had here.
    """
    asked = parse(name)
    if asked.base == CHAR_NGRAMS:
        if name != CHAR_NGRAMS:
            raise LearningError("Character n-grams take no options.")
        return ngrams.CharNgrams(digest(name))
    if device == "auto" and (asked.precision == "int8" or runtime.startswith("onnx")):
        device = "cpu"
    return TransformerEncoder(
        name, device=device, threads=threads, runtime=runtime, cache=cache or store.default_cache(), held=held
    )


def resolve_device(device: str) -> str:
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise LearningError("No GPU is visible to torch here.")
    return device


class TransformerEncoder:
    """Mean, max, CLS or last-token pooling over any encoder that transformers' AutoModel opens."""

    def __init__(
        self,
        name: str,
        *,
        device: str = "auto",
        threads: int | None = None,
        runtime: str = "auto",
        cache: Path | None = None,
        held: Held | None = None,
    ) -> None:
        import torch

        self.device = resolve_device(device)
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        os.environ.setdefault("RAYON_NUM_THREADS", str(threads or usable_cores()))  # of the tokeniser
        if self.device == "cpu" and (threads or torch.get_num_threads() > usable_cores()):
            torch.set_num_threads(threads or usable_cores())
        self.spec = backbone.spec(name)
        self.tokenizer = backbone.open_tokenizer(name)
        pad_id = self.tokenizer.pad_token_id
        self._nothing = [next((i for i in (self.tokenizer.eos_token_id, pad_id) if i is not None), 0)]
        self._forward: Forward
        self.runtime: Runtime
        self._forward, self.runtime = open_forward(
            name,
            device=self.device,
            runtime=runtime,
            threads=threads,
            cache=cache,
            held=held,
            pad_id=pad_id or 0,
            encode=self._all,
        )
        self.digest = digest(backbone.in_precision(name, self.runtime.precision))
        self.dimension = self.spec.dimension

    def encode(
        self, texts: list[str], *, batch_tokens: int = 0, on_progress: Progress | None = None
    ) -> NDArray[np.float32]:
        return self._all(self._forward, texts, batch_tokens, on_progress)

    def _all(
        self, forward: Forward, texts: Sequence[str], batch_tokens: int = 0, on_progress: Progress | None = None
    ) -> NDArray[np.float32]:
        out = np.empty((len(texts), self.spec.dimension), dtype=np.float32)
        waiting: deque[tuple[list[int], Any]] = deque()
        done = 0

        def fetch(keep: int) -> None:
            nonlocal done
            while len(waiting) > keep:
                rows, vectors = waiting.popleft()
                out[rows] = vectors if isinstance(vectors, np.ndarray) else vectors.float().cpu().numpy()
                done += len(rows)
                if on_progress is not None:
                    on_progress(done)

        for start, tokens in self._tokenised(texts):
            for batch in batches_for(self.device, [len(t) for t in tokens], batch_tokens):
                waiting.append(([start + i for i in batch], forward([tokens[i] for i in batch])))
                fetch(AHEAD if self.device.startswith("cuda") else 0)
        fetch(0)
        return out

    def _tokenised(self, texts: Sequence[str]) -> Iterator[tuple[int, list[list[int]]]]:
        """(first row, token lists) by stretches. For a GPU the next stretch is tokenised while this one is computed; on
        a CPU the two would only take each other's cores."""
        starts = range(0, len(texts), TOKENISE_AT_ONCE)
        if not self.device.startswith("cuda"):
            yield from ((start, self._tokenise(texts[start : start + TOKENISE_AT_ONCE])) for start in starts)
            return
        with ThreadPoolExecutor(max_workers=1) as ahead:
            pending: deque[tuple[int, Future[list[list[int]]]]] = deque()
            for start in starts:
                pending.append((start, ahead.submit(self._tokenise, texts[start : start + TOKENISE_AT_ONCE])))
                if len(pending) > 1:
                    first, ready = pending.popleft()
                    yield first, ready.result()
            for first, ready in pending:
                yield first, ready.result()

    def _tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        prefixed = [self.spec.prefix + text for text in texts] if self.spec.prefix else list(texts)
        # an empty list is refused by the tokeniser; an empty text is not, it becomes the special tokens alone
        ids: list[list[int]] = self.tokenizer(
            prefixed, truncation=True, max_length=self.spec.max_length, return_attention_mask=False
        )["input_ids"]
        return [one or self._nothing for one in ids]  # some tokenisers add no special tokens


def pad(tokens: list[list[int]], pad_id: int, device: str) -> dict[str, Any]:
    """Token lists to `input_ids` and `attention_mask` (b, longest), padded on the right."""
    import torch

    ids, mask = padded(tokens, pad_id)
    return {"input_ids": torch.from_numpy(ids).to(device), "attention_mask": torch.from_numpy(mask).to(device)}
