"""Open a published artefact of either kind and turn texts into probabilities."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import checkpoint, encoders, heads
from .checkpoint import WEIGHTS, Manifest
from .finetune.classifier import Classifier
from .types import Floats, LearningError, Progress


class Predictor:
    """Nothing is loaded before every file of the folder has the digest that its manifest names."""

    def __init__(self, path: Path | str, *, device: str = "auto", threads: int | None = None) -> None:
        folder = Path(path)
        self.manifest: Manifest = checkpoint.verify(folder)
        self._head: heads.Head | None = None
        self._classifier: Classifier | None = None
        self._encoder: encoders.Encoder | None = None
        self._device, self._threads = device, threads
        if self.manifest.kind == "head":
            self._head = heads.Head.from_bytes((folder / WEIGHTS).read_bytes())
            found = encoders.digest(self.manifest.encoder)
            if found != self.manifest.encoder_digest:
                raise LearningError(
                    f"This model needs another version of the encoder “{self.manifest.encoder}”. Train it again."
                )
        else:
            self._classifier = Classifier.open(folder, WEIGHTS).to(device)

    def probabilities(self, texts: list[str], *, on_progress: Progress | None = None) -> NDArray[np.float32]:
        """(n, k) in the manifest's label order."""
        if self._classifier is None:
            return self.from_vectors(self._encode(texts, on_progress))
        model = self._classifier
        logits = model.predict_logits(model.tokenise(texts), on_progress)
        return heads.softmax(logits / np.float32(model.temperature))

    def from_vectors(self, vectors: Floats) -> NDArray[np.float32]:
        """For a published head, whose vectors may be cached already."""
        if self._head is None:
            raise LearningError("Only a published head can read cached vectors.")
        return self._head.probabilities(vectors)

    def _encode(self, texts: list[str], on_progress: Progress | None) -> NDArray[np.float32]:
        if self._encoder is None:
            self._encoder = encoders.load(self.manifest.encoder, device=self._device, threads=self._threads)
        return self._encoder.encode(texts, on_progress=on_progress)
