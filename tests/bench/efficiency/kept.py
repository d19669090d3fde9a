"""What a long comparison has finished already, so that a later call goes on from there."""

import hashlib
import json
from dataclasses import astuple
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.bench.efficiency.rounds import Point
from workers.learning import encoders


class Kept:
    """A folder of vectors and finished curves; without one, this process's memory."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.curves: dict[tuple[int, str], list[Point]] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for line in self._lines():
                found = json.loads(line)
                self.curves[found["seed"], found["strategy"]] = [Point(*point) for point in found["curve"]]

    def add(self, seed: int, strategy: str, curve: list[Point]) -> None:
        self.curves[seed, strategy] = curve
        if self.folder is not None:
            with (self.folder / "curves.jsonl").open("a") as file:
                points = [astuple(point) for point in curve]
                file.write(json.dumps({"seed": seed, "strategy": strategy, "curve": points}) + "\n")

    def vectors(self, texts: list[str], encoder: str) -> NDArray[np.float32]:
        key = hashlib.sha256("\0".join([encoders.digest(encoder), *texts]).encode()).hexdigest()[:16]
        path = None if self.folder is None else self.folder / f"{key}.npy"
        if path is not None and path.exists():
            found: NDArray[np.float32] = np.load(path)
            return found
        made = encoders.load(encoder, device="auto").encode(texts)
        if path is not None:
            np.save(path, made)
        return made

    def _lines(self) -> list[str]:
        path = self.folder / "curves.jsonl" if self.folder is not None else None
        return path.read_text().splitlines() if path is not None and path.exists() else []
