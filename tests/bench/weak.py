"""What users' thumbs and corrections do to a model that may learn from them, when some of the users are wrong.

A head on a few expert labels answers questions; simulated users react: thumbs, of which a share is flipped, or
corrected labels, of which a share is wrong, plausible labels more often than others. Some of the questions get an
expert's truth as well, which is what the reliability of the users is measured by, and is learnt from either way. Then a
head is fitted on the experts' labels alone and one on both, as a training run would, and both are measured on the test
file. Positive `loss_points`: worse with the users' voices, at the flip rate asked for.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.learning import encoders, heads, tables, weak_guard
from workers.learning.heads.soft import cross_entropy
from workers.learning.weak import Check, Evidence, Voice, WeakText

RATES = (0.0, 0.1, 0.3)
PER_PERSON = 4  # texts that one user speaks of, on average
C = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", type=Path, required=True, help="CSV or JSONL: experts' labels and users' questions")
    parser.add_argument("--test", type=Path, required=True, help="CSV or JSONL: only measures")
    parser.add_argument("--text-col", default="text")
    parser.add_argument("--label-col", default="label")
    parser.add_argument("--labels", type=int, default=400, help="experts' labels at the start")
    parser.add_argument("--signals", type=int, default=2_000, help="questions that a user reacts to")
    parser.add_argument("--checked", type=int, default=100, help="of which so many get an expert's truth as well")
    parser.add_argument("--flip", type=float, default=0.3, help="share of flipped thumbs that loss_points is about")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--encoder", default="minilm-l6")


@dataclass(frozen=True, slots=True)
class Data:
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]
    k: int


def run(args: argparse.Namespace) -> dict[str, Any]:
    return measured(read(args), args)


def read(args: argparse.Namespace) -> Data:
    encoder = encoders.load(args.encoder, device="cpu")
    train, test = (tables.read(f, text_col=args.text_col, label_col=args.label_col) for f in (args.train, args.test))
    names = train.names()
    sides = [table.examples(names) for table in (train, test)]
    x, test_x = (encoder.encode([e.text for e in side]) for side in sides)
    y, test_y = (np.array([e.label for e in side], dtype=np.int64) for side in sides)
    return Data(x, y, test_x, test_y, len(names))


def measured(data: Data, args: argparse.Namespace) -> dict[str, Any]:
    rates = sorted({*RATES, args.flip})
    figures: dict[str, Any] = {"labels": args.labels, "signals": args.signals, "seeds": list(range(args.seeds))}
    print(f"{'signals':<8} {'wrong':>6} {'without':>8} {'with':>8} {'gain':>7} {'95 %':>16} {'log-loss':>9}  let in")
    for kind in ("thumbs", "labels"):
        for rate in rates:
            started = time.monotonic()
            rows = np.array([one(data, args, seed, kind, rate) for seed in range(args.seeds)])
            figures |= _told(kind, rate, rows)
            figures[f"{kind}_{rate:g}_seconds"] = round((time.monotonic() - started) / args.seeds, 1)
    figures["loss_points"] = 0.0 - figures[f"thumbs_{args.flip:g}_gain"]
    figures["worst_loss_points"] = max(
        0.0 - figures[f"{kind}_{r:g}_gain"] for kind in ("thumbs", "labels") for r in rates
    )
    return figures


def _told(kind: str, rate: float, rows: NDArray[np.float64]) -> dict[str, Any]:
    without, together, loss_without, loss_with, ratio = rows.T
    gain = 100 * (together - without)
    half = 0.0
    if len(gain) > 1:
        from scipy.special import stdtrit

        half = float(stdtrit(len(gain) - 1, 0.975) * gain.std(ddof=1) / np.sqrt(len(gain)))
    mean, nats = float(gain.mean()), float((loss_without - loss_with).mean())
    print(
        f"{kind:<8} {rate:>6.0%} {without.mean():>8.4f} {together.mean():>8.4f} {mean:>+7.2f}"
        f" {mean - half:>+7.2f} … {mean + half:>+5.2f} {nats:>+9.4f}  {ratio.tolist()}",
        flush=True,
    )
    return {
        f"{kind}_{rate:g}_without": round(float(without.mean()), 4),
        f"{kind}_{rate:g}_gain": round(mean, 3),
        f"{kind}_{rate:g}_low": round(mean - half, 3),
        f"{kind}_{rate:g}_high": round(mean + half, 3),
        f"{kind}_{rate:g}_log_loss_gain": round(nats, 4),
        f"{kind}_{rate:g}_used": round(float((ratio > 0).mean()), 2),
    }


def one(data: Data, args: argparse.Namespace, seed: int, kind: str, rate: float) -> tuple[float, ...]:
    """(accuracy without, with, log-loss without, with, share let in) on the test file."""
    rng = np.random.default_rng([seed, round(1_000 * rate), kind == "labels"])
    drawn = np.random.default_rng(seed).permutation(len(data.y))[: args.labels + args.signals]
    experts, asked = drawn[: args.labels], drawn[args.labels :]
    served = heads.fit(data.x[experts], data.y[experts], n_classes=data.k, c=C)
    voices = dict(_voices(served.probabilities(data.x[asked]), data.y[asked], kind, rate, rng))
    checked, spoken = set(range(args.checked)), sorted(voices)
    checks = [_check(voices[row], data.y[asked[row]]) for row in spoken if row in checked]
    rest = [row for row in spoken if row not in checked]
    evidence = Evidence([WeakText(row, "", (voices[row],)) for row in rest], checks)
    known = np.concatenate([experts, asked[: args.checked]])
    x, y, x_weak = data.x[known], data.y[known], data.x[asked[rest]]
    choice = weak_guard.choose(x, y, x_weak, evidence, n_classes=data.k, c=C, rng=np.random.default_rng(seed))
    plain = heads.fit(x, y, n_classes=data.k, c=C)
    warmth = heads.temperature(x, y, n_classes=data.k, c=C, rng=np.random.default_rng(seed))
    helped = plain
    if choice.ratio > 0:
        helped = weak_guard.blend(np.concatenate([x, x_weak]), y, choice.target, choice.weight, c=C)
    return (
        *(_accuracy(head, data) for head in (plain, helped)),
        *(
            _loss(head, t, data)
            for head, t in ((plain, warmth), (helped, choice.temperature if choice.ratio else warmth))
        ),
        choice.ratio,
    )


def _voices(
    p: NDArray[np.float32], truth: NDArray[np.int64], kind: str, rate: float, rng: np.random.Generator
) -> Iterator[tuple[int, Voice]]:
    people = max(1, len(truth) // PER_PERSON)
    for row, (said, right) in enumerate(zip(p.argmax(axis=1), truth, strict=True)):
        person, errs = int(rng.integers(people)), rng.random() < rate
        if kind == "thumbs":
            yield row, Voice("up" if (said == right) != errs else "not", int(said), "widget", person)
            continue
        wanted = right
        if errs:
            plausible = p[row].astype(np.float64) + 1 / p.shape[1]
            plausible[right] = 0
            wanted = rng.choice(p.shape[1], p=plausible / plausible.sum())
        if wanted != said:  # who agrees corrects nothing
            yield row, Voice("is", int(wanted), "widget", person)


def _check(voice: Voice, truth: int) -> Check:
    right = (voice.label == truth) != (voice.claim == "not")
    return Check(voice.claim, voice.source, voice.person, int(right), int(not right))


def _accuracy(head: heads.Head, data: Data) -> float:
    return float((head.glance(data.test_x)[0] == data.test_y).mean())


def _loss(head: heads.Head, warmth: float, data: Data) -> float:
    logits = (data.test_x @ head.weights.T + head.bias) / warmth
    return float(cross_entropy(logits, np.eye(data.k)[data.test_y]).mean())
