"""How long new signals take to become tickets, and whether the right ones come together: a file of texts and labels.

Every text is complained about in several wordings (paraphrase.py) by several people; the true groups are therefore
known: same text of the file, same predicted → wanted label. Half of the complaints are thumbs without a wish.
"""

import argparse
import csv
import hashlib
import os
import tempfile
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench import paraphrase

QUESTIONS = Path(__file__).parents[2] / "apps" / "config" / "demo" / "banking77.csv"
DAYS = 14
PEOPLE = 20_000
THUMBS = 0.5
LABELS = 3  # wrong answers that the model gives to texts of one label


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--signals", type=int, default=100_000)
    parser.add_argument(
        "--questions", type=int, default=5_000, help="different texts that are complained about, at most"
    )
    parser.add_argument(
        "--file", type=Path, default=QUESTIONS, help="CSV with the columns text and label (or category)"
    )
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from apps.config.embedded import Postgres, Valkey

    home = Path(tempfile.mkdtemp(prefix="marginalia-bench-"))
    database, broker = Postgres(home, durable=True), Valkey(home)
    database.start()
    broker.start()
    try:
        os.environ |= {
            "MARGINALIA_HOME": str(home),
            "DATABASE_URL": database.url,
            "BROKER_URL": broker.url,
            "DJANGO_SETTINGS_MODULE": "apps.config.settings",
        }
        return _measured(args)
    finally:
        from django.db import connections

        connections.close_all()
        broker.stop()
        database.stop()


def _measured(args: argparse.Namespace) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from apps.feedback.models import Signal, Ticket
    from apps.feedback.services import grouping, wording

    project, truth = _complaints(args)
    spent = _timed(wording)
    started = time.perf_counter()
    placed = grouping.group(project)
    seconds = time.perf_counter() - started
    found = dict(Signal.objects.filter(project=project, state="grouped").values_list("event", "ticket"))
    events = [event for event in truth if event in found]
    precision, recall = _pairwise([found[event] for event in events], [truth[event] for event in events])
    return {
        "signals": placed,
        "seconds": round(seconds, 2),
        "seconds_of_vectors": round(spent[0], 2),
        "seconds_without_vectors": round(seconds - spent[0], 2),
        "tickets": Ticket.objects.filter(project=project).count(),
        "true_groups": len(set(truth.values())),
        "set_aside": Signal.objects.filter(project=project, state="aside").count(),
        "pair_precision": round(precision, 4),
        "pair_recall": round(recall, 4),
    }


def _timed(wording: Any) -> list[float]:
    """Reading texts into vectors is part of the work, and told apart."""
    spent, plain = [0.0], wording.read

    def read(texts: Any) -> Any:
        started = time.perf_counter()
        rows = plain(texts)
        spent[0] += time.perf_counter() - started
        return rows

    wording.read = read
    return spent


def _complaints(args: argparse.Namespace) -> tuple[Any, dict[str, tuple[str, str]]]:
    """The project with its new signals; event -> (text of the file, pair), the group that it truly belongs to."""
    from django.utils import timezone

    from apps.feedback.models import Signal
    from apps.projects.models import Label, Project

    with args.file.open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row.get("label") or row["category"]) for row in csv.DictReader(file)]
    rng = np.random.default_rng(args.seed)
    rows = [rows[place] for place in rng.permutation(len(rows))[: args.questions]]
    project = Project.objects.create(slug=f"group-{uuid.uuid4().hex[:6]}", name="Group", encoder="minilm-l6")
    names = sorted({category for _text, category in rows})
    made = Label.objects.bulk_create(
        Label(project=project, name=name, position=place, color=place % 12 + 1) for place, name in enumerate(names)
    )
    ids = {label.name: label.pk for label in made}
    now, truth, signals = timezone.now(), {}, []
    popularity = rng.zipf(1.5, len(rows)).clip(max=200).astype(float)  # few things many complain about
    chosen = rng.choice(len(rows), size=args.signals, p=popularity / popularity.sum())
    for number, place in enumerate(chosen.tolist()):
        text, wanted = rows[place]
        predicted = names[(names.index(wanted) + 1 + place % LABELS) % len(names)]
        said = paraphrase.again(text, rng)
        event = f"group-{number}"
        truth[event] = (text, predicted)
        signals.append(
            Signal(
                project=project,
                event=event,
                kind=Signal.Kind.THUMB if rng.random() < THUMBS else Signal.Kind.LABEL,
                polarity=-1,
                predicted_id=ids[predicted],
                consent=True,
                text=said,
                text_hash=_digest(said),
                subject=f"person-{int(rng.integers(PEOPLE))}",
                confidence=float(rng.uniform(0.3, 1.0)),
                received_at=now - timedelta(days=DAYS * (1 - number / args.signals)),
            )
        )
        if signals[-1].kind == Signal.Kind.LABEL:
            signals[-1].wanted_id = ids[wanted]
    Signal.objects.bulk_create(signals, batch_size=2_000)
    return project, truth


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _pairwise(found: list[int], truth: list[tuple[str, str]]) -> tuple[float, float]:
    """Of the pairs put together, the share that belongs together; and of those, the share put together."""
    groups, true = _numbered(found), _numbered(truth)
    both = np.unique(np.stack([groups, true]), axis=1, return_counts=True)[1]
    together = _pairs(both)
    return together / max(1, _pairs(np.bincount(groups))), together / max(1, _pairs(np.bincount(true)))


def _numbered(values: list[Any]) -> NDArray[np.int64]:
    place: dict[Any, int] = {}
    return np.array([place.setdefault(value, len(place)) for value in values], dtype=np.int64)


def _pairs(sizes: NDArray[np.int64]) -> int:
    return int((sizes.astype(np.int64) * (sizes - 1) // 2).sum())
