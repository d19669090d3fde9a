"""Sixty days of what the customers of the demonstration's bank said and did. Simulated, and marked so (source “demo”).

The questions and the model's answers are real: only who complained when is drawn by chance, always the same way.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.annotation.models import Prediction
from apps.content.models import Split
from apps.feedback.demo_views import chat_key
from apps.feedback.models import Signal
from apps.feedback.services import intake
from apps.projects.models import Project
from apps.projects.subjects import pseudonym
from apps.registry.models import ModelVersion
from apps.serving.models import Served

SOURCE = "demo"
DAYS, CUSTOMERS, ANSWERS = 60, 180, 620
WRONG_SHARE = 0.42  # of the answers that are shown: people with a plain question ask nobody
HOT_PAIRS = 14  # confusions that many people meet
RISING_DAYS = 9  # the last of them is met mostly in these days
COMMENTS = (
    "That is not what I asked.",
    "I had to ask three times.",
    "No, this is about something else.",
    "Please read the whole question.",
    "Useless answer, sorry.",
    "Close, but not my problem.",
    "The last answer was better than this one.",
)
PRAISE = ("Quick and right, thanks.", "Exactly what I needed.", "Good answer.")


@dataclass(frozen=True, slots=True)
class Answer:
    """What version 1 said about one question of the pool."""

    item: int
    external_id: str
    text: str
    text_hash: bytes
    label: int
    said: str
    truth: str
    confidence: float
    probabilities: Any

    @property
    def wrong(self) -> bool:
        return self.said != self.truth


def sent_already(project: Project) -> bool:
    return Signal.objects.filter(project=project, event__startswith="demo-").exists()


@transaction.atomic
def send(project: Project, version: ModelVersion, truth: Mapping[str, str]) -> int:
    """The number of signals. In one transaction, so that nothing of it is taken for a burst of this minute."""
    chat_key(project)
    draw = random.Random(77)  # noqa: S311 - the same customers every time
    answers = _answers(project, version, truth)
    shown = _shown(draw, answers)
    served = _serve(draw, project, version, shown)
    events = [event for row, answer in zip(served, shown, strict=True) for event in _said(draw, row, answer)]
    for number, event in enumerate(events):
        event["id"] = f"demo-{number:05}"
    for start in range(0, len(events), intake.MOST_EVENTS):
        intake.receive(None, project, events[start : start + intake.MOST_EVENTS], source=SOURCE)
    made = Signal.objects.filter(project=project, event__startswith="demo-")
    return made.update(received_at=F("occurred_at"))


def _answers(project: Project, version: ModelVersion, truth: Mapping[str, str]) -> list[Answer]:
    names = dict(version.label_order)
    found = Prediction.objects.filter(version=version, item__project=project, item__split=Split.POOL)
    columns = ("item", "item__external_id", "item__text", "item__text_hash", "label", "confidence", "probabilities")
    return [
        Answer(pk, external, text, bytes(digest), label, names[label], truth[external], confidence, probabilities)
        for pk, external, text, digest, label, confidence, probabilities in found.order_by("item").values_list(*columns)
        if external in truth
    ]


def _shown(draw: random.Random, answers: Sequence[Answer]) -> list[tuple[Answer, float]]:
    """(answer, days ago), mistakes over-represented and most of them from a few confusions."""
    right = [answer for answer in answers if not answer.wrong]
    wrong = [answer for answer in answers if answer.wrong]
    if not wrong or not right:
        return []
    pairs = Counter((answer.said, answer.truth) for answer in wrong).most_common(HOT_PAIRS)
    hot = [[answer for answer in wrong if (answer.said, answer.truth) == pair] for pair, _n in pairs]
    shown = []
    for _ in range(ANSWERS):
        days = draw.uniform(0.05, DAYS)
        if draw.random() > WRONG_SHARE:
            shown.append((draw.choice(right), days))
        elif draw.random() < 0.7:
            place = min(int(draw.expovariate(0.3)), len(hot) - 1)
            days = draw.uniform(0.05, RISING_DAYS) if place == len(hot) - 1 else days
            shown.append((draw.choice(hot[place]), days))
        else:
            shown.append((draw.choice(wrong), days))
    return sorted(shown, key=lambda one: -one[1])


def _serve(
    draw: random.Random, project: Project, version: ModelVersion, shown: Sequence[tuple[Answer, float]]
) -> list[Served]:
    now = timezone.now()
    return Served.objects.bulk_create(
        Served(
            id=UUID(int=draw.getrandbits(128), version=4),
            project=project,
            version=version,
            external_id=answer.external_id,
            subject=pseudonym(project, f"customer-{int(draw.triangular(1, CUSTOMERS, 1))}"),
            consent=True,
            text=answer.text,
            text_hash=answer.text_hash,
            language="en",
            label_id=answer.label,
            confidence=answer.confidence,
            probabilities=answer.probabilities,
            shown_id=answer.label,
            propensity=1.0,
            at=_in_the_day(draw, now - timedelta(days=days), now),
        )
        for answer, days in shown
    )


def _in_the_day(draw: random.Random, at: datetime, now: datetime) -> datetime:
    """People write mostly between breakfast and midnight; none of it looks as if it came just now."""
    waking = at.replace(hour=min(23, max(6, round(draw.gauss(14.5, 4)))))
    return waking if waking < now - timedelta(hours=1) else at


def _said(draw: random.Random, row: Served, shown: tuple[Answer, float]) -> list[dict[str, Any]]:
    """What the customer did about one answer, in order."""
    answer, about = shown[0], {"prediction": str(row.pk), "consent": True}

    def event(kind: str, seconds: float, **more: Any) -> dict[str, Any]:
        return {"kind": kind, "at": (row.at + timedelta(seconds=seconds)).isoformat(), **about, **more}

    made = [event("shown", 0)]
    read = draw.uniform(2, 25)
    made.append(event("dwell", read, ms=round(read * 1000)))
    if draw.random() < (0.2 if answer.wrong else 0.62):
        made.append(event("accepted", read))
    elif draw.random() < 0.5:
        made.append(event("dismissed", read))
    if answer.wrong and draw.random() < 0.72:
        made.append(event("thumb", read + 1, up=False))
        if draw.random() < 0.55:
            made.append(event("label", read + 6, label=answer.truth))
        if draw.random() < 0.3:
            made.append(event("comment", read + 15, up=False, comment=draw.choice(COMMENTS)))
    elif draw.random() < 0.16:
        mistaken = not answer.wrong and draw.random() < 0.08  # people are wrong, too
        made.append(event("thumb", read + 1, up=not mistaken))
        if not mistaken and draw.random() < 0.3:
            made.append(event("comment", read + 9, up=True, comment=draw.choice(PRAISE)))
    if draw.random() < 0.12:
        stars = draw.choice((1, 2, 2, 3)) if answer.wrong else draw.choice((3, 4, 5, 5))
        made.append(event("rating", read + 30, rating=stars))
    return made
