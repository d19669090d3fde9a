"""The whole history of one item, as moments in time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from apps.annotation.models import Annotation, Gold, PastTruth, Prediction, Resolution, Task
from apps.annotation.queries import ItemHistory, item_history
from apps.content.models import ImportJob, Item
from apps.explore import item_words
from apps.feedback.models import Signal, Ticket
from apps.projects.access import Capability
from apps.projects.models import Label
from apps.quality.models import Adjudication, Review

MOST_SIGNALS = 50


@dataclass(frozen=True)
class Said:
    """Anything that can be drawn as labels."""

    label: Label | None
    value: dict[str, Any] | None


@dataclass(frozen=True)
class Moment:
    at: datetime
    words: str
    who: str = ""
    said: Annotation | Resolution | PastTruth | Said | None = None
    facts: tuple[str, ...] = ()
    note: str = ""
    badge: str = ""
    kind: str = ""  # truth, answer, or empty for what merely happened
    beside: Said | None = None  # the suggestion that was on the page, or that was kept back
    beside_words: str = ""


@dataclass(frozen=True)
class Whole:
    item: Item
    resolution: Resolution | None
    why: str
    predictions: list[Prediction]
    tasks: list[Task]
    moments: list[Moment]
    tickets: list[Ticket] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    gold: Gold | None = None
    blind: bool = False  # held out and without a truth: what models say stays hidden


def whole(item: Item, can: frozenset[Capability]) -> Whole:
    history = item_history(item)
    review, triage = Capability.REVIEW in can, Capability.TRIAGE in can
    blind = item.split == "holdout" and history.resolution is None
    tasks = [task for task in history.tasks if review or Task.Reason.GOLD not in {task.state, task.reason}]
    gold = Gold.objects.filter(item=item, retired_at=None).select_related("by").first() if review else None
    source = ImportJob.objects.filter(pk=item.source_id).first() if item.source_id else None
    moments = [
        *_arrival(item, source),
        *_asked(tasks),
        *_answers(item, history),
        *_truths(item, history.resolution, review=review),
        *_decisions(item),
    ]
    if item.archived_at:
        moments.append(Moment(item.archived_at, _("Archived: out of the queue and the lists.")))
    return Whole(
        item=item,
        resolution=history.resolution,
        why=item_words.why(item, history, source, review=review),
        predictions=history.predictions,
        tasks=tasks,
        moments=sorted(moments, key=lambda moment: moment.at, reverse=True),
        tickets=list(item.tickets.order_by("-number")) if triage else [],
        signals=_signals(item) if triage else [],
        gold=gold,
        blind=blind,
    )


def _signals(item: Item) -> list[Signal]:
    said = Signal.objects.filter(item=item).exclude(kind__in=Signal.BEHAVIOUR).select_related("wanted")
    return list(said.order_by("-pk")[:MOST_SIGNALS])


def _arrival(item: Item, source: ImportJob | None) -> Iterator[Moment]:
    words = _("Came in with the import “%(name)s”.") % {"name": source.filename} if source else _("Came in.")
    yield Moment(item.created_at, words)


def _asked(tasks: list[Task]) -> Iterator[Moment]:
    for task in tasks:
        yield Moment(task.created_at, _("People were asked: %(reason)s.") % {"reason": task.get_reason_display()})


def _answers(item: Item, history: ItemHistory) -> Iterator[Moment]:
    labels = {label.pk: label for label in Label.objects.filter(project=item.project_id)}
    for said in history.annotations:
        who = str(said.annotator)
        if said.retracted:
            yield Moment(said.created_at, _("took the answer back"), who, kind="answer")
            continue
        suggestion = said.shown if said.shown is not None else said.hidden
        beside = item_words.suggested(suggestion, labels) if suggestion else None
        yield Moment(
            said.created_at,
            item_words.answered(said),
            who,
            said if said.label or said.value is not None else None,
            tuple(item_words.facts_of(said)),
            said.note,
            item_words.badge_of(said),
            "answer",
            Said(*beside) if beside else None,
            _("was shown") if said.shown is not None else _("was not shown"),
        )


def _truths(item: Item, now: Resolution | None, *, review: bool) -> Iterator[Moment]:
    """A past truth notes the change that ended it: that is the one that made the next."""
    past = PastTruth.objects.filter(item=item).select_related("label", "by", "change__by").order_by("until", "pk")
    change = None
    for truth in past:
        yield _became(truth, truth.since, change, review=review)
        if truth.deleted:
            yield Moment(
                truth.until, _("The label was taken away."), str(truth.change.by or "") if truth.change else ""
            )
        change = truth.change
    if now:
        yield _became(now, now.changed_at, change, review=review)


def _became(truth: Resolution | PastTruth, at: datetime, change: Any, *, review: bool) -> Moment:
    words = _("This became its label: %(how)s.") % {"how": item_words.how(truth.how, review=review)}
    facts = [str(truth.by)] if truth.by else []
    return Moment(at, words, "", truth, (*facts, *([change.in_words] if change else [])), kind="truth")


def _decisions(item: Item) -> Iterator[Moment]:
    for review in Review.objects.filter(annotation__item=item).select_related("by", "annotator"):
        words = _("looked at the answer of %(name)s: %(verdict)s")
        said = words % {"name": review.annotator, "verdict": review.get_verdict_display()}
        yield Moment(review.created_at, said, str(review.by), note=review.reason)
    for case in Adjudication.objects.filter(item=item).select_related("by"):
        yield Moment(case.opened_at, _("A reviewer has to decide: %(why)s.") % {"why": case.get_why_display()})
        if case.closed_at:
            words = _("closed the question: %(state)s") % {"state": case.get_state_display()}
            yield Moment(case.closed_at, words, str(case.by or ""), note=case.comment)
