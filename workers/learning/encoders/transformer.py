"""Texts to unit vectors. Importing this module costs nothing; torch is loaded by `load` alone."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..types import LearningError, Progress
from . import backbone, ngrams
from .backbone import MINILM

CHAR_NGRAMS = "char-ngrams"
DEFAULT = MINILM
TOKENISE_AT_ONCE = 16_384  # texts; bounds memory while still giving length-sorted batches
BATCH_TOKENS = {"cpu": 4_096, "cuda": 65_536}  # padded tokens in one forward pass


class Encoder(Protocol):
    digest: str
    dimension: int

    def encode(
        self, texts: list[str], *, batch_tokens: int = 0, on_progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """(n,) texts to (n, dimension) rows of length one. `batch_tokens` 0 means what suits the device."""
        ...


def digest(name: str) -> str:
    """Key of everything that decides a vector: weights, tokeniser, pooling, maximum length. 64 hex digits."""
    if name == CHAR_NGRAMS:
        return hashlib.sha256(ngrams.RECIPE.encode()).hexdigest()
    return backbone.fingerprint(name)


def dimension(name: str) -> int:
    return ngrams.DIMENSION if name == CHAR_NGRAMS else backbone.spec(name).dimension


def load(name: str, *, device: str = "auto", threads: int | None = None) -> Encoder:
    """Open an encoder: "minilm-l6", "char-ngrams", a Hugging Face id or a folder.

    `device` is "auto", "cpu" or "cuda"; `threads` limits the cores of a CPU forward pass.
    Raises LearningError in words when files are missing or not the published ones.
    """
    if name == CHAR_NGRAMS:
        return ngrams.CharNgrams(digest(name))
    return TransformerEncoder(name, device=device, threads=threads)


def resolve_device(device: str) -> str:
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise LearningError("No GPU is visible to torch here.")
    return device


def batches_by_tokens(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indexes in batches of similar length, longest first, each at most `budget` tokens once padded."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        longest = lengths[batch[0]] if batch else lengths[index]
        if batch and longest * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


class TransformerEncoder:
    """Mean, CLS or last-token pooling over any encoder that transformers' AutoModel opens."""

    def __init__(self, name: str, *, device: str = "auto", threads: int | None = None) -> None:
        import torch

        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        self.device = resolve_device(device)
        if self.device == "cpu" and threads:
            torch.set_num_threads(threads)
        self.spec = backbone.spec(name)
        self.digest = digest(name)
        self.dimension = self.spec.dimension
        model, self.tokenizer = backbone.open_model(name)
        self.model = model.to(self.device)
        if self.device.startswith("cuda"):
            self.model = self.model.bfloat16()

    def encode(
        self, texts: list[str], *, batch_tokens: int = 0, on_progress: Progress | None = None
    ) -> NDArray[np.float32]:
        budget = batch_tokens or BATCH_TOKENS.get(self.device.split(":")[0], BATCH_TOKENS["cpu"])
        out = np.empty((len(texts), self.dimension), dtype=np.float32)
        done = 0
        for start in range(0, len(texts), TOKENISE_AT_ONCE):
            tokens = self._tokenise(texts[start : start + TOKENISE_AT_ONCE])
            for batch in batches_by_tokens([len(t) for t in tokens], budget):
                out[[start + i for i in batch]] = self._forward([tokens[i] for i in batch])
                done += len(batch)
                if on_progress is not None:
                    on_progress(done)
        return out

    def _tokenise(self, texts: list[str]) -> list[list[int]]:
        # an empty list is refused by the tokeniser; an empty text is not, it becomes the special tokens alone
        ids: list[list[int]] = self.tokenizer(
            texts, truncation=True, max_length=self.spec.max_length, return_attention_mask=False
        )["input_ids"]
        return ids

    def _forward(self, tokens: list[list[int]]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            batch = pad(tokens, self.tokenizer.pad_token_id or 0, self.device)
            states = self.model(**batch).last_hidden_state
            pooled = backbone.pool(states.float(), batch["attention_mask"], self.spec.pooling)
            unit: NDArray[np.float32] = torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()
        return unit


def pad(tokens: list[list[int]], pad_id: int, device: str) -> dict[str, Any]:
    """Token lists to `input_ids` and `attention_mask` (b, longest), padded on the right."""
    import torch

    longest = max(len(t) for t in tokens)
    ids = torch.full((len(tokens), longest), pad_id, dtype=torch.long)
    mask = torch.zeros((len(tokens), longest), dtype=torch.long)
    for row, t in enumerate(tokens):
        ids[row, : len(t)] = torch.tensor(t, dtype=torch.long)
        mask[row, : len(t)] = 1
    return {"input_ids": ids.to(device), "attention_mask": mask.to(device)}
