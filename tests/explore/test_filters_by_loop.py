"""Every filter and every order of the explorer beside a loop over all items: same rows, same order, page by page."""

import itertools
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Resolution
from apps.content.models import Item
from apps.explore import list_queries
from apps.explore.list_forms import ItemFilter
from apps.projects.access import Capability
from apps.projects.models import Project
from tests.annotation import make
from tests.conftest import ClientOf
from tests.explore.rows import truth
from tests.explore.world import Facts, World

URL = "/api/v1/projects/bank/explore/items/"
Kept = Callable[[Facts], bool]


@pytest.fixture(params=["single", "multi", "spans"])
def world(project: Project, bob: User, rita: User, alice: User, request: pytest.FixtureRequest) -> World:
    project.task_kind = request.param
    project.save()
    made = World(project, [bob, rita])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # else plans rest on what earlier tests rolled back, and three joins take seconds
    return made


@pytest.fixture
def lead(alice: User, client_of: ClientOf) -> Client:
    """Sees every filter."""
    return client_of(alice)


def filters(world: World) -> dict[str, tuple[dict[str, Any], Kept]]:
    """The address's part, and the same in Python."""
    first, second, third = (label.pk for label in world.labels)
    bob, rita = (person.pk for person in world.people)
    today = timezone.localdate(world.now)
    days = [today - timedelta(days=back) for back in (5, 3)]
    phrase = " ".join(next(f for f in world.facts if not f.archived and f.text.isascii()).text.split()[:2])

    def model(number: int, test: Callable[[Any], bool]) -> Kept:
        return lambda f: f.open_to_see and number in f.said and test(f.said[number])

    def changed(new: int, old: int) -> Kept:
        return lambda f: f.open_to_see and new in f.said and old in f.said and f.said[new][1] != f.said[old][1]

    return {
        "text": ({"q": "card"}, lambda f: any(word.startswith("card") for word in f.text.split())),
        "two characters": ({"q": "银行"}, lambda f: "银行" in f.text),
        "the other way round": ({"q": "行银"}, lambda f: "行银" in f.text),
        "phrase": ({"q": f'"{phrase}"'}, lambda f: phrase in f.text),
        "labelled": ({"truth": "some"}, lambda f: f.labels is not None),
        "not labelled": ({"truth": "none"}, lambda f: f.labels is None),
        "label": ({"truth": first}, lambda f: first in (f.labels or ())),
        "another label": ({"truth": second}, lambda f: second in (f.labels or ())),
        "group": ({"group": "money"}, lambda f: third in (f.labels or ())),
        "predicted": ({"predicted": first, "version": 1}, model(1, lambda said: first in said[0])),
        "predicted now": ({"predicted": first}, model(2, lambda said: first in said[0])),
        "sure": ({"sure_min": 0.7}, model(2, lambda said: said[2] >= 0.7)),
        "unsure": ({"sure_max": 0.3, "version": 1}, model(1, lambda said: said[2] <= 0.3)),
        "between": ({"sure_min": 0.4, "sure_max": 0.6}, model(2, lambda said: 0.4 <= said[2] <= 0.6)),
        "margin": ({"margin_max": 0.2}, model(2, lambda said: said[3] <= 0.2)),
        "wide margin": ({"margin_min": 0.8, "version": 1}, model(1, lambda said: said[3] >= 0.8)),
        "changed": ({"version": 2, "against": 1}, changed(2, 1)),
        "reason": ({"reason": "suspect"}, lambda f: "suspect" in f.reasons),
        "another reason": ({"reason": "random"}, lambda f: "random" in f.reasons),
        "annotator": ({"annotator": bob}, lambda f: bob in f.spoke),
        "another annotator": ({"annotator": rita}, lambda f: rita in f.spoke),
        "came since": ({"since": days[1]}, lambda f: f.came >= days[1]),
        "came until": ({"until": days[0]}, lambda f: f.came <= days[0]),
        "came between": ({"since": days[0], "until": days[1]}, lambda f: days[0] <= f.came <= days[1]),
        "decided since": ({"decided_since": days[1]}, lambda f: f.decided is not None and f.decided >= days[1]),
        "decided until": ({"decided_until": days[0]}, lambda f: f.decided is not None and f.decided <= days[0]),
        "import": ({"source": world.jobs[0].pk}, lambda f: f.source == world.jobs[0].pk),
        "language": ({"language": "zh"}, lambda f: f.language == "zh"),
        "metadata": ({"meta": "channel = app"}, lambda f: f.meta.get("channel") == "app"),
        "a number of the metadata": ({"meta": "n=5"}, lambda f: f.meta.get("n") == 5),
        "agreement": ({"agree_min": 0.75}, lambda f: f.agreement is not None and f.agreement >= 0.75),
        "little agreement": ({"agree_max": 0.75}, lambda f: f.agreement is not None and f.agreement <= 0.75),
        "flagged": ({"flagged": "on"}, lambda f: f.flagged),
        "undecided": ({"undecided": "on"}, lambda f: f.undecided),
        "disputed": ({"disputed": "on"}, lambda f: f.waits or (f.agreement or 1) < 1),
        "gold": ({"gold": "on"}, lambda f: f.gold),
        "feedback": ({"feedback": "on"}, lambda f: f.feedback),
        "held out": ({"split": "holdout"}, lambda f: f.split == "holdout"),
        "pool": ({"split": "pool"}, lambda f: f.split == "pool"),
    }


def form_of(world: World, query: dict[str, Any]) -> ItemFilter:
    """As a lead fills it in, who sees every filter."""
    form = ItemFilter(world.project, frozenset(Capability), QueryDict(urlencode(query)))
    assert form.is_valid(), form.errors
    return form


def listed(world: World, query: dict[str, Any]) -> list[int]:
    """All pages, one after the other."""
    listing = form_of(world, query).listing
    found: list[int] = []
    after: str | None = None
    while after != "":
        page = list_queries.page(world.project, listing, after or "", limit=31)
        found += [item.pk for item in page.rows]
        after = page.next
    return found


def test_every_filter_gives_the_rows_of_a_loop_and_no_two_the_same(world: World) -> None:
    every, rows = filters(world), {}
    for name, (query, keeps) in every.items():
        expected = [fact.item for fact in reversed(world.facts) if keeps(fact) and not fact.archived]
        assert sorted(listed(world, query), reverse=True) == expected, name
        amount = list_queries.amount(world.project, form_of(world, query).listing)
        assert (amount.n, amount.about) == (len(expected), False), name
        rows[name] = frozenset(expected)
    live = sum(not fact.archived for fact in world.facts)
    assert {name for name, found in rows.items() if not 0 < len(found) < live} == set()
    alike = [(a, b) for a, b in itertools.combinations(rows, 2) if rows[a] == rows[b]]
    assert alike == []


def test_archived_items_are_left_out_shown_too_or_shown_alone(world: World) -> None:
    every = {fact.item for fact in world.facts}
    archived = {fact.item for fact in world.facts if fact.archived}
    assert archived
    for given, expected in (("", every - archived), ("with", every), ("only", archived)):
        assert set(listed(world, {"archived": given})) == expected


OF_THE_MODEL = {
    *("predicted", "predicted now", "sure", "unsure", "between", "margin", "wide margin", "changed"),
}
ORDERS: dict[str, Callable[[Facts], Any]] = {
    "": lambda f: -f.item,
    "oldest": lambda f: f.item,
    "unsure": lambda f: (f.said[2][2], f.item) if 2 in f.said and f.open_to_see else None,
    "margin": lambda f: (f.said[2][3], f.item) if 2 in f.said and f.open_to_see else None,
    "agreement": lambda f: None if f.agreement is None else (f.agreement, f.item),
}
BY_DAY: dict[str, Callable[[Facts], Any]] = {
    "": lambda f: (-f.came.toordinal(), -f.item),
    "oldest": lambda f: (f.came, f.item),
}


def test_any_two_or_three_filters_in_any_order_give_what_the_loop_gives(world: World) -> None:
    dice = random.Random(4)
    every, found_some = filters(world), 0
    for _round in range(60):
        names = dice.sample(sorted(every), dice.choice([2, 2, 3]))
        queries, tests = zip(*(every[name] for name in names), strict=True)
        if sum(map(len, queries)) > len(set().union(*queries)):
            continue  # two that want the same field to be two things
        query = {key: value for one in queries for key, value in one.items()}
        if sum(name in OF_THE_MODEL for name in names) > 1:
            continue  # all of them mean the version that one of them names
        sort = dice.choice(list(ORDERS))
        if "version" in query and sort in {"unsure", "margin"}:
            continue
        key = (BY_DAY if {"since", "until"} & query.keys() else {}).get(sort, ORDERS[sort])
        kept = [f for f in world.facts if not f.archived and all(test(f) for test in tests) and key(f) is not None]
        expected = [fact.item for fact in sorted(kept, key=key)]
        assert listed(world, query | ({"sort": sort} if sort else {})) == expected, (names, sort)
        found_some += bool(expected)
    assert found_some > 10


# --- rows that change between two pages ---------------------------------------------------------------


def pages(client: Client, query: dict[str, Any], between: Callable[[], None]) -> tuple[list[int], list[int]]:
    """The first page, and everything after it; `between` happens in the meantime."""
    first = client.get(URL, query | {"limit": 10}).json()
    between()
    rest: list[int] = []
    after = first["next"]
    while after is not None:
        page = client.get(URL, query | {"limit": 10, "after": after}).json()
        rest += [row["id"] for row in page["results"]]
        after = page["next"]
    return [row["id"] for row in first["results"]], rest


def test_what_comes_goes_and_changes_between_two_pages_moves_no_other_row(project: Project, lead: Client) -> None:
    items = make.items(project, 40)
    label = project.labels.all()[0]
    for at, item in enumerate(items):
        truth(item, label, agreement=(at % 4) / 4)  # many ties
    ids = [item.pk for item in items]

    def newest() -> None:
        make.items(project, 3)  # before the first page
        Item.objects.filter(pk__in=[ids[-1], ids[5]]).update(archived_at=timezone.now())  # one behind, one ahead

    seen, rest = pages(lead, {}, newest)
    assert seen == ids[:-11:-1]
    assert rest == [pk for pk in reversed(ids[:-10]) if pk != ids[5]]

    def moved() -> None:
        Resolution.objects.filter(item=ids[8]).update(agreement=0.9)  # was seen, comes again further down
        Resolution.objects.filter(item=ids[2]).update(agreement=0.1)  # ahead, and comes sooner
        Resolution.objects.filter(item=ids[0]).update(agreement=None)  # seen, falls out

    order = sorted((pk for pk in ids if pk not in {ids[-1], ids[5]}), key=lambda pk: (ids.index(pk) % 4, pk))
    seen, rest = pages(lead, {"sort": "agreement"}, moved)
    assert seen == order[:10]
    assert [pk for pk in rest if pk not in {ids[8], ids[2]}] == [pk for pk in order[10:] if pk != ids[2]]
    assert rest[0] == ids[2]
    assert (rest.count(ids[8]), rest.count(ids[2])) == (1, 1)


def test_a_row_that_is_gone_leaves_the_mark_of_its_page_good(project: Project, lead: Client) -> None:
    ids = [item.pk for item in make.items(project, 30)]
    last = ids[-10]

    def gone() -> None:
        Item.objects.filter(pk=last).delete()

    seen, rest = pages(lead, {}, gone)
    assert seen[-1] == last
    assert rest == ids[-11::-1]
