"""The dashboard counts what is there, leads to it, and says the same on the page, in files and through the API."""

import csv
import io
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.feedback.models import Signal, Ticket, TicketMove
from apps.learning.models import Evaluation
from apps.projects.models import Project
from apps.registry.models import Deployment, ModelVersion
from apps.trends import dashboard_queries as queries
from tests.conftest import ClientOf
from tests.learning.teach import make_version
from tests.serving.conftest import deploy

PAGE = "/p/bank/insight/"


@pytest.fixture(autouse=True)
def _one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Midnight does not fall between what a test stores and what it asks for."""
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def signal(project: Project, days_ago: float = 0, **values: Any) -> Signal:
    at = ago(days_ago)
    known = {"event": uuid4().hex, "kind": Signal.Kind.THUMB, "polarity": -1, "received_at": at, "occurred_at": at}
    return Signal.objects.create(project=project, **(known | values))


def ticket(project: Project, number: int, state: str = "new", days_ago: float = 0, **values: Any) -> Ticket:
    known = {"text": f"complaint {number}", "created_at": ago(days_ago), "state_at": ago(days_ago)}
    return Ticket.objects.create(project=project, number=number, state=state, **(known | values))


def move(of: Ticket, action: str, before: str, after: str, days_ago: float, **values: Any) -> TicketMove:
    return TicketMove.objects.create(ticket=of, action=action, before=before, after=after, at=ago(days_ago), **values)


@pytest.fixture
def full(project: Project) -> Project:
    """Two weeks in which something happened in every block."""
    for n in range(6):
        signal(project, n % 3, polarity=-1)
    signal(project, 1, polarity=1, value={"up": True})
    signal(project, 1, kind=Signal.Kind.RATING, polarity=1, value={"rating": 9, "of": 10})
    signal(project, 1, kind=Signal.Kind.CLICKED, polarity=0)
    signal(project, 1, state=Signal.State.ASIDE)
    signal(project, 400)
    first, second = make_version(project, 1), make_version(project, 2)
    Deployment.objects.filter(pk=deploy(project, first).pk).update(at=ago(10))
    Deployment.objects.filter(pk=deploy(project, second).pk).update(at=ago(2))
    for version, accuracy, days in ((first, 0.8, 11), (first, 0.82, 5), (second, 0.9, 2.5)):
        ends = {"low": accuracy - 0.05, "high": accuracy + 0.05}
        Evaluation.objects.create(
            version=version,
            holdout_hash=uuid4().hex,
            n=200,
            at=ago(days),
            metrics={"headline": {"name": "accuracy", "value": accuracy, "interval": ends}},
        )
    ticket(project, 1, "new", 0.5, reach=3)
    ticket(project, 2, "accepted", 3, reach=12)
    ticket(project, 3, "fixed", 9, reach=5, fixed_in=second)
    ticket(project, 4, "regressed", 40, reach=7, fixed_in=first)
    return project


def test_every_day_of_the_period_is_counted_once(full: Project) -> None:
    days = queries.volume(full, queries.period(28))
    assert len(days) == 28
    assert [one.total for one in days[-3:]] == [2, 6, 2]
    assert (days[-2].complaints, days[-2].praise, days[-2].others, days[-2].aside) == (3, 2, 1, 1)
    assert days[-2].kinds == {"thumb": 4, "rating": 1, "clicked": 1}


def test_a_day_ends_where_the_readers_does(project: Project) -> None:
    with timezone.override("Pacific/Auckland"):
        today = timezone.localdate()
        midnight = timezone.make_aware(datetime(today.year, today.month, today.day))
        signal(project, received_at=midnight + timedelta(minutes=1))
        signal(project, received_at=midnight - timedelta(minutes=1))
        assert [one.total for one in queries.volume(project, queries.period(28))][-2:] == [1, 1]


def test_open_tickets_are_sorted_by_age_and_closed_ones_left_out(full: Project) -> None:
    assert queries.open_by_age(full) == {"new": [1, 0, 0, 0], "accepted": [0, 1, 0, 0], "regressed": [0, 0, 0, 1]}


def test_times_are_medians_and_what_was_undone_does_not_count(project: Project) -> None:
    for number, hours in enumerate((1, 2, 30), start=1):
        one = ticket(project, number, "fixed", 5, looked_at=ago(5 - hours / 24))
        move(one, "accept", "new", "accepted", 5 - 2 * hours / 24)
        undone = move(one, "fix", "confirmed", "fixed", 4.9)
        move(one, "undo", "fixed", "confirmed", 4.8, undoes=undone)
        move(one, "fix", "confirmed", "fixed", 5 - 3 * hours / 24)
    long_ago = ticket(project, 9, "fixed", 100, looked_at=ago(99))
    move(long_ago, "fix", "confirmed", "fixed", 90)
    found = queries.waits(project, queries.period(28))
    assert [(name, wait.n) for name, wait in found.items()] == [("look", 3), ("decide", 3), ("fix", 3)]
    hours = {name: round(wait.median.total_seconds() / 3600, 1) for name, wait in found.items() if wait.median}
    assert hours == {"look": 2, "decide": 4, "fix": 6}
    assert found["look"].p90
    assert 24 < found["look"].p90.total_seconds() / 3600 < 30


def test_ratings_of_any_scale_are_brought_to_five_and_what_is_set_aside_has_no_voice(project: Project) -> None:
    signal(project, kind="rating", value={"rating": 10, "of": 10}, polarity=1)
    signal(project, kind="rating", value={"rating": 1, "of": 3}, polarity=-1)
    signal(project, kind="thumb", polarity=1)
    signal(project, kind="thumb", polarity=-1, state="aside")
    (week,) = queries.satisfaction(project, queries.period(28))
    assert (week.thumbs, week.up, week.ratings, week.rating) == (1, 1, 2, 3.0)
    assert week.week.weekday() == 0


def test_quality_follows_the_version_that_served(full: Project) -> None:
    found = queries.quality(full, queries.releases(full))
    assert [(one.version, one.value, one.event) for one in found] == [
        (1, 0.8, "promote"),  # as known when it was deployed
        (1, 0.82, ""),  # measured anew while it served
        (2, 0.9, "promote"),
    ]
    assert [one.at for one in found] == sorted(one.at for one in found)


def test_a_version_that_never_served_has_no_place(full: Project) -> None:
    never = make_version(full, 3)
    metrics = {"headline": {"name": "accuracy", "value": 0.1, "interval": {"low": 0.0, "high": 0.2}}}
    Evaluation.objects.create(version=never, holdout_hash="h", n=9, metrics=metrics)
    assert {one.version for one in queries.quality(full, queries.releases(full))} == {1, 2}


def test_every_number_leads_to_its_rows(full: Project, dana: User, client_of: ClientOf) -> None:
    client = client_of(dana)
    page = client.get(PAGE).content.decode()
    links = {
        link.replace("&amp;", "&")
        for link in re.findall(r'href="(/p/bank/(?:triage|signals|train/versions|items)[^"]*)"', page)
    }
    assert len(links) > 15
    for link in sorted(links):
        if "/train/versions/" not in link:
            assert client.get(link).status_code == 200, link
    assert {"/p/bank/train/versions/1/", "/p/bank/train/versions/2/"} <= links
    day = (timezone.localdate() - timedelta(days=1)).isoformat()
    assert f"/p/bank/signals/?since={day}&until={day}&polarity=-1" in links
    assert "/p/bank/triage/4/" in links


def test_the_rows_behind_a_number_are_as_many_as_it_says(full: Project, dana: User, client_of: ClientOf) -> None:
    client = client_of(dana)
    page = client.get(PAGE).content.decode()
    day = (timezone.localdate() - timedelta(days=1)).isoformat()
    cell = re.search(rf'href="([^"]*since={day}&amp;until={day}&amp;kind=thumb)">(\d+)<', page)
    assert cell
    shown = client.get(cell[1].replace("&amp;", "&")).context["rows"]
    assert (len(shown), cell[2]) == (4, "4")


def test_who_may_not_triage_sees_numbers_and_no_dead_links(full: Project, vic: User, client_of: ClientOf) -> None:
    page = client_of(vic).get(PAGE).content.decode()
    assert "Open tickets by age" in page
    assert 'href="/p/bank/triage/' not in page
    assert 'href="/p/bank/signals/' not in page


def test_each_block_is_a_file_and_the_same_through_the_api(full: Project, dana: User, client_of: ClientOf) -> None:
    client = client_of(dana)
    body = client.get("/api/v1/projects/bank/dashboard/").json()
    assert set(body["blocks"]) == {"volume", "ages", "times", "top", "regressions", "fixes", "satisfaction", "quality"}
    for key, block in body["blocks"].items():
        assert block["rows"], key
        answer = client.get(f"{PAGE}{key}.csv?days=28")
        assert answer["Content-Type"].startswith("text/csv")
        rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
        assert rows[0] == block["columns"]
        assert len(rows) - 1 == len(block["rows"])
    one = client.get("/api/v1/projects/bank/dashboard/", {"block": "top", "days": 90}).json()
    assert list(one["blocks"]) == ["top"]
    assert [row[0] for row in one["blocks"]["top"]["rows"]] == [2, 4, 1]
    assert client.get(f"{PAGE}nonsense.csv").status_code == 404


def test_words_of_strangers_become_no_formula(project: Project, dana: User, client_of: ClientOf) -> None:
    ticket(project, 1, text='=HYPERLINK("http://evil.example")')
    answer = client_of(dana).get(f"{PAGE}top.csv")
    assert "'=HYPERLINK" in b"".join(answer.streaming_content).decode()


def test_an_empty_project_is_told_what_to_do(project: Project, alice: User, vic: User, client_of: ClientOf) -> None:
    page = client_of(alice).get(PAGE).content.decode()
    assert "No feedback yet" in page
    assert "<svg" not in page.split("<main")[1].split("</main>")[0]
    assert "An administrator of the project" in client_of(vic).get(PAGE).content.decode()


def test_releases_are_marked_in_the_pictures(full: Project, dana: User, client_of: ClientOf) -> None:
    page = client_of(dana).get(PAGE).content.decode()
    assert page.count('class="mark"') == 2 * page.count('class="timeline"')


def test_the_page_asks_a_fixed_number_of_questions(full: Project, dana: User, client_of: ClientOf) -> None:
    client = client_of(dana)
    client.get(PAGE)
    with CaptureQueriesContext(connection) as before:
        client.get(PAGE)
    for number in range(10, 40):
        ticket(full, number, reach=number)
        signal(full, number % 7)
    with CaptureQueriesContext(connection) as after:
        client.get(PAGE)
    assert len(after) == len(before) <= 30


@pytest.mark.parametrize("days", ["90", "365", "7", "x", "-1"])
def test_other_periods_are_shown_or_the_first_one(full: Project, dana: User, client_of: ClientOf, days: str) -> None:
    answer = client_of(dana).get(PAGE, {"days": days})
    assert answer.status_code == 200
    assert answer.context["days"] == (int(days) if days in {"90", "365"} else 28)


def test_another_projects_rows_are_not_counted(full: Project) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="char-ngrams")
    assert not any(one.total for one in queries.volume(other, queries.period(28)))
    assert queries.open_by_age(other) == {}
    assert queries.standing(other).tickets == 0
    assert not ModelVersion.objects.filter(project=other).exists()
