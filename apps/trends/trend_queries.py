"""Counts by day or week, by label, sentiment, topic, source or version; from hourly buckets where there are some."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Count,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, TruncDay, TruncWeek
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.annotation.models import Prediction
from apps.content.models import ImportJob, Item
from apps.feedback.models import Signal
from apps.projects.models import Label, Project
from apps.registry.models import Deployment, ModelVersion
from apps.registry.queries import live_version
from apps.serving.models import Served
from apps.trends.models import Bucket, TextTopic, Topic
from apps.trends.sentiment import sentiment

MOST_SERIES = 6  # lines that can be told apart; the rest is one more
OTHERS = "others"


@dataclass(frozen=True)
class Asked:
    measure: str = "served"  # served, signals, items
    by: str = "all"  # all, label, sentiment, topic, source, version
    step: str = "day"  # day, week
    days: int = 28

    @property
    def first(self) -> date:
        return periods_back(self.step, self.days)

    @property
    def since(self) -> datetime:
        return timezone.make_aware(datetime.combine(self.first, time.min))


@dataclass
class Series:
    key: str
    name: str
    color: int  # 1..12, a label token
    counts: list[int]

    @property
    def total(self) -> int:
        return sum(self.counts)


@dataclass
class Table:
    asked: Asked
    periods: list[date]
    series: list[Series]
    releases: list[tuple[date, str]] = field(default_factory=list)

    @property
    def rows(self) -> list[tuple[date, list[int], int]]:
        by_period = list(zip(*(each.counts for each in self.series), strict=True))
        return [(day, list(counts), sum(counts)) for day, counts in zip(self.periods, by_period, strict=False)]


def periods_back(step: str, days: int) -> date:
    today = timezone.localdate()
    first = today - timedelta(days=days - 1)
    return first - timedelta(days=first.weekday()) if step == "week" else first


def table(project: Project, asked: Asked) -> Table:
    width = timedelta(days=7 if asked.step == "week" else 1)
    periods, day = [], asked.first
    while day <= timezone.localdate():
        periods.append(day)
        day += width
    counts = {key: dict(found) for key, found in _grouped(_counts(project, asked)).items()}
    ranked = sorted(counts, key=lambda key: (-sum(counts[key].values()), key))
    names, colors = _names(project, asked.by, ranked)
    shown, rest = ranked[:MOST_SERIES], ranked[MOST_SERIES:]
    series = [Series(key, names[key], colors[key], [counts[key].get(day, 0) for day in periods]) for key in shown]
    if rest:
        added = [sum(counts[key].get(day, 0) for key in rest) for day in periods]
        series.append(Series(OTHERS, _("%(n)d others") % {"n": len(rest)}, 12, added))
    return Table(asked, periods, series, _releases(project, asked))


def _grouped(rows: Iterable[tuple[datetime, str, int]]) -> dict[str, dict[date, int]]:
    found: dict[str, dict[date, int]] = {}
    for at, key, n in rows:
        day = timezone.localdate(at)
        per = found.setdefault(key, {})
        per[day] = per.get(day, 0) + n
    return found


def _counts(project: Project, asked: Asked) -> Iterable[tuple[datetime, str, int]]:
    trunc = TruncWeek if asked.step == "week" else TruncDay
    if asked.measure != "items" and asked.by != "topic":
        rows = Bucket.objects.filter(project=project, measure=asked.measure, hour__gte=asked.since)
        hourly: Iterable[tuple[datetime, str, int]] = (
            rows.annotate(period=trunc("hour"), part=_key(project, asked, rows=False))
            .values_list("period", "part")
            .annotate(n=Sum("n"))
        )
        return hourly
    source = rows_of(project, asked.measure)
    found = source.filter(moment__gte=asked.since).annotate(
        period=trunc("moment"), part=_key(project, asked, rows=True)
    )
    counted: Iterable[tuple[datetime, str, int]] = found.values_list("period", "part").annotate(n=Count("pk"))
    return counted


def rows_of(project: Project, measure: str) -> QuerySet[Any]:
    """The rows behind the counts, under common names: moment, said (label id), seen (version id), origin, lean."""
    if measure == "served":
        rows = Served.objects.filter(project=project)
        served: QuerySet[Any] = rows.annotate(
            moment=F("at"),
            said=Coalesce("shown_id", "label_id"),
            seen=F("version_id"),
            origin=F("language"),
            lean=Value(0),
        )
        return served
    if measure == "signals":
        sent = Signal.objects.filter(project=project).exclude(kind__in=Signal.BEHAVIOUR).exclude(state="aside")
        found: QuerySet[Any] = sent.annotate(
            moment=F("received_at"),
            said=F("predicted_id"),
            seen=F("version_id"),
            origin=F("source"),
            lean=F("polarity"),
        )
        return found
    version = live_version(project)
    answer = Prediction.objects.filter(item=OuterRef("pk"), version=version.pk if version else 0).values("label")[:1]
    came = ImportJob.objects.filter(pk=OuterRef("source_id")).values("filename")[:1]
    return Item.objects.filter(project=project).annotate(
        moment=F("created_at"),
        said=Coalesce(F("resolution__label_id"), Subquery(answer), output_field=BigIntegerField()),
        seen=Value(version.pk if version else 0),
        origin=Coalesce(Subquery(came), Value("")),
        lean=Value(0),
    )


def _key(project: Project, asked: Asked, *, rows: bool) -> Any:
    """What a row (or a bucket) is counted under."""
    if asked.by == "label":
        return Coalesce(Cast("said" if rows else "label", CharField()), Value(""))
    if asked.by == "version":
        return Coalesce(Cast("seen" if rows else "version", CharField()), Value(""))
    if asked.by == "source":
        return F("origin" if rows else "source")
    if asked.by == "topic":
        topic = TextTopic.objects.filter(project=project, text_hash=OuterRef("text_hash")).values("topic__number")[:1]
        return Coalesce(Cast(Subquery(topic), CharField()), Value(""))
    if asked.by == "sentiment":
        return Case(*_leanings(project, asked, rows=rows), default=Value("neither"), output_field=CharField())
    return Value("all", output_field=CharField())


def _leanings(project: Project, asked: Asked, *, rows: bool) -> list[When]:
    if asked.measure == "signals":
        below, above = (Q(lean__lt=0), Q(lean__gt=0)) if rows else (Q(polarity__lt=0), Q(polarity__gt=0))
    else:
        known = sentiment(project)
        negative, positive = sorted(known.negative), sorted(known.positive)
        below, above = (
            (Q(said__in=negative), Q(said__in=positive)) if rows else (Q(label__in=negative), Q(label__in=positive))
        )
    return [When(below, then=Value("negative")), When(above, then=Value("positive"))]


def _names(project: Project, by: str, keys: list[str]) -> tuple[dict[str, str], dict[str, int]]:
    colors = {key: 1 + place % 11 for place, key in enumerate(keys)}
    if by == "label":
        labels = {str(label.pk): label for label in Label.objects.filter(project=project)}
        colors |= {key: labels[key].color for key in keys if key in labels} if len(labels) <= 12 else {}
        return {key: labels[key].name if key in labels else _("no label") for key in keys}, colors
    if by == "version":
        versions = {str(v.pk): str(v) for v in ModelVersion.objects.filter(project=project)}
        return {key: versions.get(key, _("no version")) for key in keys}, colors
    if by == "topic":
        topics = {str(topic.number): str(topic) for topic in Topic.objects.filter(project=project)}
        return {key: topics.get(key, _("no topic")) for key in keys}, colors
    words = {"negative": _("negative"), "positive": _("positive"), "neither": _("neither"), "all": _("all")}
    return {key: words.get(key, key) or _("not said") for key in keys}, colors


def _releases(project: Project, asked: Asked) -> list[tuple[date, str]]:
    rows = Deployment.objects.filter(project=project, at__gte=asked.since).select_related("version").order_by("at")
    return [(timezone.localdate(row.at), str(row.version)) for row in rows]


def rows_behind(project: Project, asked: Asked, key: str, first: date, days: int) -> QuerySet[Any]:
    """The rows that one point counts, newest first."""
    begin = timezone.make_aware(datetime.combine(first, time.min))
    rows = rows_of(project, asked.measure).filter(moment__gte=begin, moment__lt=begin + timedelta(days=days))
    if asked.by != "all" and key != OTHERS:
        rows = rows.annotate(part=_key(project, asked, rows=True)).filter(part=key)
    return rows.order_by("-moment", "-pk")
