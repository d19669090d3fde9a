"""The versions that are loaded: a few, the least used given up first. Heads share their encoders.

Needs torch and ONNX Runtime, but inside functions.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.learning.encoders import Encoder
from workers.learning.types import LearningError, Progress
from workers.serve.wire import Name

log = logging.getLogger(__name__)
FORGET_FAILURE = 30.0  # seconds until a version that could not be opened is tried again
MOST_ENCODERS = 3
WARM_UP = ("Is it warm?", "A somewhat longer sentence, so that the first one who asks does not pay for the second.")


@dataclass(frozen=True)
class Loaded:
    name: Name
    task: str
    read: Callable[[list[str]], Any]  # n texts to n answers


class Shelf:
    """`opened(name)` makes a Loaded; it runs in one thread beside those who answer."""

    def __init__(self, opened: Callable[[Name], Loaded], *, keep: int = 6) -> None:
        self._opened, self._keep = opened, keep
        self._loaded: OrderedDict[Name, Loaded] = OrderedDict()
        self._loading: dict[Name, Future[Loaded]] = {}
        self._failed: dict[Name, tuple[float, str]] = {}
        self._lock = threading.RLock()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")

    def find(self, names: Sequence[Name]) -> Loaded | Future[Loaded]:
        """The first that is loaded; the very first is loaded beside it if need be. A future when none is.

        Raises LearningError when all of them failed a moment ago.
        """
        with self._lock:
            possible = [name for name in names if not self._has_failed(name)]
            if not possible:
                raise LearningError(self._failed[names[0]][1])
            for name in possible:
                if name in self._loaded:
                    self._loaded.move_to_end(name)
                    if name != possible[0]:
                        self._load(possible[0])
                    return self._loaded[name]
            return self._load(possible[0])

    def warm(self, names: Sequence[Name]) -> None:
        """Begin to load what is missing; the first ones stay longest."""
        with self._lock:
            for name in reversed(names[: self._keep]):
                if name in self._loaded:
                    self._loaded.move_to_end(name)
            for name in names[: self._keep]:
                if name not in self._loaded and not self._has_failed(name):
                    self._load(name)

    def told(self) -> dict[str, Any]:
        with self._lock:
            return {
                "loaded": [list(name) for name in self._loaded],
                "loading": [list(name) for name in self._loading],
                "failed": [[*name, self._failed[name][1]] for name in list(self._failed) if self._has_failed(name)],
            }

    def names(self) -> list[Name]:
        """Most lately used first."""
        with self._lock:
            return list(reversed(self._loaded))

    def _has_failed(self, name: Name) -> bool:
        since = self._failed.get(name)
        if since is None or time.monotonic() - since[0] < FORGET_FAILURE:
            return since is not None
        del self._failed[name]
        return False

    def _load(self, name: Name) -> Future[Loaded]:
        if name not in self._loading:
            self._loading[name] = self._loader.submit(self._open, name)
        return self._loading[name]

    def _open(self, name: Name) -> Loaded:
        try:
            loaded = self._opened(name)
        except Exception as error:
            said = str(error) if isinstance(error, LearningError) else f"It cannot be opened ({type(error).__name__})."
            log.warning("version %s: %s", name[0], said)
            with self._lock:
                self._failed[name] = (time.monotonic(), said)
                del self._loading[name]
            raise LearningError(said) from error
        with self._lock:
            self._loaded[name] = loaded
            del self._loading[name]
            while len(self._loaded) > self._keep:
                self._loaded.popitem(last=False)
        log.info("version %s is loaded", name[0])
        return loaded


class OneAtATime:
    """An encoder that two threads may ask: the tokenisers of transformers must not be entered twice at once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self._lock = encoder, threading.Lock()
        self.digest, self.dimension = encoder.digest, encoder.dimension

    def encode(
        self, texts: list[str], *, batch_tokens: int = 0, on_progress: Progress | None = None
    ) -> NDArray[np.float32]:
        with self._lock:
            return self._encoder.encode(texts, batch_tokens=batch_tokens, on_progress=on_progress)


class Opener:
    """Folders below `models` become something that reads texts. One encoder serves all heads that stand on it."""

    def __init__(self, models: Path, *, device: str, cache: Path | None, threads: int | None = None) -> None:
        self._models, self._device, self._cache, self._threads = models.resolve(), device, cache, threads
        self._encoders: OrderedDict[tuple[str, str], Encoder] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, name: Name) -> Loaded:
        from workers.learning.predict import Predictor
        from workers.serve import graphs

        folder = (self._models / name[0]).resolve()
        if not folder.is_relative_to(self._models):
            raise LearningError("A version lies below the folder of the models.")
        if self._cache is not None and graphs.wanted(folder, self._device):
            folder = graphs.quicker(folder, name[1], self._cache)
        model = Predictor(folder, device=self._device, threads=self._threads, open_encoder=self.encoder)
        if name[1] not in (model.manifest.digest, model.manifest.config.get("source")):
            raise LearningError(f"The folder “{name[0]}” holds another model than the version on record.")
        read = model.spans if model.task == "spans" else model.probabilities
        read(list(WARM_UP))
        return Loaded(name, model.task, read)

    def encoder(self, name: str, runtime: str = "auto") -> Encoder:
        """Opened once; raises LearningError in words."""
        from workers.learning import encoders

        with self._lock:
            key = (name, runtime)
            if key not in self._encoders:
                loaded = encoders.load(
                    name, device=self._device, threads=self._threads, runtime=runtime, cache=self._cache
                )
                self._encoders[key] = OneAtATime(loaded)
                while len(self._encoders) > MOST_ENCODERS:
                    self._encoders.popitem(last=False)
            self._encoders.move_to_end(key)
            return self._encoders[key]
