"""Real inference processes, and heads to serve that are made in milliseconds."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from apps.config.embedded import free_port
from workers.learning import checkpoint, encoders, heads
from workers.learning.checkpoint import WEIGHTS, Manifest
from workers.serve import wire
from workers.serve.client import ANSWER, Client, Down
from workers.serve.wire import Name, Rows

BASE = Path(__file__).resolve().parents[3]
SECRET = "a secret of the tests"
NGRAMS = encoders.CHAR_NGRAMS


def head(
    models: Path,
    path: str,
    *,
    says: int = 0,
    k: int = 3,
    task: str = "single",
    order: list[list[object]] | None = None,
    encoder: str = NGRAMS,
    strength: float = 4.0,
) -> Name:
    """A published head that says one label whatever it reads, with a probability that `strength` decides."""
    dimension = encoders.dimension(encoder)
    weights, bias = np.zeros((k, dimension), dtype=np.float32), np.zeros(k, dtype=np.float32)
    bias[says] = strength
    limits = np.full(k, 0.5, dtype=np.float32)
    made = (
        heads.MultiHead(weights, bias - strength / 2, thresholds=limits)
        if task == "multi"
        else heads.Head(weights, bias)
    )
    manifest = Manifest(
        kind="head",
        encoder=encoder,
        encoder_digest=encoders.digest(encoder),
        label_order=order or [[place, f"label {place}"] for place in range(k)],
        seed=0,
        task=task,
        thresholds=limits.tolist() if task == "multi" else [],
    )
    with checkpoint.draft(models / path) as folder:
        (folder / WEIGHTS).write_bytes(made.to_bytes())
        done = checkpoint.publish(folder, models / path, manifest)
    return (path, done.digest)


def transformer(models: Path, path: str, encoder: str, *, task: str = "single") -> Name:
    """A fine-tuned model without any training: random weights, the real files."""
    from workers.learning.finetune.classifier import Classifier

    model = Classifier.from_encoder(encoder, n_classes=2, task=task)
    manifest = Manifest(
        kind="transformer",
        encoder=encoder,
        encoder_digest=encoders.digest(encoder),
        label_order=[[1, "card"], [2, "rate"]],
        seed=0,
        task=task,
    )
    with checkpoint.draft(models / path) as folder:
        model.save(folder, WEIGHTS)
        done = checkpoint.publish(folder, models / path, manifest)
    return (path, done.digest)


class Patient(Client):
    """A busy machine is slow, not down."""

    def health(self) -> dict[str, Any]:
        return dict(json.loads(self._ask("GET", "/health", None, ANSWER)))

    def predict(self, models: Sequence[Name], texts: Sequence[str], *, timeout: float = 300) -> Rows:
        return super().predict(models, texts, timeout=timeout)  # the first one waits for torch and an export


class Serving:
    def __init__(self, home: Path, *arguments: str, secret: str = SECRET, port: int = 0) -> None:
        self.home, self.port, self.secret, self.arguments = home, port or free_port(), secret, arguments
        self.url = f"http://127.0.0.1:{self.port}"
        (home / "run").mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: dict[str, Client] = {}
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "workers.serve", "--port", str(self.port), "--home", str(self.home)]
        environ = os.environ | {wire.KEY: wire.key(self.secret)}
        with (self.home / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--device", "cpu", *self.arguments], cwd=BASE, env=environ, stdout=log, stderr=log
            )
        self.wait()

    def wait(self, patience: float = 180) -> None:
        deadline = time.monotonic() + patience
        while True:
            try:
                self.client().health()
                return
            except Down:
                assert self.process is not None
                assert self.process.poll() is None, self.said()
                assert time.monotonic() < deadline, self.said()
                time.sleep(0.05)

    def client(self, secret: str = "") -> Client:
        """The same one for the same secret, so that its connections end with the process."""
        secret = secret or self.secret
        return self._clients.setdefault(secret, Patient(self.url, wire.key(secret)))

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def said(self) -> str:
        return (self.home / "serve.log").read_text()[-3000:]

    def loaded(self) -> list[Name]:
        return [(path, digest) for path, digest in self.client().health()["loaded"]]

    def wait_for(self, name: Name, patience: float = 120) -> None:
        deadline = time.monotonic() + patience
        while name not in self.loaded():
            assert time.monotonic() < deadline, json.dumps(self.client().health())
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGTERM, patience: float = 60) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(patience)


@contextmanager
def serving(home: Path, *arguments: str, secret: str = SECRET) -> Iterator[Serving]:
    running = Serving(home, *arguments, secret=secret)
    try:
        yield running
    finally:
        running.close()
