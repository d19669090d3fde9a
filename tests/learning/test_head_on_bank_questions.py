"""The loop on real questions with the real encoder: vectors, cold start, answers, refits, an accuracy that climbs."""

import csv
from collections import defaultdict
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.conf import settings
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation import services as annotation
from apps.annotation.models import Task
from apps.learning import live, runs, vectors
from apps.learning.models import CurvePoint, LiveHead
from apps.projects.models import Label, Project
from tests.learning import rows

pytestmark = pytest.mark.slow
DATA = Path(settings.BASE_DIR) / "apps" / "config" / "demo" / "banking77.csv"
KINDS, EACH, ROUNDS, ROUND = 12, 35, 4, 12


@pytest.fixture
def questions() -> list[tuple[str, str]]:
    by_label: dict[str, list[str]] = defaultdict(list)
    with DATA.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_label[row["label"]].append(row["text"])
    kinds = sorted(by_label, key=lambda kind: -len(by_label[kind]))[:KINDS]
    taken = [(text, kind) for kind in kinds for text in by_label[kind][:EACH]]
    return [taken[place] for place in np.random.default_rng(0).permutation(len(taken))]


def _refresh(project: Project) -> LiveHead:
    LiveHead.objects.update(fitted_at=timezone.now() - timedelta(minutes=5))
    live.refresh(project.pk)
    return LiveHead.objects.get(project=project)


def test_answers_reorder_the_queue_by_margin_and_the_curve_climbs(
    project: Project, bob: User, questions: list[tuple[str, str]]
) -> None:
    project.holdout_share = 0  # held-out answers are given below, all at once
    project.save()
    labels = {
        kind: Label.objects.create(project=project, name=kind) for kind in sorted({kind for _, kind in questions})
    }
    items = rows.items(project, [text for text, _ in questions], holdout_every=3)
    truth = {item.pk: labels[kind] for item, (_, kind) in zip(items, questions, strict=True)}
    runs.encode(project.pk)
    annotation.take_in(project)
    for item in items:
        if item.split == "holdout":
            rows.resolve(item, truth[item.pk])

    assert _refresh(project).weights is None
    first = [task.item_id for task in rows.queue(project)[:ROUND]]
    assert len({truth[item].pk for item in first}) >= 6  # a cold start meets many kinds at once

    tops = []
    for _ in range(ROUNDS):
        leases = annotation.claim(project, bob)
        for _ in range(ROUND):
            answer = annotation.Answer(leases[0].token, uuid4(), truth[leases[0].task.item_id].pk)
            leases = annotation.submit(project, bob, answer).next
        head = _refresh(project)
        tops.append([task.item_id for task in rows.queue(project)[:ROUND]])

    assert head.n_labels == ROUNDS * ROUND
    assert all(before != after for before, after in pairwise(tops))
    _check_margins(project, head)
    curve = list(CurvePoint.objects.order_by("revision").values_list("accuracy", flat=True))
    assert curve[-1] > curve[0] + 0.1
    assert curve[-1] > 0.6
    vectors.forget(project.pk)


def _check_margins(project: Project, head: LiveHead) -> None:
    """What stands on top is what this head is least sure of, with its own words as suggestion."""
    pool = vectors.pool(project.pk, head.encoder_digest, head.seen_through)
    gap = live.heads.Head.from_bytes(bytes(head.weights or b"")).glance(pool.rows)[2]
    queue = [task for task in rows.queue(project) if task.split == "pool"]
    places = pool.places(np.array([task.item_id for task in queue]))
    uncertain = [task for task in queue if task.reason == Task.Reason.UNCERTAIN]
    for task, place in zip(queue, places, strict=True):
        if task.reason == Task.Reason.UNCERTAIN:
            assert task.score == pytest.approx(float(gap[place]), abs=2e-3)
            assert task.suggestion is not None
            assert task.suggestion["head"] == head.revision
    first = [task.score or 0 for task in uncertain[:20]]
    assert np.mean(first) < np.mean(gap[places])
