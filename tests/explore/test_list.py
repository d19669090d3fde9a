"""Every filter and every order of the items page; and that none of them tells what a model thinks of hold-out items."""

import json
import re
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Gold, Task
from apps.content import search
from apps.content.models import ImportJob, Item
from apps.feedback.models import Ticket
from apps.projects.models import Label, Project
from apps.quality.models import Adjudication
from tests.annotation import make
from tests.conftest import ClientOf
from tests.explore.rows import opinion, predicted, truth
from tests.explore.test_items import shown

URL = "/p/bank/items/"


def in_order(client: Client, query: dict[str, Any]) -> list[int]:
    """All pages after each other, as somebody clicks through them."""
    seen: list[int] = []
    url = f"{URL}?" + "&".join(f"{name}={value}" for name, value in query.items())
    for _page in range(20):
        page = client.get(url)
        assert page.status_code == 200, page.content[-600:]
        seen += [int(pk) for pk in re.findall(r'class="item-row[^"]*" data-item="(\d+)"', page.content.decode())]
        more = re.search(r'id="more-items".*?href="([^"]+)"', page.content.decode(), re.S)
        if not more:
            return seen
        url = more.group(1).replace("&amp;", "&")
    raise AssertionError("the pages do not end")


@pytest.fixture
def labels(project: Project) -> list[Label]:
    return list(project.labels.all())


@pytest.fixture
def pool(project: Project) -> list[Item]:
    return make.items(project, 6)


def test_filters_by_what_the_model_says(
    project: Project, pool: list[Item], labels: list[Label], bob: User, client_of: ClientOf
) -> None:
    a, b, c, *_others = pool
    predicted(project, 1, {a: (labels[0], 0.9, 0.8), b: (labels[1], 0.4, 0.1), c: (labels[0], 0.6, 0.3)})
    predicted(project, 2, {a: (labels[0], 0.95, 0.9), b: (labels[0], 0.5, 0.2)})
    client = client_of(bob)
    for query, expected in (
        ({"predicted": labels[0].pk}, {a, b}),  # without a version: the newest while none serves
        ({"version": 1, "predicted": labels[0].pk}, {a, c}),
        ({"version": 1, "sure_max": 0.6}, {b, c}),
        ({"version": 1, "sure_min": 0.5, "sure_max": 0.7}, {c}),
        ({"version": 1, "margin_max": 0.2}, {b}),
        ({"version": 1, "margin_min": 0.25}, {a, c}),
        ({"version": 2, "against": 1}, {b}),
        ({"version": 1, "predicted": labels[0].pk, "sure_max": 0.7}, {c}),
    ):
        assert shown(client.get(URL, query)) == {item.pk for item in expected}, query


def test_filters_by_what_people_say(
    project: Project, pool: list[Item], labels: list[Label], bob: User, rita: User, client_of: ClientOf
) -> None:
    a, b, c, d, e, f = pool
    labels[2].group = "money"
    labels[2].save()
    first = truth(a, labels[0], agreement=1.0)
    truth(b, labels[1], agreement=0.5)
    last = truth(c, labels[2])
    opinion(a, bob, labels[0])
    opinion(b, bob, labels[0], flagged=True)
    opinion(b, bob, labels[1], revision=2)  # the flag was taken back
    opinion(d, rita, flagged=True)
    opinion(e, rita, undecided="two at once")
    opinion(f, rita, undecided="two at once")
    opinion(f, rita, revision=2, retracted=True)
    Adjudication.objects.create(project=project, item=d, why="flagged")
    Task.objects.create(project=project, item=e, split="pool", reason="suspect", rank=1)
    Gold.objects.create(project=project, item=c, label=labels[2])
    since, until = (timezone.localdate(decided.changed_at) for decided in (first, last))  # midnight may lie between
    client = client_of(rita)
    for query, expected in (
        ({"group": "money"}, {c}),
        ({"group": "money", "truth": labels[0].pk}, set()),
        ({"annotator": bob.pk}, {a, b}),
        ({"annotator": bob.pk, "truth": labels[1].pk}, {b}),
        ({"agree_max": 0.6}, {b}),
        ({"agree_min": 0.6}, {a}),
        ({"flagged": "on"}, {d}),
        ({"undecided": "on"}, {e}),
        ({"disputed": "on"}, {b, d}),
        ({"reason": "suspect"}, {e}),
        ({"gold": "on"}, {c}),
        ({"decided_since": since, "decided_until": until}, {a, b, c}),
        ({"decided_since": until + timedelta(days=1)}, set()),
    ):
        assert shown(client.get(URL, query)) == {item.pk for item in expected}, query


def test_filters_by_where_it_comes_from(project: Project, pool: list[Item], dana: User, client_of: ClientOf) -> None:
    a, b, c, d, *rest = pool
    job = ImportJob.objects.create(project=project, filename="first.csv", state="succeeded")
    Item.objects.filter(pk=a.pk).update(source=job.pk, language="zh", meta={"channel": "app", "n": 5})
    Item.objects.filter(pk=b.pk).update(meta={"channel": "web"}, created_at=timezone.now() - timedelta(days=9))
    Item.objects.filter(pk=c.pk).update(archived_at=timezone.now())
    Ticket.objects.create(project=project, number=1, item=d)
    search.index(project)
    client, today = client_of(dana), timezone.localdate()
    live = {item.pk for item in (a, b, d, *rest)}
    for query, expected in (
        ({}, live),
        ({"archived": "only"}, {c.pk}),
        ({"archived": "with"}, live | {c.pk}),
        ({"source": job.pk}, {a.pk}),
        ({"language": "zh"}, {a.pk}),
        ({"meta": "channel = app"}, {a.pk}),
        ({"meta": "n=5"}, {a.pk}),
        ({"meta": "channel=ap"}, set()),
        ({"until": today - timedelta(days=8)}, {b.pk}),
        ({"since": today - timedelta(days=1), "until": today}, live - {b.pk}),
        ({"feedback": "on"}, {d.pk}),
    ):
        assert shown(client.get(URL, query)) == expected, query


@pytest.mark.parametrize(
    "query",
    [
        {"sure_min": "x"},
        {"sure_max": "1.5"},
        {"margin_min": "nan"},
        {"annotator": "0"},
        {"source": "99"},
        {"meta": "channel"},
        {"meta": "=app"},
        {"since": "yesterday"},
        {"sort": "password"},
        {"archived": "yes"},
        {"area": "1;0,0;1,1;2,0"},
        {"q": "%"},
    ],
)
def test_a_filter_that_does_not_fit_shows_nothing_and_says_so(
    pool: list[Item], bob: User, client_of: ClientOf, query: dict[str, str]
) -> None:
    page = client_of(bob).get(URL, query)
    assert page.status_code == 422
    assert "does not fit" in page.content.decode()
    assert 'class="item-row' not in page.content.decode()


def test_who_may_not_know_is_not_offered_the_filter(
    pool: list[Item], labels: list[Label], bob: User, rita: User, dana: User, client_of: ClientOf
) -> None:
    truth(pool[0], labels[0], how="gold")
    Gold.objects.create(project=pool[0].project, item=pool[0], label=labels[0])
    Task.objects.create(project=pool[0].project, item=pool[0], split="pool", reason="gold", rank=1, state="gold")
    everything = {item.pk for item in pool}
    assert shown(client_of(bob).get(URL, {"gold": "on", "feedback": "on"})) == everything  # unknown to them
    assert client_of(bob).get(URL, {"reason": "gold"}).status_code == 422
    for url in (URL, f"{URL}{pool[0].pk}/"):
        assert "gold item" not in client_of(bob).get(url).content.decode().lower()
        assert "gold item" in client_of(rita).get(url).content.decode().lower()
    assert client_of(dana).get(URL, {"gold": "on"}).status_code == 200
    listed = client_of(bob).get("/api/v1/projects/bank/explore/items/").json()["results"]
    assert [row["truth"]["how"] for row in listed if row["truth"]] == ["adjudicated"]


# --- orders -------------------------------------------------------------------------------------------


@pytest.fixture
def many(project: Project, labels: list[Label]) -> list[Item]:
    """More than two pages, with ties in everything that a list may be ordered by."""
    items = make.items(project, 120)
    predicted(
        project, 1, {item: (labels[0], 0.5 + (at % 7) / 20, (at % 3) / 10) for at, item in enumerate(items) if at % 10}
    )
    for at, item in enumerate(items):
        if at % 2:
            truth(item, labels[0], agreement=(at % 4) / 4)
    return items


@pytest.mark.parametrize("query", [{}, {"since": "2020-01-01"}])
@pytest.mark.parametrize("sort", ["", "oldest", "unsure", "margin", "agreement"])
def test_pages_of_every_order_follow_each_other_without_gaps_and_repeats(
    project: Project, many: list[Item], bob: User, client_of: ClientOf, sort: str, query: dict[str, str]
) -> None:
    places = {item.pk: at for at, item in enumerate(many)}
    keys: dict[str, Any] = {
        "": lambda pk: (-places[pk],),
        "oldest": lambda pk: (places[pk],),
        "unsure": lambda pk: ((places[pk] % 7), places[pk]),
        "margin": lambda pk: ((places[pk] % 3), places[pk]),
        "agreement": lambda pk: ((places[pk] % 4), places[pk]),
    }
    has = {"unsure": lambda at: at % 10, "margin": lambda at: at % 10, "agreement": lambda at: at % 2}
    expected = sorted((pk for pk, at in places.items() if has.get(sort, lambda _at: True)(at)), key=keys[sort])
    assert in_order(client_of(bob), query | ({"sort": sort} if sort else {})) == expected


def test_a_mark_of_another_order_or_of_nobodys_is_refused(
    project: Project, many: list[Item], bob: User, client_of: ClientOf
) -> None:
    client = client_of(bob)

    def mark(*parts: Any) -> str:
        return urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")

    for sort, after in (
        *(("unsure", mark(5)), ("unsure", mark(5, "x")), ("unsure", mark(5, None)), ("unsure", mark(5, 0.1, 0.2))),
        *(("", mark(5, 0.1)), ("", mark(-1)), ("", mark(2**63)), ("", mark("5")), ("", mark(True)), ("", "!!!")),
        *(("", mark({"a": 1})), ("oldest", urlsafe_b64encode(b"5").decode())),
    ):
        assert client.get(URL, {"sort": sort, "after": after}).status_code == 422, (sort, after)


# --- hold-out items stay blind ------------------------------------------------------------------------


@pytest.fixture
def held(project: Project, labels: list[Label], pool: list[Item]) -> Item:
    """A hold-out item that two versions answer differently, and with confidence of their own."""
    (item,) = make.items(project, 1, split="holdout")
    search.index(project)
    predicted(project, 1, {item: (labels[2], 0.111, 0.011), pool[0]: (labels[2], 0.5, 0.2)})
    predicted(project, 2, {item: (labels[1], 0.222, 0.022), pool[0]: (labels[1], 0.6, 0.3)})
    return item


ASKING_THE_MODEL: list[dict[str, Any]] = [
    {"version": 1, "predicted": 2},
    {"version": 2, "predicted": 1},
    {"sure_min": 0.1, "sure_max": 0.3},
    {"sure_min": 0},
    {"sure_max": 1},
    {"margin_max": 0.1},
    {"margin_min": 0},
    {"version": 2, "against": 1},
    {"sort": "unsure"},
    {"sort": "margin"},
    {"sort": "unsure", "split": "holdout"},
    {"sort": "margin", "truth": "none"},
    {"sort": "unsure", "since": "2020-01-01"},
    {"sort": "unsure", "after": urlsafe_b64encode(b"[1, 0.0]").decode()},
]


@pytest.mark.parametrize("query", ASKING_THE_MODEL)
def test_no_filter_and_no_order_tells_what_a_model_thinks_of_an_unlabelled_holdout_item(
    project: Project, held: Item, labels: list[Label], alice: User, client_of: ClientOf, query: dict[str, Any]
) -> None:
    if "predicted" in query:
        query = query | {"predicted": labels[query["predicted"]].pk}
    client = client_of(alice)
    assert held.pk not in shown(client.get(URL, query))
    listed = client.get("/api/v1/projects/bank/explore/items/", query).json()["results"]
    assert held.pk not in {row["id"] for row in listed}
    # nor does an act on all that match reach it, nor the number of those that match
    counted = client.get(f"{URL}amount/", query).content.decode()
    found = re.search(r"\d+", counted)
    assert found is not None
    assert int(found[0]) == len(listed) or "after" in query
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    page = client.post(f"{URL}bulk/", {"everything": "on", "query": asked})
    assert f"{URL}{held.pk}/" not in page.content.decode()
    # with its truth it is open to see like any other
    truth(held, labels[0])
    if query.get("truth") != "none":
        assert held.pk in shown(client.get(URL, query))


def test_what_stands_beside_an_unlabelled_holdout_item_tells_nothing(
    project: Project, held: Item, labels: list[Label], alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    for query in ({}, {"version": 1}, {"split": "holdout", "version": 2}, {"sort": "oldest"}):
        page = client.get(URL, query).content.decode()
        row = re.search(rf'data-item="{held.pk}".*?</li>', page, re.S)
        assert row is not None
        assert "predicted" not in row[0]
        assert not re.search(r"0\.(11|22)", row[0])
    rows = client.get("/api/v1/projects/bank/explore/items/").json()["results"]
    assert {row["id"]: row["predicted"] for row in rows}[held.pk] is None
    page = client.get(f"{URL}{held.pk}/").content.decode()
    assert "Hidden until people have labelled it" in page
    assert not re.search(r"0\.(11|22)", page.partition("<main")[2])


def test_the_page_says_when_search_does_not_know_everything_yet(
    project: Project, pool: list[Item], bob: User, client_of: ClientOf
) -> None:
    client = client_of(bob)
    assert "6 items are not indexed" in client.get(URL, {"q": "question"}).content.decode()
    search.index(project)
    assert "not indexed" not in client.get(URL, {"q": "question"}).content.decode()


def test_the_api_takes_the_same_filters_and_pages(
    project: Project, many: list[Item], labels: list[Label], bob: User, charlie: User, client_of: ClientOf
) -> None:
    client, url = client_of(bob), "/api/v1/projects/bank/explore/items/"
    first = client.get(url, {"sort": "unsure", "limit": 7, "sure_min": 0.6}).json()
    confidences = [row["predicted"]["confidence"] for row in first["results"]]
    assert confidences == sorted(confidences)
    assert min(confidences) >= 0.6
    second = client.get(url, {"sort": "unsure", "limit": 7, "sure_min": 0.6, "after": first["next"]}).json()
    assert not {row["id"] for row in first["results"]} & {row["id"] for row in second["results"]}
    assert client.get(url, {"truth": "nobody"}).status_code == 422
    assert client_of(charlie).get(url).status_code == 404
