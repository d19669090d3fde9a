"""What another version or threshold would have earned, from the log of what was shown and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from apps.common.rows import rows
from apps.feedback.behaviour_queries import CAPPED, MEMORY, person_cap
from apps.feedback.behaviour_words import translated
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from apps.serving.queries import policy_of
from workers.learning.behaviour import Estimate, estimate
from workers.learning.types import LearningError

NEWEST = 50_000  # answers that are looked at
SEED = 20151207
REWARDS: Mapping[str, tuple[int, int, int]] = {  # accepted, clicked, dismissed
    "accepted": (1, 0, 0),
    "clicked": (0, 1, 0),
    "net": (1, 0, -1),
}

# what was shown counts if something came back about it; where nothing was shown, nothing can come back
_LOG = f"""
WITH {CAPPED}, kept AS (SELECT * FROM placed WHERE place <= %(cap)s AND served_id IS NOT NULL)
SELECT s.label_id, s.shown_id, s.propensity, s.confidence, (s.at AT TIME ZONE %(zone)s)::date - DATE '2000-01-01',
    coalesce(nullif(k.subject, ''), s.subject), coalesce(k.accepted, false)::int, coalesce(k.clicked, false)::int,
    coalesce(k.dismissed, false)::int, coalesce(k.shown, false)::int,
    CASE WHEN s.version_id = %(version)s::bigint THEN s.label_id ELSE p.label_id END,
    CASE WHEN s.version_id = %(version)s::bigint THEN s.confidence ELSE p.confidence END
FROM serving_served s
LEFT JOIN kept k ON k.served_id = s.id
LEFT JOIN content_item i ON %(version)s::bigint IS NOT NULL AND s.external_id <> '' AND i.project_id = s.project_id
    AND i.external_id = s.external_id AND i.text_hash = s.text_hash
LEFT JOIN annotation_prediction p ON p.item_id = i.id AND p.version_id = %(version)s::bigint
WHERE s.project_id = %(project)s AND s.at >= %(since)s AND s.value IS NULL
    AND (s.shown_id IS NULL OR k.served_id IS NOT NULL)
ORDER BY s.at DESC LIMIT %(newest)s
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Question:
    version: ModelVersion | None  # None: the answers as they were given
    threshold: float | None  # None: as it is set now
    reward: str  # a key of REWARDS


@dataclass(frozen=True, slots=True)
class Answer:
    """Per answer asked for. `found` is None where the log cannot say, and `why_not` says why."""

    question: Question
    threshold: float
    texts: int  # looked at
    known: int  # of them, those for which the other version's answer is known
    shows: float  # share of the texts on which something would be shown
    earned: float  # by what was really shown, on the same texts
    margin: float  # half of its 95 % interval
    found: Estimate | None
    why_not: str = ""


def answer(project: Project, question: Question, since: datetime) -> Answer:
    threshold = question.threshold if question.threshold is not None else policy_of(project).threshold
    log = _log(project, question, since)
    texts = len(log.label)
    known = ~np.isnan(log.other_sure) if question.version else np.ones(texts, dtype=bool)
    log = log.only(known)
    if not len(log.label):
        why = _("The log holds nothing that this can be read from.")
        if texts and question.version:
            why = _("v%(n)d has said nothing about these texts: send your own ids with predict, and import the items.")
            why %= {"n": question.version.number}
        return Answer(question, threshold, texts, 0, 0.0, 0.0, 0.0, None, why)
    says, sure = (log.other, log.other_sure) if question.version else (log.label, log.sure)
    shows = sure >= threshold
    rewards = log.done @ np.array(REWARDS[question.reward], dtype=np.float64)
    spread = float(1.96 * rewards.std() / np.sqrt(len(rewards)))
    about = (question, threshold, texts, int(known.sum()), float(shows.mean()), float(rewards.mean()), spread)
    try:
        if not log.reported.any():
            raise LearningError("No “shown” events have come in, so nobody knows what people saw and left alone.")
        return Answer(*about, found=_estimate(log, says, shows, rewards))
    except LearningError as refusal:
        return Answer(*about, found=None, why_not=translated(str(refusal)))


@dataclass(frozen=True, slots=True)
class _Log:
    label: NDArray[np.int64]
    shown: NDArray[np.int64]  # −1: nothing
    propensity: NDArray[np.float64]
    sure: NDArray[np.float64]
    day: NDArray[np.int64]
    person: NDArray[np.int64]
    done: NDArray[np.float64]  # (n, 3) accepted, clicked, dismissed
    reported: NDArray[np.bool_]
    other: NDArray[np.int64]
    other_sure: NDArray[np.float64]  # NaN: not known

    def only(self, kept: NDArray[np.bool_]) -> "_Log":
        return _Log(*(getattr(self, name)[kept] for name in self.__slots__))


def _log(project: Project, question: Question, since: datetime) -> _Log:
    values = {
        "project": project.pk,
        "since": since,
        "cap": person_cap(project),
        "zone": settings.TIME_ZONE,
        "version": question.version.pk if question.version else None,
        "newest": NEWEST,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(MEMORY)
        columns: list[Any] = list(zip(*rows(_LOG, values), strict=True)) or [()] * 12
    label, shown, propensity, sure, day, subject, accepted, clicked, dismissed, reported, other, other_sure = columns
    return _Log(
        label=_ids(label),
        shown=_ids(shown),
        propensity=np.array(propensity, dtype=np.float64),
        sure=np.array(sure, dtype=np.float64),
        day=np.array(day, dtype=np.int64),
        person=_people(subject),
        done=np.array([accepted, clicked, dismissed], dtype=np.float64).T.reshape(-1, 3),
        reported=np.array(reported, dtype=bool),
        other=_ids(other),
        other_sure=np.array(other_sure, dtype=np.float64),
    )


def _ids(values: tuple[int | None, ...]) -> NDArray[np.int64]:
    return np.array([-1 if value is None else value for value in values], dtype=np.int64)


def _people(subjects: tuple[str, ...]) -> NDArray[np.int64]:
    """A number for each person; who is not known is somebody else each time."""
    numbers: dict[str, int] = {}
    return np.array(
        [numbers.setdefault(subject or f"?{place}", len(numbers)) for place, subject in enumerate(subjects)],
        dtype=np.int64,
    )


def _estimate(log: _Log, says: NDArray[np.int64], shows: NDArray[np.bool_], rewards: NDArray[np.float64]) -> Estimate:
    """Where the other policy shows nothing it earns nothing: that is known for sure, whatever the log did there."""
    target = np.where(shows, (says == log.shown).astype(np.float64), 1.0)
    logged = np.where(shows, log.propensity, 1.0)
    earned = np.where(shows, rewards, 0.0)
    usable = _explored(log.day, logged, target)
    return estimate(
        earned[usable],
        logged[usable],
        target[usable],
        groups=log.person[usable],
        rng=np.random.default_rng(SEED),
    )


def _explored(day: NDArray[np.int64], logged: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Days without exploration are left out where they could not have shown what is asked about: pooled with the
    others they would count only where both policies agree."""
    everything = np.ones(len(day), dtype=bool)
    explored = np.isin(day, day[logged < 1 - 1e-6])
    blind = ~explored & (logged >= 1) & (target < 1)
    return explored if blind.any() and explored.any() else everything
