"""What people think: how much of it is negative, about what, what is on the rise, and in whose words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils import timezone

from apps.projects.models import Project
from apps.registry.queries import live_version
from apps.trends.models import Bucket, Measure, Topic
from apps.trends.sentiment import Sentiment, sentiment
from apps.trends.texts import Said, said
from apps.trends.trend_queries import rows_of
from workers.learning.intervals import wilson
from workers.learning.monitor import phrases

SPAN = timedelta(days=28)
NEW = timedelta(days=7)
EXAMPLES = 3
LEAST = 10  # statements before a share of a topic is said


@dataclass(frozen=True)
class Share:
    k: int
    n: int

    @property
    def value(self) -> float:
        return self.k / self.n if self.n else 0.0

    @property
    def low(self) -> float:
        return wilson(self.k, self.n).low

    @property
    def high(self) -> float:
        return wilson(self.k, self.n).high


@dataclass(frozen=True)
class TopicOpinion:
    topic: Topic
    now: Share
    before: Share
    examples: list[Said]

    @property
    def change(self) -> str:
        """up or down where the intervals of the two spans do not touch."""
        if min(self.now.n, self.before.n) < LEAST:
            return ""
        if self.now.low > self.before.high:
            return "up"
        return "down" if self.now.high < self.before.low else ""


@dataclass(frozen=True)
class Opinion:
    kind: str  # "labels": answers with a negative label; "complaints": feedback that complains
    sentiment: Sentiment
    since: datetime
    now: Share
    before: Share
    topics: list[TopicOpinion] = field(default_factory=list)
    rising: list[phrases.Rising] = field(default_factory=list)
    examples: list[Said] = field(default_factory=list)

    @property
    def change(self) -> str:
        if min(self.now.n, self.before.n) < LEAST:
            return ""
        if self.now.low > self.before.high:
            return "up"
        return "down" if self.now.high < self.before.low else ""


def opinion(project: Project, now: datetime | None = None) -> Opinion:
    """The last four weeks against the four before. Of a project without negative labels: complaints among feedback."""
    now = now or timezone.now()
    known = sentiment(project)
    version = live_version(project)
    rows = said(project, now - 2 * SPAN, now, version=version.pk if version else None)
    kind = "labels" if known.known else "complaints"
    rows = [row for row in rows if _counts(row, kind)]
    recent, older = _cut(rows, now - SPAN)
    negative = [row for row in rows if _is_negative(row, known)]
    return Opinion(
        kind=kind,
        sentiment=known,
        since=now - SPAN,
        now=_overall(project, known, now - SPAN, now),
        before=_overall(project, known, now - 2 * SPAN, now - SPAN),
        topics=_topics(project, recent, older, known),
        rising=_rising(negative, now),
        examples=negative[:EXAMPLES],
    )


def _counts(row: Said, kind: str) -> bool:
    return row.label is not None and not row.is_feedback if kind == "labels" else row.is_feedback and row.polarity != 0


def _is_negative(row: Said, known: Sentiment) -> bool:
    return row.label in known.negative if known.known else row.polarity < 0


def _cut(rows: Sequence[Said], at: datetime) -> tuple[list[Said], list[Said]]:
    return [row for row in rows if row.at >= at], [row for row in rows if row.at < at]


def _overall(project: Project, known: Sentiment, since: datetime, until: datetime) -> Share:
    """Of everything, also of what was said without consent to keep its text."""
    buckets = Bucket.objects.filter(project=project, hour__gte=since, hour__lt=until)
    if not known.known:
        lean = buckets.filter(measure=Measure.SIGNALS).exclude(polarity=0)
        found = lean.aggregate(k=Sum("n", filter=Q(polarity__lt=0)), n=Sum("n"))
        return Share(found["k"] or 0, found["n"] or 0)
    negative = sorted(known.negative)
    asked = buckets.filter(measure=Measure.SERVED).exclude(label=None)
    found = asked.aggregate(k=Sum("n", filter=Q(label__in=negative)), n=Sum("n"))
    items = rows_of(project, "items").filter(moment__gte=since, moment__lt=until).exclude(said=None)
    came = items.aggregate(k=Count("pk", filter=Q(said__in=negative)), n=Count("pk"))
    return Share((found["k"] or 0) + came["k"], (found["n"] or 0) + came["n"])


def _share(rows: Sequence[Said], known: Sentiment) -> Share:
    return Share(sum(_is_negative(row, known) for row in rows), len(rows))


def _topics(project: Project, recent: list[Said], older: list[Said], known: Sentiment) -> list[TopicOpinion]:
    found = []
    for topic in Topic.objects.filter(project=project, live=True):
        own = [row for row in recent if row.topic == topic.number]
        if len(own) < LEAST:
            continue
        before = [row for row in older if row.topic == topic.number]
        worst = [row for row in own if _is_negative(row, known)][:EXAMPLES]
        found.append(TopicOpinion(topic, _share(own, known), _share(before, known), worst))
    return sorted(found, key=lambda each: (-each.now.k, each.topic.number))


def _rising(negative: Sequence[Said], now: datetime) -> list[phrases.Rising]:
    recent, older = _cut(negative, now - NEW)
    return phrases.rising([row.text for row in older], [row.text for row in recent], most=12)


def as_dict(found: Opinion) -> dict[str, Any]:
    def share(of: Share) -> dict[str, Any]:
        return {
            "negative": of.k,
            "of": of.n,
            "share": round(of.value, 4),
            "low": round(of.low, 4),
            "high": round(of.high, 4),
        }

    return {
        "kind": found.kind,
        "since": found.since,
        "now": share(found.now),
        "before": share(found.before),
        "topics": [
            {
                "number": each.topic.number,
                "words": each.topic.words,
                "now": share(each.now),
                "before": share(each.before),
            }
            for each in found.topics
        ],
        "rising": [
            {"phrase": each.text, "recent": each.recent, "before": each.before, "times": round(each.times, 2)}
            for each in found.rising
        ],
    }
