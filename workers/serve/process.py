"""The inference process: what its addresses answer, and how it begins and ends."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.gpu import gpus
from workers.learning.types import LearningError, SpanAnswer
from workers.serve.batching import Batcher, Overloaded
from workers.serve.server import Answer, Server
from workers.serve.shelf import Loaded, Opener, Shelf
from workers.serve.wire import Name, Rows

log = logging.getLogger(__name__)
ENDING = 12.0  # seconds for what was asked before the signal
REMEMBER_EVERY = 5.0
MOST_COLD = 256
GPU_BATCH, CPU_BATCH = 1_024, 32


@dataclass(frozen=True)
class Settings:
    host: str
    port: int
    models: Path
    key: str
    device: str = "auto"
    cache: Path | None = None  # of ONNX files
    state: Path | None = None  # remembers what was loaded, so that a restart is warm
    keep: int = 6
    patience: float = 10.0
    threads: int | None = None


class Process:
    def __init__(self, settings: Settings) -> None:
        self.settings, self.started = settings, time.time()
        gpu = settings.device.startswith("cuda") or (settings.device == "auto" and bool(gpus()))
        self._opener = Opener(settings.models, device=settings.device, cache=settings.cache, threads=settings.threads)
        self._shelf = Shelf(self._opener, keep=settings.keep)
        self._cold = 0  # requests that wait for a version to be loaded
        self._batches = Batcher(most=GPU_BATCH if gpu else CPU_BATCH, patience=settings.patience)
        routes = {
            "POST /predict": self.predict,
            "POST /embed": self.embed,
            "POST /warm": self.warm,
            "GET /health": self.health,
        }
        self.server = Server(settings.key, routes)

    async def predict(self, asked: dict[str, Any]) -> Answer:
        names = _names(asked["models"])
        texts = _texts(asked["texts"])
        try:
            model = await self._model(names)
            answers = await self._read(("model", model.name), model.read, texts)
        except LearningError as error:
            return Answer.of({"detail": str(error)}, 409)
        except Overloaded as error:
            return _busy(error.retry_after)
        told = {"model": names.index(model.name), "task": model.task}
        if model.task == "spans":
            return Answer.rows(Rows(told | {"spans": [_spans(answer) for answer in answers]}).pack())
        return Answer.rows(_packed(told, answers))

    async def embed(self, asked: dict[str, Any]) -> Answer:
        name, runtime, texts = str(asked["encoder"]), str(asked.get("runtime", "auto")), _texts(asked["texts"])
        try:
            encoder = await asyncio.to_thread(self._opener.encoder, name, runtime)
            rows = await self._read(("encoder", name, runtime), encoder.encode, texts)
        except LearningError as error:
            return Answer.of({"detail": str(error)}, 409)
        except Overloaded as error:
            return _busy(error.retry_after)
        return Answer.rows(_packed({"digest": encoder.digest}, rows))

    async def warm(self, asked: dict[str, Any]) -> Answer:
        self._shelf.warm(_names(asked["models"]))
        return Answer.of(self._shelf.told())

    async def health(self, _asked: dict[str, Any]) -> Answer:
        batches = self._batches
        told = {
            "device": self.settings.device,
            "seconds_up": round(time.time() - self.started, 1),
            "waiting": batches.waiting,
            "requests": batches.requests,
            "batches": batches.batches,
            "texts": batches.texts,
        }
        return Answer.of(told | self._shelf.told())

    async def _model(self, names: Sequence[Name]) -> Loaded:
        """While one cannot be opened, the next of those that were named answers."""
        while True:
            found = self._shelf.find(names)
            if isinstance(found, Loaded):
                return found
            if self._cold >= MOST_COLD:
                raise Overloaded(5)
            self._cold += 1
            try:
                return await asyncio.wrap_future(found)
            except LearningError:
                continue
            finally:
                self._cold -= 1

    async def _read(self, key: Any, read: Any, texts: list[str]) -> list[Any]:
        future: Future[list[Any]] = self._batches.submit(key, read, texts)
        return await asyncio.wrap_future(future)

    async def run(self) -> None:
        """Until SIGTERM or SIGINT; then finish what was asked."""
        over = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        await self.server.listen(self.settings.host, self.settings.port)
        self._shelf.warm(self._remembered())
        log.info("answers at http://%s:%d", self.settings.host, self.settings.port)
        remembering = asyncio.create_task(self._remember())
        await over.wait()
        remembering.cancel()
        await self.server.end(ENDING)
        logging.shutdown()
        os._exit(
            0
        )  # a version that is still being loaded, or texts of somebody who has hung up, need not be waited for

    def _remembered(self) -> list[Name]:
        if self.settings.state is None:
            return []
        try:
            return _names(json.loads(self.settings.state.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return []

    async def _remember(self) -> None:
        known: list[Name] = []
        while self.settings.state is not None:
            await asyncio.sleep(REMEMBER_EVERY)
            if (names := self._shelf.names()) and names != known:
                known = names
                with contextlib.suppress(OSError):
                    aside = self.settings.state.with_name(f".{self.settings.state.name}.{os.getpid()}")
                    aside.write_text(json.dumps(names), encoding="utf-8")
                    aside.replace(self.settings.state)


def run(settings: Settings) -> None:
    """Returns never: the process ends with the signal."""
    # torch takes a second or two to import: begin before the first request asks for it
    threading.Thread(target=_import_early, name="imports", daemon=True).start()
    asyncio.run(Process(settings).run())


def _import_early() -> None:
    with contextlib.suppress(ImportError):
        import workers.learning.predict  # noqa: F401


def _names(found: Any) -> list[Name]:
    names = [(str(folder), str(digest)) for folder, digest in found]
    if not names:
        raise ValueError("no version is named")
    return names


def _texts(found: Any) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError("texts are a list of strings")
    return found


def _busy(seconds: int) -> Answer:
    return Answer.of({"detail": "Too much is waiting."}, 503, retry_after=seconds)


def _packed(told: dict[str, Any], rows: Sequence[Any]) -> bytes:
    matrix: NDArray[np.float32] = np.ascontiguousarray(np.array(rows, dtype="<f4"))
    return Rows(told, (len(rows), matrix.shape[1] if len(rows) else 0), matrix.tobytes()).pack()


def _spans(answer: SpanAnswer) -> dict[str, Any]:
    spans = [{"start": one.start, "end": one.end, "label": one.label, "score": one.score} for one in answer.spans]
    return {"spans": spans, "confidence": answer.confidence}
