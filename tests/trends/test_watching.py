"""Rules are looked at, alarms raised once, told everywhere, and closed when it is over."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.notices.models import Delivery, Notice, Webhook
from apps.projects.models import Project
from apps.registry.models import Deployment
from apps.trends import wording
from apps.trends.models import Alarm, AlarmMove, AlarmRule, Bucket
from apps.trends.services import alarms, reading, watching
from tests.trends import make

pytestmark = pytest.mark.django_db


def _rule(project: Project, stream: str = "label", direction: str = "up", **fields: Any) -> AlarmRule:
    label = project.labels.all()[0] if stream == "label" else None
    return alarms.make_rule(project, None, stream=stream, direction=direction, label=label, **fields)


def test_a_surge_raises_one_alarm_and_everybody_concerned_hears_of_it(
    project: Project, alice: User, dana: User, bob: User
) -> None:
    Webhook.objects.create(project=project, url="https://host.example.org/", events=["alarm.raised"])
    make.weeks(project, 0.1, 0.25, surge_hours=8)
    _rule(project)
    for _ in range(2):
        watching.look_all(make.NOW)
    alarm = Alarm.objects.get()
    assert abs(alarm.onset - (make.NOW - timedelta(hours=8))) <= timedelta(hours=4)
    assert sorted(Notice.objects.values_list("user__name", flat=True)) == ["Alice", "Dana"]
    delivery = Delivery.objects.get()
    assert (delivery.event, delivery.payload["label"]) == ("alarm.raised", "card arrival")
    assert delivery.payload["share"] > 1.7 * delivery.payload["expected"]
    assert wording.title(alarm) == "More “card arrival”"
    assert "is usual at these hours" in Notice.objects.all()[0].body
    assert max(alarm.evidence["score"]) > max(x for x in alarm.evidence["threshold"] if x)
    assert [move.action for move in AlarmMove.objects.all()] == ["raise"]


def test_usual_weeks_raise_nothing(project: Project) -> None:
    make.weeks(project, 0.1, 0.1, surge_hours=0)
    _rule(project)
    _rule(project, "each_label")
    watching.look_all(make.NOW)
    assert not Alarm.objects.exists()


def test_a_release_is_no_surge(project: Project) -> None:
    make.weeks(project, 0.1, 0.25, surge_hours=8)
    first = Deployment.objects.get()
    Deployment.objects.create(
        project=project, version=first.version, kind="promote", sequence=2, at=make.NOW - timedelta(hours=8)
    )
    _rule(project)
    watching.look_all(make.NOW)
    assert not Alarm.objects.exists()


def test_what_is_long_past_when_a_rule_is_made_is_not_told(project: Project) -> None:
    make.weeks(project, 0.1, 0.1, surge_hours=0)
    past = Bucket.objects.filter(label=project.labels.all()[0], hour__gte=make.NOW - timedelta(days=4))
    past.filter(hour__lt=make.NOW - timedelta(days=3)).update(n=25)
    _rule(project)
    watching.look_all(make.NOW)
    assert not Alarm.objects.exists()


def test_an_alarm_closes_by_itself_when_all_is_usual_again(project: Project) -> None:
    make.weeks(project, 0.1, 0.25, surge_hours=8)
    _rule(project)
    watching.look_all(make.NOW)
    hit, other = project.labels.all()[:2]
    rng = np.random.default_rng(1)
    of = Deployment.objects.get().version
    rows = []
    for hour in range(72):
        n, at = int(rng.poisson(50)), make.NOW + timedelta(hours=hour)
        k = int(rng.binomial(n, 0.05))
        rows += [make.bucket(project, of, hit, at, k), make.bucket(project, of, other, at, n - k)]
    Bucket.objects.bulk_create(rows)
    watching.look_all(make.NOW + timedelta(hours=72))
    assert Alarm.objects.get().state == "closed"
    assert "usual" in AlarmMove.objects.get(action="close").note


def test_negative_answers_need_to_be_named_first(project: Project) -> None:
    make.weeks(project, 0.1, 0.25, surge_hours=8)
    rule = _rule(project, "negative")
    watching.look_all(make.NOW)
    rule.refresh_from_db()
    assert "which labels are negative" in rule.state
    project.labels.filter(name="card arrival").update(name="Negative")
    watching.look_all(make.NOW + timedelta(hours=1))
    assert Alarm.objects.get().rule == rule


def test_two_weeks_are_needed(project: Project) -> None:
    make.weeks(project, 0.1, 0.4, surge_hours=8, weeks=1)
    rule = _rule(project)
    watching.look_all(make.NOW)
    rule.refresh_from_db()
    assert rule.state == "Learning the week: 7 of 14 days."


def test_a_stream_that_stops_is_noticed_and_its_return_too(project: Project) -> None:
    make.weeks(project, 0.1, 0.1, surge_hours=0, rate=5)
    Bucket.objects.filter(hour__gte=make.NOW - timedelta(hours=20)).delete()
    _rule(project, "served", "stops")
    watching.look_all(make.NOW)
    alarm = Alarm.objects.get()
    assert wording.title(alarm) == "Nothing is asked of the model any more"
    assert abs(alarm.evidence["missing"] - 100) < 15
    of = Deployment.objects.get().version
    Bucket.objects.create(project=project, hour=make.NOW, measure="served", version=of, n=4)
    watching.look_all(make.NOW + timedelta(hours=1))
    assert Alarm.objects.get().state == "closed"


def test_complaints_are_a_share_of_those_who_praise_or_complain(project: Project) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for hour in range(3 * 168):
        at = make.NOW - timedelta(hours=3 * 168 - hour)
        n, share = int(rng.poisson(20)), 0.2 if hour < 3 * 168 - 24 else 0.5
        k = int(rng.binomial(n, share))
        for polarity, count in ((-1, k), (1, n - k), (0, 500)):
            rows.append(Bucket(project=project, hour=at, measure="signals", polarity=polarity, n=count))
    Bucket.objects.bulk_create(rows)
    _rule(project, "complaints")
    watching.look_all(make.NOW)
    assert wording.figures(Alarm.objects.get())["expected"] == pytest.approx(0.2, abs=0.04)


def test_the_moves_of_an_alarm(project: Project, alice: User, dana: User) -> None:
    make.weeks(project, 0.1, 0.25, surge_hours=8)
    _rule(project)
    watching.look_all(make.NOW)
    alarm = Alarm.objects.get()
    alarms.acknowledge(alarm, dana)
    with pytest.raises(DomainError, match="faster"):
        alarms.acknowledge(alarm, alice)
    alarms.snooze(alarm, dana, hours=4)
    watching.wake(timezone.now() + timedelta(hours=5))
    alarm.refresh_from_db()
    assert alarm.state == "raised"
    alarms.close(alarm, dana, note="A discount that confused people")
    with pytest.raises(DomainError):
        alarms.snooze(alarm, dana, hours=4)
    actions = ["raise", "acknowledge", "snooze", "wake", "close"]
    assert list(AlarmMove.objects.order_by("pk").values_list("action", flat=True)) == actions
    watching.look_all(make.NOW + timedelta(hours=1))
    assert Alarm.objects.count() == 1  # the chart begins anew where it was closed


def test_one_open_alarm_for_each_stream_is_kept_by_the_database(project: Project) -> None:
    rule = _rule(project, "served", "stops")
    values = {"rule": rule, "project": project, "onset": make.NOW, "hour": make.NOW, "evidence": {"n": []}}
    Alarm.objects.create(**values)
    with pytest.raises(IntegrityError), transaction.atomic():
        Alarm.objects.create(**values)


@pytest.mark.parametrize(("stream", "direction"), [("served", "up"), ("label", "stops"), ("content", "down")])
def test_rules_that_make_no_sense_are_refused(project: Project, stream: str, direction: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        _rule(project, stream, direction)
    assert caught.value.field == "direction"


def test_a_rule_twice_is_refused_and_a_removed_one_can_be_made_again(project: Project, alice: User) -> None:
    rule = _rule(project)
    with pytest.raises(DomainError, match="already"):
        _rule(project)
    alarms.remove_rule(rule, alice)
    assert _rule(project).pk != rule.pk


def test_a_new_topic_raises_the_alarm_on_content(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    of, card = make.version(project), project.labels.all()[0]
    usual = [f"where is my card number {n}" for n in range(150)]
    new = [f"apple pay refuses me since {n}" for n in range(60)]
    make.served(project, of, card, make.NOW - timedelta(days=20), texts=usual[:100])
    make.served(project, of, card, make.NOW - timedelta(days=1), texts=[*usual[100:], *new])

    def vectors(_project: Project, texts: list[str]) -> tuple[str, np.ndarray]:
        rng = np.random.default_rng([len(text) for text in texts])
        x = rng.normal(size=(len(texts), 16)) * 0.3
        x[:, 0] += [1.0 if "apple" in text else -1.0 for text in texts]
        return "digest", (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)

    monkeypatch.setattr(reading.embedding, "vectors", vectors)
    _rule(project, "content", "changes")
    reading.read(project, make.NOW)
    alarm = Alarm.objects.get()
    assert all("apple" in text for text in alarm.evidence["newest"])
    assert wording.title(alarm) == "The texts are about something else"
