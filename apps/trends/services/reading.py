"""Once a day the recent texts are read: which topics they fall into, and whether they are still what they were."""

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone
from numpy.typing import NDArray

from apps.common.errors import DomainError
from apps.content.models import Vector
from apps.learning.models import Encoding
from apps.projects.models import Project
from apps.registry.queries import live_version
from apps.serving.services import embedding
from apps.trends.models import AlarmRule, Bucket, Measure, TextTopic, Topic, Watch
from apps.trends.services import watching
from apps.trends.texts import Said, said
from workers.learning.monitor import cusum, drift, topics

log = logging.getLogger(__name__)
EVERY = timedelta(hours=20)
AT_ONCE = 3  # projects in one task
LOOK_BACK, RECENT = timedelta(days=35), timedelta(days=7)
LEAST, MOST = 60, 3_000  # texts
CHUNK = 256


def read_due() -> None:
    stale = Watch.objects.filter(project__archived_at=None)
    stale = stale.filter(Q(topics_at=None) | Q(topics_at__lt=timezone.now() - EVERY)).exclude(counted_through=None)
    for watch in stale.select_related("project").order_by("topics_at")[:AT_ONCE]:
        read(watch.project)


def read(project: Project, now: datetime | None = None) -> None:
    """Topics and drift anew. Texts without a vector are left out while the inference process is away."""
    now = now or timezone.now()
    Watch.objects.update_or_create(project=project, defaults={"topics_at": now})
    version = live_version(project)
    rows = said(project, now - LOOK_BACK, now, version=version.pk if version else None, most=MOST)
    first: dict[bytes, Said] = {}
    for row in rows:
        if row.text_hash:
            first.setdefault(row.text_hash, row)
    digest, x, kept = _vectors(project, list(first.values())[:MOST])
    if len(kept) >= LEAST:
        _fit(project, digest, x, kept)
    _compare(project, now, x, kept)


def _vectors(project: Project, rows: list[Said]) -> tuple[str, NDArray[np.float32], list[Said]]:
    """(encoder digest, (n, d) unit rows, the texts they are of)."""
    digest, found = _known(project, rows)
    missing = [row for row in rows if _key(row) not in found]
    try:
        for start in range(0, len(missing), CHUNK):
            some = missing[start : start + CHUNK]
            told, made = embedding.vectors(project, [row.text for row in some])
            if found and told != digest:
                break  # the project is between two encoders: tomorrow
            digest = told
            found |= {_key(row): vector for row, vector in zip(some, made, strict=True)}
    except DomainError as away:
        log.info("texts of %s are read without new vectors: %s", project.slug, away)
    kept = [row for row in rows if _key(row) in found]
    if not kept:
        return digest, np.zeros((0, 1), dtype=np.float32), []
    x = np.array([found[_key(row)] for row in kept], dtype=np.float32)
    return digest, x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9), kept


def _key(row: Said) -> bytes:
    return hashlib.sha256(row.text.encode()).digest()  # of a comment it is not the hash of the text it is about


def _known(project: Project, rows: Sequence[Said]) -> tuple[str, dict[bytes, NDArray[np.float32]]]:
    digest = Encoding.objects.filter(project=project).values_list("encoder_digest", flat=True).first() or ""
    if not digest:
        return "", {}
    found = Vector.objects.filter(encoder_digest=digest, text_hash__in=[_key(row) for row in rows])
    pairs = found.values_list("text_hash", "vector")
    return digest, {bytes(text_hash): np.array(vector, dtype=np.float32) for text_hash, vector in pairs}


@transaction.atomic
def _fit(project: Project, digest: str, x: NDArray[np.float32], rows: list[Said]) -> None:
    watch = Watch.objects.select_for_update().get(project=project)
    old = list(Topic.objects.filter(project=project).order_by("number")) if watch.topics_digest == digest else []
    before = None
    if old:
        centres = np.array([topic.centre for topic in old], dtype=np.float32)
        before = topics.Topics(centres, [topic.number for topic in old], np.zeros(0, dtype=np.int64))
    rng = np.random.default_rng(project.seed)
    found = topics.fit(x, topics.how_many(len(x)), rng, before)
    if not old:  # under another encoder the numbers go on, so that none means two things
        used = Topic.objects.filter(project=project).order_by("-number").values_list("number", flat=True).first() or 0
        found = topics.Topics(found.centres, [used + number for number in found.names], found.assignment)
    words = topics.words([row.text for row in rows], found.assignment, len(found.centres))
    Topic.objects.filter(project=project).update(live=False)
    made = []
    for number, centre, its in zip(found.names, found.centres, words, strict=True):
        values = {"words": [word[:80] for word in its], "centre": centre.tolist(), "live": True}
        made.append(Topic.objects.update_or_create(project=project, number=number, defaults=values)[0])
    TextTopic.objects.filter(project=project).delete()
    pairs = {row.text_hash: made[of] for row, of in zip(rows, found.assignment, strict=True)}
    TextTopic.objects.bulk_create(
        [TextTopic(project=project, text_hash=text_hash, topic=topic) for text_hash, topic in pairs.items()]
    )
    watch.topics_digest = digest
    watch.save(update_fields=["topics_digest"])


def _compare(project: Project, now: datetime, x: NDArray[np.float32], rows: list[Said]) -> None:
    """This week against the four before, by vectors and by what the model said."""
    recent = np.array([row.at >= now - RECENT for row in rows], dtype=bool)
    found: dict[str, Any] = {"recent": int(recent.sum()), "before": int((~recent).sum())}
    if min(found["recent"], found["before"]) >= drift.LEAST:
        judged = drift.content(x[~recent], x[recent], np.random.default_rng(project.seed))
        own = [row for row, new in zip(rows, recent, strict=True) if new]
        newest = [own[at].text[:500] for at in judged.order[:5]]
        found |= {"auc": round(judged.auc, 4), "p_value": judged.p_value, "newest": newest}
    answers = _answers(project, now)
    if answers:
        found |= {"answers_p_value": answers.p_value, "psi": round(answers.psi, 4)}
    with transaction.atomic():
        Watch.objects.filter(project=project).update(drift=found, drift_at=now)
        for rule in AlarmRule.objects.filter(project=project, stream=AlarmRule.Stream.CONTENT, removed_at=None):
            if found.get("p_value", 1.0) <= 1 / (cusum.SAFETY * rule.patience):
                watching.raise_alarm(rule, None, watching.Finding(None, 0, 0, found), onset=now - RECENT)
            AlarmRule.objects.filter(pk=rule.pk).update(checked_through=now)


def _answers(project: Project, now: datetime) -> drift.AnswerDrift | None:
    rows = Bucket.objects.filter(project=project, measure=Measure.SERVED, hour__gte=now - LOOK_BACK).exclude(label=None)
    counts = rows.values_list("label").annotate(
        before=Sum("n", filter=Q(hour__lt=now - RECENT)), recent=Sum("n", filter=Q(hour__gte=now - RECENT))
    )
    table = np.array([[before or 0, recent or 0] for _label, before, recent in counts], dtype=np.int64).reshape(-1, 2)
    if len(table) < 2 or table.sum(axis=0).min() < drift.LEAST:
        return None
    return drift.answers(table[:, 0], table[:, 1])
