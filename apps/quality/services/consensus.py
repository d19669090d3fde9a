"""Several answers become one by the project's rule; what the rule cannot settle waits for a reviewer.

The queue takes the majority at once (truth.decide). This runs behind it: Dawid–Skene and CROWDLAB look at everybody's
answers together, so they run over all texts that several people answered. Truths that a reviewer decided, gold and
single answers are never touched, and a truth that changed while this ran is left to the next round.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.core.cache import cache
from django.db.models import Max
from django.utils import timezone
from numpy.typing import NDArray

from apps.annotation import opinion_table
from apps.annotation.models import Annotation, Resolution
from apps.annotation.opinion_table import OpinionTable
from apps.content.models import Item, Split
from apps.learning.models import LiveHead
from apps.projects.models import Label, Project
from apps.quality.services import crowd, rules, ruling, waiting
from workers.learning import quality
from workers.learning.types import Consensus

KEPT = 7 * 24 * 3600
LEAST = 20  # texts with several answers before anybody's habits can be told
PAUSE = 10.0  # times as long as the last round took, before the next one
Rule = Project.Consensus
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Round:
    """What the last run did; kept in the cache alone, because running again is harmless."""

    mark: tuple[Any, ...]
    at: datetime
    took: float
    rule: str  # that was used: majority while there are too few texts
    source: str  # of the model's word, with CROWDLAB: "live_head", "v3", or "" where no model knew enough
    items: int  # with several answers
    changed: int  # truths
    opened: int  # put before a reviewer
    settled: int  # taken from there, because more answers settled it


def last_round(project: Project) -> Round | None:
    found: Round | None = cache.get(_key(project))
    return found


def settle_due() -> None:
    kinds = (Project.TaskKind.SINGLE, Project.TaskKind.MULTI, Project.TaskKind.SPANS)
    for project in Project.objects.filter(archived_at=None, task_kind__in=kinds):
        before = last_round(project)
        if before is None or (before.mark != _mark(project) and _rested(before)):
            settle(project)


def settle(project: Project) -> Round:
    started, mark = time.perf_counter(), _mark(project)
    said = _countable(project, opinion_table.table(project))
    shared = said.shared()
    rule, source, rulings = _rulings(project, shared)
    changed = ruling.write(project, rulings, newest=mark[0] or 0)
    opened, settled = waiting.refresh(project)
    done = Round(
        mark=mark,  # as it was before: what this very round changed is looked at once more, and then nothing is
        at=timezone.now(),
        took=time.perf_counter() - started,
        rule=rule,
        source=source,
        items=len(rulings),
        changed=changed,
        opened=opened,
        settled=settled,
    )
    cache.set(_key(project), done, KEPT)
    return done


def _rulings(project: Project, shared: OpinionTable) -> tuple[str, str, list[ruling.Ruling]]:
    if project.task_kind == Project.TaskKind.SPANS:
        return Rule.MAJORITY, "", ruling.of_spans(project, shared)
    items = np.unique(shared.items)
    order = list(Label.objects.filter(project=project, archived_at=None).order_by("pk").values_list("pk", flat=True))
    if not len(items) or not order:
        return Rule.MAJORITY, "", []
    rule = Rule(project.consensus) if len(items) >= LEAST else Rule.MAJORITY
    tables = _tables(shared, order)
    if rule == Rule.CROWDLAB:
        found, source = _crowdlab(project, shared, items, order, tables)
    else:
        found, source = rules.by_people(rule, tables, len(order)), ""
    several = project.task_kind == Project.TaskKind.MULTI
    made = ruling.of_labels(shared, items, order, found) if several else ruling.of_label(shared, items, order, found[0])
    return rule, source, made


def _tables(shared: OpinionTable, order: list[int]) -> list[Floats]:
    """Single: one table of label places; several labels: one of "given or not" for each label."""
    if shared.kind == Project.TaskKind.SINGLE:
        place = {shared.place_of(pk): at for at, pk in enumerate(order)}
        codes = np.array([place[code] for code in shared.codes.tolist()], dtype=np.int64)
        return [quality.table(shared.items, shared.annotators, codes)[0]]
    return [quality.table(shared.items, shared.annotators, shared.has(pk).astype(np.int64))[0] for pk in order]


def _crowdlab(
    project: Project, shared: OpinionTable, items: NDArray[np.int64], order: list[int], tables: list[Floats]
) -> tuple[list[Consensus], str]:
    """Held-out texts are left to people: a model that helped to decide a truth would be measured by its own word."""
    by_people = rules.by_people(Rule.DAWID_SKENE, tables, len(order))
    held = set(
        Item.objects.filter(project=project, split=Split.HOLDOUT, pk__in=items.tolist()).values_list("pk", flat=True)
    )
    pool = np.array([item not in held for item in items.tolist()])
    several = project.task_kind == Project.TaskKind.MULTI
    shares = (
        np.column_stack([found.probabilities[:, 1] for found in rules.by_people(Rule.MAJORITY, tables, 2)])
        if several
        else (rules.by_people(Rule.MAJORITY, tables, len(order))[0].probabilities)
    )
    says = crowd.probabilities(project, items[pool], shares[pool], order) if pool.any() else None
    if says is None:
        return by_people, ""
    found = [
        rules.with_model(table, rules.column(says.probabilities, at) if several else says.probabilities, people, pool)
        for at, (table, people) in enumerate(zip(tables, by_people, strict=True))
    ]
    return found, says.source


def _countable(project: Project, said: OpinionTable) -> OpinionTable:
    """Without answers that name a label which is in use no more: no truth can say it."""
    archived = set(
        Label.objects.filter(project=project, archived_at__isnull=False, merged_into=None).values_list("pk", flat=True)
    )
    if not archived or project.task_kind == Project.TaskKind.SPANS:
        return said
    gone = np.zeros(len(said), dtype=bool)
    for pk in archived:
        gone |= said.has(pk)
    return said.part(~gone)


def _mark(project: Project) -> tuple[Any, ...]:
    """Another one when there is something to do: an answer, a truth, another rule, another encoder of the head."""
    answer = Annotation.objects.filter(project=project).aggregate(last=Max("pk"))["last"]
    truth = Resolution.objects.filter(project=project).aggregate(last=Max("changed_at"))["last"]
    head = None
    if project.consensus == Rule.CROWDLAB:
        head = LiveHead.objects.filter(project=project).values_list("encoder_digest", flat=True).first()
    return answer, truth, project.consensus, project.adjudicate_below, head


def _rested(before: Round) -> bool:
    return (timezone.now() - before.at).total_seconds() > PAUSE * before.took


def _key(project: Project) -> str:
    return f"consensus:2:{project.pk}"
