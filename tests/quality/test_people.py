"""The work of people by period, its file for pay, and everybody's own figures."""

import csv
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Annotation, Resolution, Task
from apps.annotation.services import golds
from apps.content.models import Item
from apps.projects.models import Project
from apps.quality import people_queries as queries
from apps.quality.models import Review
from apps.quality.people_queries import Period
from tests.annotation import make
from tests.conftest import ClientOf
from tests.quality.gold import answer_gold

pytestmark = pytest.mark.django_db


def says(
    project: Project,
    user: User,
    item: Item,
    *,
    label: int | None = 0,
    seconds: float | None = 10.0,
    days: int = 0,
    **more: object,
) -> Annotation:
    task = Task.objects.filter(item=item).first() or Task.objects.create(
        project=project, item=item, split="pool", rank=Task.TOP, state="done"
    )
    given = {
        "project": project,
        "item": item,
        "task": task,
        "annotator": user,
        "key": uuid4(),
        "revision": Annotation.objects.filter(item=item, annotator=user).count() + 1,
        "label": None if label is None else project.labels.all()[label],
        "outcome": "scratch",
        "seconds": seconds,
        "created_at": timezone.now() - timedelta(days=days),
    }
    return Annotation.objects.create(**given | more)


def today() -> Period:
    """And the day before: midnight may have come since somebody answered."""
    return Period(timezone.localdate() - timedelta(days=1), timezone.localdate())


def one(project: Project, user: User, period: Period | None = None) -> queries.Work:
    return next(row for row in queries.work(project, period or today()) if row.user == user)


def test_items_belong_to_the_day_of_their_first_answer(project: Project, bob: User) -> None:
    old, new, back, bulk = make.items(project, 4)
    first = says(project, bob, old, days=40)
    says(project, bob, old)  # changed today
    says(project, bob, new)
    says(project, bob, back)
    says(project, bob, back, retracted=True)
    says(project, bob, bulk, task=None, seconds=None)
    found = one(project, bob)
    assert (found.items, found.at_once) == (1, 1)
    month_ago = timezone.localdate(first.created_at)
    assert one(project, bob, Period(month_ago, month_ago)).items == 1


def test_hours_leave_breaks_out_and_speed_is_the_median(project: Project, bob: User) -> None:
    for item, seconds in zip(make.items(project, 3), (10.0, 20.0, 7_200.0), strict=True):
        says(project, bob, item, seconds=seconds)
    found = one(project, bob)
    assert found.seconds == 10 + 20 + queries.LONGEST
    assert found.median == 20.0


def test_agreement_counts_only_shared_and_settled_items(project: Project, bob: User, rita: User) -> None:
    labels = list(project.labels.all())
    agreed, outvoted, tied, alone = make.items(project, 4)
    for item in (agreed, outvoted, tied):
        says(project, bob, item)
        says(project, rita, item, label=1 if item != agreed else 0)
    says(project, bob, alone)
    for item, label, how in ((agreed, 0, "consensus"), (outvoted, 1, "adjudicated"), (alone, 0, "single")):
        Resolution.objects.create(item=item, project=project, split="pool", label=labels[label], how=how)
    found = one(project, bob).agreement
    assert found.whole is not None
    assert (found.whole.right, found.whole.n, found.mean) == (1, 2, 0.5)


def test_gold_and_reviews_are_those_of_the_period(project: Project, alice: User, bob: User, rita: User) -> None:
    label = project.labels.all()[0]
    first, second = (golds.make_gold(project, item, alice, label=label) for item in make.items(project, 2))
    answer_gold(first, bob, right=True)
    answer_gold(second, bob, right=False)
    said = says(project, bob, make.items(project, 1)[0])
    Review.objects.create(project=project, annotation=said, annotator=bob, by=rita, verdict="approved")
    found = one(project, bob)
    assert (found.gold.right, found.gold.n) == (1, 2)
    assert (found.reviewed.right, found.reviewed.n) == (1, 1)
    before = today().first - timedelta(days=1)
    assert one(project, bob, Period(before, before)).gold.n == 0


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_the_file_for_pay_has_a_row_each_and_no_formula(
    project: Project, alice: User, bob: User, client_of: ClientOf, sign: str
) -> None:
    User.objects.filter(pk=bob.pk).update(name=f'{sign}HYPERLINK("http://evil")')
    said = says(project, bob, make.items(project, 1)[0], seconds=36.0)
    day = timezone.localdate(said.created_at).isoformat()
    reply = client_of(alice).get("/p/bank/people-work.csv", {"start": day, "end": day})
    text = b"".join(reply.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = {row["email"]: row for row in csv.DictReader(StringIO(text))}
    mine = rows["bob@example.org"]
    assert mine["name"].startswith(f"'{sign}")
    assert (mine["items"], mine["hours"], mine["median_seconds"], mine["from"]) == ("1", "0.01", "36.0", day)
    assert f"bank-work-{day}-{day}.csv" in reply["Content-Disposition"]


def test_the_page_shows_the_period_and_refuses_an_impossible_one(
    project: Project, alice: User, rita: User, bob: User, client_of: ClientOf
) -> None:
    says(project, bob, make.items(project, 1)[0])
    client = client_of(alice)
    assert "Bob" in client.get("/p/bank/people-work/").content.decode()
    assert client.get("/p/bank/people-work/?start=2026-02-01&end=2026-01-01").status_code == 422
    assert client.get("/p/bank/people-work.csv?start=2026-02-01&end=2026-01-01").status_code == 422
    assert client.get("/p/bank/people-work/?start=0001-01-01").status_code == 422
    assert client.get("/p/bank/people-work/?end=2020-01-01").status_code == 200
    assert client_of(rita).get("/p/bank/people-work/").status_code == 403


def test_annotators_see_themselves_and_others_only_where_the_lead_wants_it(
    project: Project, bob: User, rita: User, client_of: ClientOf
) -> None:
    says(project, bob, make.items(project, 1)[0])
    client = client_of(bob)
    page = client.get("/p/bank/my-work/").content.decode()
    assert "My work" in page
    assert "Rita" not in page
    project.ranking_shown = True
    project.save()
    assert "Rita" in client.get("/p/bank/my-work/").content.decode()


def test_the_api_gives_the_same_rows(project: Project, alice: User, bob: User, client_of: ClientOf) -> None:
    says(project, bob, make.items(project, 1)[0])
    client = client_of(alice)
    rows = client.get("/api/v1/projects/bank/people-work/").json()
    assert {row["email"]: row["items"] for row in rows}["bob@example.org"] == 1
    assert client.get("/api/v1/projects/bank/people-work/?start=x").status_code == 422


def test_spans_agree_in_part(project: Project, bob: User, rita: User) -> None:
    project.task_kind = "spans"
    project.save()
    label = project.labels.all()[0].pk
    item = make.items(project, 1)[0]
    two = {"spans": [{"start": 0, "end": 4, "label": label}, {"start": 5, "end": 8, "label": label}]}
    says(project, bob, item, value={"spans": two["spans"][:1]}, label=None)
    says(project, rita, item, value=two, label=None)
    Resolution.objects.create(item=item, project=project, split="pool", value=two, how="adjudicated")
    found = one(project, bob).agreement
    assert found.whole is None
    assert found.mean == pytest.approx(2 / 3)
