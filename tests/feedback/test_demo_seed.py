"""The simulated customers of the demonstration."""

import math
import random
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Count
from django.utils import timezone

from apps.annotation.models import Prediction
from apps.config.demo import feedback, seed
from apps.feedback.models import IntakeKey, Signal
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from apps.serving.models import Served
from tests.feedback import make
from tests.learning import rows

pytestmark = pytest.mark.django_db
QUESTIONS = 600


@pytest.fixture
def truth() -> dict[str, str]:
    return dict(list(seed._truth().items())[:QUESTIONS])


@pytest.fixture
def demo(truth: dict[str, str]) -> Project:
    project = seed._project(sorted(set(truth.values())))
    items = rows.items(project, [f"question {n}" for n in range(QUESTIONS)], holdout_every=10)
    for item, name in zip(items, truth, strict=True):
        item.external_id = name
    type(items[0]).objects.bulk_update(items, ["external_id"])
    return project


@pytest.fixture
def version(demo: Project, truth: dict[str, str]) -> ModelVersion:
    """Every fifth answer is the label before the right one."""
    labels = list(demo.labels.order_by("position"))
    place = {label.name: number for number, label in enumerate(labels)}
    made = make.version(demo)
    flat = [1 / len(labels)] * len(labels)
    Prediction.objects.bulk_create(
        Prediction(
            item=item,
            version=made,
            label=labels[place[truth[item.external_id]] - (1 if number % 5 == 0 else 0)],
            confidence=0.6,
            margin=0.3,
            probabilities=flat,
        )
        for number, item in enumerate(demo.items.order_by("pk"))
    )
    return made


def test_customers_complain_where_the_model_was_wrong(
    demo: Project, version: ModelVersion, truth: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, receive = [], feedback.intake.receive

    def counted(key: None, project: Project, events: list[Any], **more: Any) -> Any:
        sizes.append(len(events))
        return receive(key, project, events, **more)

    monkeypatch.setattr(feedback.intake, "receive", counted)
    sent = feedback.send(demo, version, truth)
    assert len(sizes) == math.ceil(sent / feedback.intake.MOST_EVENTS)  # one by one it would take minutes
    signals = Signal.objects.filter(project=demo)
    assert signals.count() == sent > 1_000
    assert set(signals.values_list("source", "state")) == {("demo", "new")}
    complaints = signals.filter(polarity=-1)
    assert 200 < complaints.count() < 600
    assert complaints.exclude(wanted=None).count() > 80
    wrong = complaints.filter(kind="thumb").exclude(item=None)
    said_so = sum(
        truth[signal.item.external_id] != signal.predicted.name for signal in wrong.select_related("item", "predicted")
    )  # type: ignore[union-attr]
    assert said_so > 0.9 * wrong.count()
    assert signals.filter(polarity=1).count() > 20
    assert len(set(signals.values_list("subject", flat=True))) > 80
    assert "customer-" not in str(list(signals.values()))


def test_they_come_over_sixty_days_and_none_from_the_hold_out(
    demo: Project, version: ModelVersion, truth: dict[str, str]
) -> None:
    feedback.send(demo, version, truth)
    days = Signal.objects.values("occurred_at__date").annotate(n=Count("pk"))
    assert len(days) > 50
    assert not Signal.objects.filter(received_at__gt=timezone.now() - timedelta(minutes=30)).exists()
    assert not Signal.objects.filter(item__split="holdout").exists()
    assert not Served.objects.filter(at__gt=timezone.now()).exists()


def test_they_come_once_and_always_the_same(demo: Project, version: ModelVersion, truth: dict[str, str]) -> None:
    feedback.send(demo, version, truth)
    assert feedback.sent_already(demo)
    first = list(Signal.objects.order_by("event").values_list("event", "kind", "item__external_id"))
    Signal.objects.all().delete()
    Served.objects.all().delete()
    assert not feedback.sent_already(demo)
    feedback.send(demo, version, truth)
    assert list(Signal.objects.order_by("event").values_list("event", "kind", "item__external_id")) == first
    assert IntakeKey.objects.count() == 1


def test_a_model_without_mistakes_gets_none(demo: Project, version: ModelVersion) -> None:
    assert feedback.send(demo, version, {}) == 0


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_whatever_the_time_nobody_wrote_a_moment_ago(hour: int) -> None:
    draw, now = random.Random(hour), timezone.now().replace(hour=hour, minute=20)
    for _ in range(300):
        at = feedback._in_the_day(draw, now - timedelta(days=draw.uniform(0.05, 2)), now)
        assert at < now - timedelta(hours=1)
