"""One run, killed with SIGKILL again and again and taken up every time: prints how it ended, and how an
unbroken one does, as JSON.

`python -m tests.workers.learning.killed ENCODER WORK SEED KILLS`. Attempts are forks of one process that has torch loaded
already: a fresh interpreter each time would spend its life importing.
"""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

from workers.learning.finetune.config import Config
from workers.learning.finetune.loop import finetune
from workers.learning.types import Example

EXAMPLES = [
    Example(i, f"the {'card' if i % 2 else 'transfer'} number {i} " + "is late " * (i % 5), i % 2) for i in range(64)
]
CONFIG = {"learning_rate": 5e-3, "batch_size": 8, "epochs": 12, "patience": 50, "checkpoint_seconds": 0.0}


def attempt(encoder: str, work: Path | None, told: int, most: int = 0) -> dict:
    """Go on until the end, writing a byte for every step; `most` of them, then wait for the end to come."""
    steps = 0

    def on_event(event: dict) -> None:
        nonlocal steps
        if event["event"] == "progress":
            os.write(told, b".")
            steps += 1
            if steps == most:
                signal.pause()

    model, metrics = finetune(
        EXAMPLES, encoder=encoder, n_classes=2, config=Config.of(CONFIG), seed=4, device="cpu", work=work, on_event=on_event
    )  # fmt: skip
    weights = b"".join(p.detach().numpy().tobytes() for p in model.modules.parameters())
    return {"dev": metrics["dev"], "steps": metrics["steps"], "weights": hashlib.sha256(weights).hexdigest()}


def killed_after(encoder: str, work: Path, steps: int) -> bool:
    """Fork an attempt and kill it once it has told so many steps; whether it was killed in time."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        attempt(encoder, work, writing, steps + 1)  # the kill falls into the next step, however slow we are
        os._exit(0)
    os.close(writing)
    seen = 0
    while seen < steps and (read := os.read(reading, steps - seen)):
        seen += len(read)
    os.kill(child, signal.SIGKILL)
    os.close(reading)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main() -> None:
    import torch

    torch.set_num_threads(1)
    encoder, work, seed, kills = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    rng = np.random.default_rng(seed)
    with open(os.devnull, "wb") as sink:
        unbroken = attempt(encoder, None, sink.fileno())  # imports all there is, before the forks
        done = [killed_after(encoder, work, int(rng.integers(2, 6))) for _ in range(kills)]
        broken = attempt(encoder, work, sink.fileno())
    print(json.dumps({"kills": sum(done), "unbroken": unbroken, "broken": broken}))


if __name__ == "__main__":
    main()
