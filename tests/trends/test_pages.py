"""Trends, public opinion and alarms as people and programs meet them."""

import hashlib
from datetime import timedelta

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.content.models import Vector
from apps.learning.models import Encoding
from apps.projects.models import Project
from apps.trends import opinions
from apps.trends.models import Alarm, AlarmRule, TextTopic, Topic, Watch
from apps.trends.services import counting, reading, sentiments
from apps.trends.trend_queries import Asked, table
from tests.conftest import ClientOf
from tests.trends import make

pytestmark = pytest.mark.django_db
AGO = make.NOW - timedelta(days=2)


@pytest.fixture
def traffic(project: Project) -> Project:
    of, (card, rate, _top) = make.version(project), project.labels.all()
    make.served(project, of, card, AGO, texts=["Where is my card?", "=HYPERLINK(1)", "No card yet"])
    make.served(project, of, rate, AGO, 2)
    make.signal(project, AGO, -1, 3, predicted=card, comment="Nobody helps me", consent=True)
    make.signal(project, AGO, 1, 1)
    counting.count(project)
    return project


def _totals(project: Project, measure: str, by: str) -> dict[str, int]:
    return {each.name: each.total for each in table(project, Asked(measure, by)).series}


def test_the_same_rows_split_every_way(traffic: Project) -> None:
    assert _totals(traffic, "served", "all") == {"all": 5}
    assert _totals(traffic, "served", "label") == {"card arrival": 3, "exchange rate": 2}
    assert _totals(traffic, "served", "version") == {"v1": 5}
    assert _totals(traffic, "served", "topic") == {"no topic": 5}
    assert _totals(traffic, "signals", "sentiment") == {"negative": 3, "positive": 1}
    assert _totals(traffic, "signals", "source") == {"widget": 4}
    card = traffic.labels.get(name="card arrival")
    sentiments.say(traffic, negative=[card.pk], positive=[])
    assert _totals(traffic, "served", "sentiment") == {"negative": 3, "neither": 2}


@pytest.mark.parametrize("measure", ["served", "signals", "items"])
@pytest.mark.parametrize("by", ["all", "label", "sentiment", "topic", "source", "version"])
@pytest.mark.parametrize("step", ["day", "week"])
def test_every_choice_draws_a_page_whose_points_lead_to_their_rows(
    traffic: Project, dana: User, client_of: ClientOf, measure: str, by: str, step: str
) -> None:
    client = client_of(dana)
    page = client.get(f"/p/bank/trends/?measure={measure}&by={by}&step={step}&days=28")
    assert page.status_code == 200
    for _day, cells, _sum in page.context["rows"]:
        for n, url in cells:
            if n:
                assert len(client.get(url).context["rows"]) == n


def test_wrong_choices_show_the_page_as_it_opens(project: Project, vic: User, client_of: ClientOf) -> None:
    page = client_of(vic).get("/p/bank/trends/?measure=users__password&by=x&days=1e999")
    assert page.status_code == 200
    assert "Nothing to draw yet" in page.content.decode()
    for day in ("yesterday", "9999-12-31", "0001-01-01"):
        assert client_of(vic).get(f"/p/bank/trends/rows/?first={day}&length=7").status_code == 422


def test_a_seventh_series_joins_the_others(project: Project) -> None:
    of = make.version(project)
    for n in range(9):
        label = project.labels.create(name=f"label {n}", color=1, position=10 + n)
        make.served(project, of, label, AGO, 20 - n)
    counting.count(project)
    names = [each.name for each in table(project, Asked(by="label")).series]
    assert names == [*(f"label {n}" for n in range(6)), "3 others"]


def test_releases_stand_on_the_time_axis(traffic: Project) -> None:
    make.version(traffic, 2, at=AGO)
    assert table(traffic, Asked()).releases == [(timezone.localdate(AGO), "v2")]


def test_the_table_as_csv_and_by_api(traffic: Project, vic: User, client_of: ClientOf) -> None:
    traffic.labels.filter(name="card arrival").update(name="=cmd()")
    client = client_of(vic)
    answer = client.get("/p/bank/trends/trends.csv?measure=served&by=label")
    lines = b"".join(answer).decode().splitlines()  # type: ignore[arg-type]
    assert lines[0].endswith("from,'=cmd(),exchange rate")
    assert f"{timezone.localdate(AGO).isoformat()},3,2" in lines
    body = client.get("/api/v1/projects/bank/trends/?measure=served&by=label").json()
    assert [sum(each["counts"]) for each in body["series"]] == [3, 2]
    assert client.get("/api/v1/projects/bank/trends/?by=users__password").status_code == 400


def test_what_users_wrote_is_for_those_who_triage(traffic: Project, vic: User, dana: User, client_of: ClientOf) -> None:
    day = timezone.localdate(AGO).isoformat()
    path = f"/p/bank/trends/rows/?measure=signals&by=all&key=all&first={day}&length=1"
    assert "Nobody helps me" in client_of(dana).get(path).content.decode()
    assert "Nobody helps me" not in client_of(vic).get(path).content.decode()
    assert "Nobody helps me" in client_of(dana).get("/p/bank/opinion/").content.decode()
    assert "Nobody helps me" not in client_of(vic).get("/p/bank/opinion/").content.decode()


def test_without_negative_labels_complaints_are_looked_at(traffic: Project, dana: User, client_of: ClientOf) -> None:
    page = client_of(dana).get("/p/bank/opinion/").content.decode()
    assert "75 % of 4 users who said something complained" in page
    assert "No label is negative" in page


def test_the_manager_says_what_is_negative(traffic: Project, dana: User, vic: User, client_of: ClientOf) -> None:
    client, card = client_of(dana), traffic.labels.get(name="card arrival")
    assert client_of(vic).post("/p/bank/opinion/", {"negative": [card.pk]}).status_code == 403
    client.post("/p/bank/opinion/", {"negative": [card.pk], "positive": [card.pk]})
    assert not Watch.objects.get().sentiment_set
    client.post("/p/bank/opinion/", {"negative": [card.pk]})
    page = client.get("/p/bank/opinion/").content.decode()
    assert "60 % of 5 texts were negative" in page  # also those whose words were not kept
    body = client.put("/api/v1/projects/bank/opinion/", {"negative": []}, "application/json").json()
    assert (body["kind"], body["now"]["negative"], body["now"]["of"]) == ("complaints", 3, 4)


@pytest.mark.parametrize(("name", "other"), [("Negative", "Positive"), ("差评", "好评"), ("bad", "good")])
def test_negative_labels_are_guessed_from_their_names(project: Project, name: str, other: str) -> None:
    one = project.labels.create(name=name, color=1, position=8)
    two = project.labels.create(name=other, color=2, position=9)
    found = opinions.sentiment(project)
    assert (found.negative, found.positive, found.said) == ({one.pk}, {two.pk}, False)


def _letters(_project: Project, texts: list[str]) -> tuple[str, np.ndarray]:
    rows = np.array([[1.0, 0.1, len(t) % 7 / 70] if "card" in t else [0.1, 1.0, len(t) % 5 / 50] for t in texts])
    return "digest", (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_topics_rising_phrases_and_examples(
    project: Project, dana: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = (
        project.labels.create(name=name, color=n, position=n) for n, name in ((8, "negative"), (9, "positive"))
    )
    of = make.version(project)
    monkeypatch.setattr(reading.embedding, "vectors", _letters)
    before, now = make.NOW - timedelta(days=20), make.NOW - timedelta(days=1)
    make.served(project, of, good, before, texts=[f"my card came quickly {n}" for n in range(40)])
    make.served(project, of, bad, before, texts=[f"the rate is not fair {n}" for n in range(30)])
    make.served(project, of, bad, now, texts=[f"my card lost again by courier {n}" for n in range(20)])
    counting.count(project)
    reading.read_due()
    page = client_of(dana).get("/p/bank/opinion/").content.decode()
    assert "courier" in page.partition("On the rise")[2]
    found = opinions.opinion(project)
    assert {each.topic.words[0] for each in found.topics} <= {
        "card",
        "rate",
        "fair",
        "my card",
        "card came quickly",
        "card came",
    }
    assert {(each.now.k, each.now.n) for each in found.topics} == {(20, 60), (30, 30)}
    assert Topic.objects.filter(project=project, live=True).count() == 2
    numbers = set(TextTopic.objects.values_list("topic__number", flat=True))
    reading.read(project, make.NOW)
    assert set(TextTopic.objects.values_list("topic__number", flat=True)) == numbers


def test_vectors_that_are_stored_already_are_read_from_there(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise DomainError("away")

    of, label = make.version(project), project.labels.all()[0]
    texts = [f"my card came quickly {n}" for n in range(40)] + [f"the rate is not fair {n}" for n in range(30)]
    make.served(project, of, label, make.NOW - timedelta(days=2), texts=texts)
    digest, rows = _letters(project, texts)
    Encoding.objects.create(project=project, encoder_digest=digest)
    Vector.objects.bulk_create(
        Vector(text_hash=hashlib.sha256(text.encode()).digest(), encoder_digest=digest, vector=row.tolist())
        for text, row in zip(texts, rows, strict=True)
    )
    monkeypatch.setattr(reading.embedding, "vectors", away)
    reading.read(project, make.NOW)
    assert Topic.objects.filter(project=project, live=True).count() == 2


def test_without_the_inference_process_nothing_breaks(traffic: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise DomainError("away")

    monkeypatch.setattr(reading.embedding, "vectors", away)
    reading.read_due()
    assert not Topic.objects.exists()
    assert Watch.objects.get().topics_at


def _alarm(project: Project, stream: str = "label") -> Alarm:
    direction = {"label": "up", "served": "stops"}[stream]
    label = project.labels.all()[0] if stream == "label" else None
    rule = AlarmRule.objects.create(project=project, stream=stream, direction=direction, label=label)
    t = 60
    seen = {"first": (make.NOW - timedelta(hours=t - 1)).isoformat(), "n": [50] * t}
    seen |= {"k": [5] * 54 + [15] * 6, "expected": [None] + [0.1] * 59} if label else {"missing": 30.0}
    seen |= {"score": [0.0] * 54 + [2.0, 4.0, 6.0, 7.0, 8.0, 9.0], "threshold": [None] + [6.0] * 59} if label else {}
    onset = make.NOW - timedelta(hours=5)
    return Alarm.objects.create(rule=rule, project=project, label=label, onset=onset, hour=make.NOW, evidence=seen)


@pytest.mark.parametrize("stream", ["label", "served"])
def test_an_alarm_shows_what_was_seen(project: Project, dana: User, client_of: ClientOf, stream: str) -> None:
    alarm = _alarm(project, stream)
    page = client_of(dana).get(f"/p/bank/alarms/{alarm.pk}/").content.decode()
    assert ("30 % of 300 since" in page) == (stream == "label")
    assert ('class="threshold"' in page) == (stream == "label")
    assert ('<rect class="bar"' in page) == (stream == "served")


def test_an_alarm_is_taken_on_snoozed_and_closed_on_its_page(project: Project, dana: User, client_of: ClientOf) -> None:
    alarm, client = _alarm(project), client_of(dana)
    base = f"/p/bank/alarms/{alarm.pk}"
    for action, data, state in [
        ("acknowledge", {}, "acknowledged"),
        ("snooze", {"hours": "24"}, "snoozed"),
        ("close", {"note": "over"}, "closed"),
    ]:
        assert client.post(f"{base}/{action}/", data).status_code == 302
        alarm.refresh_from_db()
        assert alarm.state == state
    assert client.post(f"{base}/acknowledge/").status_code == 409
    page = client.get("/p/bank/alarms/").content.decode()
    assert "History" in page
    assert "over" in client.get(f"{base}/").content.decode()


def test_rules_are_made_and_removed(project: Project, dana: User, client_of: ClientOf) -> None:
    client: Client = client_of(dana)
    rule = {"stream": "label", "direction": "up", "patience": "30", "to_inbox": "on"}
    refused = client.post("/p/bank/alarms/", rule)
    assert refused.status_code == 422
    assert "Choose the label" in refused.content.decode()
    client.post("/p/bank/alarms/", rule | {"label": project.labels.all()[0].pk})
    row = AlarmRule.objects.get()
    assert not row.to_webhook
    assert client.post("/p/bank/alarms/", rule | {"label": project.labels.all()[0].pk}).status_code == 422
    client.post(f"/p/bank/alarms/rules/{row.pk}/remove/")
    row.refresh_from_db()
    assert row.removed_at


def test_alarms_by_api(project: Project, dana: User, vic: User, client_of: ClientOf) -> None:
    alarm, client = _alarm(project), client_of(dana)
    base = "/api/v1/projects/bank/alarms/"
    (found,) = client.get(base).json()["results"]
    assert (found["title"], found["state"], found["label"]) == ("More “card arrival”", "raised", "card arrival")
    moved = client.post(f"{base}{alarm.pk}/", {"action": "snooze", "hours": 3}, "application/json").json()
    assert moved["state"] == "snoozed"
    made = client.post(f"{base}rules/", {"stream": "signals", "direction": "stops"}, "application/json")
    assert made.status_code == 201
    assert client.delete(f"{base}rules/{made.json()['id']}/").status_code == 204
    assert client_of(vic).get(base).status_code == 403


def test_an_alarm_of_another_project_does_not_exist_here(project: Project, alice: User, client_of: ClientOf) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="minilm-l6")
    other.labels.create(name="x", color=1)
    foreign = _alarm(other)
    client = client_of(alice)
    assert client.get(f"/p/bank/alarms/{foreign.pk}/").status_code == 404
    assert client.post(f"/p/bank/alarms/{foreign.pk}/close/").status_code == 404
    assert client.post(f"/p/bank/alarms/rules/{foreign.rule_id}/remove/").status_code == 404
