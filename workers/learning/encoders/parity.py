"""The gate before a faster way of computing vectors: is it still the same encoder, on this machine?

int8 on MiniLM can be near random on one processor and fine on the next (saturation without VNNI), so nobody's word is
taken for it: the vectors of the same texts are compared here, and so is the accuracy of a head on them.
"""

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..types import Floats

LEAST_COSINE = 0.99  # mean over the texts
MOST_LOSS = 0.005  # of the head's accuracy
LEAST_LABELLED = 100  # below this one text outweighs the loss that is allowed
C = 30.0

# what is compared when nobody gives texts: short, long, questions, complaints, several scripts, numbers, an emoji
PROBES = (
    "I lost my card yesterday, can you send me a new one?",
    "Why was I charged twice for the same transfer",
    "top up failed",
    "My account has been blocked and nobody answers the phone.",
    "How do I change my PIN?",
    "The exchange rate you used is wrong, it should have been 1.0842 on 3 March.",
    "great service, thanks a lot!",
    "The food arrived cold and the driver was rude; I want my money back.",
    "Battery lasts two days. Screen is bright, speakers are mediocre, and the box was damaged when it came.",
    "Is there a fee for withdrawing cash abroad?",
    "Please cancel my subscription at the end of the month.",
    "The new version crashes every time I open the settings page on my old tablet 😡",
    "ok",
    "¿Dónde está mi dinero?",
    "Ich habe das falsche Produkt bekommen.",
    "La livraison a pris trois semaines.",
    "味道很好，送得很快",
    "Can I open an account for my daughter, who is sixteen and lives in another country?",
    "Refund not showing up after ten working days, reference number 48-1175-22.",
    "The match ended in a draw after extra time, and the crowd stayed until midnight.",
    "Scientists found water below the surface of the moon, a study says.",
    "Shares fell sharply on Tuesday as investors worried about interest rates.",
    "What documents do you need to verify who I am?",
    "It does exactly what it says, no more and no less, and I would buy it again without thinking twice.",
)


@dataclass(frozen=True, slots=True)
class Held:
    """Texts to compare on, best those of the project; with labels a head is compared as well."""

    texts: tuple[str, ...] = PROBES
    labels: tuple[int, ...] = ()

    @property
    def depth(self) -> str:
        """How much the comparison can tell: of a head as well, or of vectors alone."""
        return "labelled" if len(self.labels) >= LEAST_LABELLED else "texts"


@dataclass(frozen=True, slots=True)
class Parity:
    """A faster encoder against the fp32 one on the same texts."""

    n: int
    cosine: float  # mean
    least_cosine: float
    accuracy_fp32: float | None  # of a head on held texts; None where too few carry labels
    accuracy: float | None
    host: str

    @property
    def refusal(self) -> str:
        """Why it may not be used here, in one sentence; empty when it may."""
        if not self.cosine >= LEAST_COSINE:  # NaN is refused too
            return f"its vectors differ (mean cosine {self.cosine:.3f} on {self.n} texts, {LEAST_COSINE} is asked for)"
        if self.accuracy is not None and self.accuracy_fp32 is not None:
            loss = self.accuracy_fp32 - self.accuracy
            if loss > MOST_LOSS + 1e-9:  # exactly half a point is within it
                return f"a head on its vectors loses {100 * loss:.1f} points of accuracy"
        return ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(fp32: Floats, other: Floats, labels: Sequence[int] = ()) -> Parity:
    """Unit rows (n, d) of the same texts by both; `labels` (n,) where known, else empty."""
    cosines = np.einsum("nd,nd->n", fp32.astype(np.float64), other.astype(np.float64))
    labelled = len(labels) == len(fp32) and len(fp32) >= LEAST_LABELLED and len(set(labels)) > 1
    return Parity(
        n=len(fp32),
        cosine=float(cosines.mean()),
        least_cosine=float(cosines.min()),
        accuracy_fp32=_accuracy(fp32, labels) if labelled else None,
        accuracy=_accuracy(other, labels) if labelled else None,
        host=host(),
    )


@lru_cache(maxsize=1)
def host() -> str:
    """Short id of what decides the arithmetic: the processor and the versions of what computes on it."""
    from importlib.metadata import PackageNotFoundError, version

    def installed(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "-"

    parts = [platform.machine(), *sorted(cpu_flags()), installed("onnxruntime"), installed("torch")]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]


@lru_cache(maxsize=1)
def cpu_flags() -> frozenset[str]:
    """What the processor can do, as Linux tells it; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return frozenset(flags.partition(":")[2].split())


def _accuracy(vectors: Floats, labels: Sequence[int]) -> float:
    """Cross-fitted accuracy of a logistic regression on the vectors: every text is judged by a head that never saw
    it. Folds follow from the place, so both encoders are judged alike."""
    from sklearn.linear_model import LogisticRegression

    x, y = np.asarray(vectors, dtype=np.float64), np.asarray(labels)
    fold = np.arange(len(y)) % 2
    right = 0
    for held in (0, 1):
        fitted = fold != held
        if len(np.unique(y[fitted])) < 2:
            continue
        head = LogisticRegression(C=C, max_iter=300).fit(x[fitted], y[fitted])
        right += int((head.predict(x[~fitted]) == y[~fitted]).sum())
    return right / len(y)
