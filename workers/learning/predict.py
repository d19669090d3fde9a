"""Open a published artefact of any kind and let it read texts."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from . import checkpoint, encoders, heads
from .checkpoint import MEMBERS, ONNX, WEIGHTS, Manifest
from .finetune import decode
from .finetune.classifier import Classifier
from .finetune.graph import Graph
from .finetune.voting import vote
from .types import Floats, LearningError, Progress, SpanAnswer, Task

AnyHead = heads.Head | heads.MultiHead | heads.TextHead


class Predictor:
    """Nothing is loaded before every file of the folder has the digest that its manifest names.

    `open_encoder` lets several heads share one encoder.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        device: str = "auto",
        threads: int | None = None,
        open_encoder: Callable[[str], encoders.Encoder] | None = None,
    ) -> None:
        folder = Path(path)
        self.manifest: Manifest = checkpoint.verify(folder)
        self._head: AnyHead | None = None
        self._reader: Classifier | Graph | None = None
        self._members: list[Predictor] = []
        self._encoder: encoders.Encoder | None = None
        self._device, self._threads, self._open_encoder = device, threads, open_encoder
        if self.manifest.kind == "ensemble":
            names = [member["folder"] for member in json.loads((folder / MEMBERS).read_text(encoding="utf-8"))]
            self._members = [
                Predictor(folder / name, device=device, threads=threads, open_encoder=open_encoder) for name in names
            ]
        elif self.manifest.kind == "onnx":
            self._reader = Graph.open(folder, ONNX, threads=threads)
        elif self.manifest.kind == "head":
            self._head = heads.open((folder / WEIGHTS).read_bytes())
            self._check_encoder()
        else:
            if threads:
                import torch

                torch.set_num_threads(threads)
            self._reader = Classifier.open(folder, WEIGHTS).to(device)

    @property
    def task(self) -> Task:
        return self.manifest.task

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """(k,): a label of a multi-label model is said from this probability on."""
        return np.array(self.manifest.thresholds or [0.5] * self.manifest.n_classes, dtype=np.float32)

    def probabilities(self, texts: list[str], *, on_progress: Progress | None = None) -> NDArray[np.float32]:
        """(n, k) in the manifest's label order; rows of a multi-label model are independent shares."""
        self._refuse_spans()
        if self._members:
            every = [m.probabilities(texts, on_progress=on_progress) for m in self._members]
            mean: NDArray[np.float32] = np.mean(every, axis=0)
            return mean
        if self._reader is None:
            return self._of_head(texts, on_progress)
        model = self._reader
        return self._squashed(model.predict_logits(model.tokenise(texts), on_progress), model.temperature)

    def spans(self, texts: list[str], *, on_progress: Progress | None = None) -> list[SpanAnswer]:
        """Entities of every text, in code points, and how sure the model is of the whole."""
        if self._members and self.task == "spans":
            return [vote(each) for each in zip(*(m.spans(texts) for m in self._members), strict=True)]
        if self.task != "spans" or self._reader is None:
            raise LearningError("Only a model that was trained on spans can find spans.")
        model = self._reader
        return [decode.answer(one, model.temperature) for one in model.predict_tags(texts, on_progress)]

    def samples(self, texts: list[str], n_samples: int, *, seed: int = 0) -> NDArray[np.float32]:
        """(n_samples, n, k): predictions that differ by dropout, a committee for BALD (Gal et al. 2017)."""
        self._refuse_spans()
        model = self._reader
        if not isinstance(model, Classifier):
            raise LearningError(
                "Only a fine-tuned transformer has dropout to sample. Ask a committee of heads instead."
            )
        tokens, out = model.tokenise(texts), []
        for i in range(n_samples):
            with model.dropping(seed * 1_000_003 + i):
                out.append(self._squashed(model.predict_logits(tokens), model.temperature))
        return np.stack(out)

    def from_vectors(self, vectors: Floats) -> NDArray[np.float32]:
        """For a published head on vectors, which may be cached already."""
        if self._head is None or isinstance(self._head, heads.TextHead):
            raise LearningError("Only a published head can read cached vectors.")
        return self._head.probabilities(vectors)

    def _squashed(self, logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
        scaled = logits / np.float32(temperature)
        return expit(scaled) if self.task == "multi" else heads.softmax(scaled)

    def _of_head(self, texts: list[str], on_progress: Progress | None) -> NDArray[np.float32]:
        if not isinstance(self._head, heads.TextHead):
            return self.from_vectors(self._encode(texts, on_progress))
        return self._head.probabilities(texts, self._encode(texts, on_progress) if self._head.dense else None)

    def _encode(self, texts: list[str], on_progress: Progress | None) -> NDArray[np.float32]:
        if self._encoder is None:
            if self._open_encoder is not None:
                self._encoder = self._open_encoder(self.manifest.encoder)
            else:
                self._encoder = encoders.load(self.manifest.encoder, device=self._device, threads=self._threads)
        return self._encoder.encode(texts, on_progress=on_progress)

    def _check_encoder(self) -> None:
        if isinstance(self._head, heads.TextHead) and not self._head.dense:
            return
        if encoders.digest(self.manifest.encoder) != self.manifest.encoder_digest:
            raise LearningError(
                f"This model needs another version of the encoder “{self.manifest.encoder}”. Train it again."
            )

    def _refuse_spans(self) -> None:
        if self.task == "spans":
            raise LearningError("A span model answers with spans, not with one probability per label.")
