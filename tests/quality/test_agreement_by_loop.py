"""The figures of the agreement page beside plain loops over the definition: whole, per label, per pair, over time, by why
people were asked, and per person."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation import opinion_table
from apps.annotation.models import Task
from apps.projects.models import Label, Project
from apps.quality.agreement_figures import figures
from tests.annotation import make
from tests.quality.said import opinion

Said = Mapping[int, Mapping[int, int]]  # item, person, label


@pytest.fixture
def labels(project: Project) -> list[Label]:
    return list(project.labels.order_by("pk"))


def alpha(said: Said) -> float | None:
    """Krippendorff (2011), nominal: pairs of answers to one item against pairs of any two answers."""
    units = [list(of.values()) for of in said.values() if len(of) >= 2]
    every = [label for unit in units for label in unit]
    observed = sum(sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units) / len(every)
    expected = sum(a != b for a, b in permutations(every, 2)) / (len(every) * (len(every) - 1))
    return 1 - observed / expected if expected else None


def test_every_figure_is_what_a_loop_gives(project: Project, labels: list[Label]) -> None:
    dice = np.random.default_rng(11)
    items, people = make.items(project, 70), make.people(project, 4)
    now = timezone.now()
    said: defaultdict[int, dict[int, int]] = defaultdict(dict)
    last: dict[int, Any] = {}
    why: dict[int, str] = {}
    for at, item in enumerate(items):
        true, reason = dice.integers(3), [Task.Reason.RANDOM, Task.Reason.UNCERTAIN, Task.Reason.SUSPECT][at % 3]
        for person in people:
            if dice.random() < 0.3:
                continue  # not everybody answers everything
            code = int(true if dice.random() < 0.7 else dice.integers(3))
            when = now - timedelta(weeks=at // 20, hours=int(dice.integers(20)))
            opinion(item, person, labels[code], reason=reason, created_at=when)
            said[item.pk][person.pk] = labels[code].pk
            last[item.pk] = max(when, last.get(item.pk, when))
            why[item.pk] = reason
    truths = {item.pk: labels[at % 3].pk for at, item in enumerate(items) if at % 5}

    found = figures(opinion_table.table(project), truths)

    shared = {item: of for item, of in said.items() if len(of) >= 2}
    assert 10 < len(shared) < len(said)
    assert found.headline.value == pytest.approx(alpha(said))
    assert (found.headline.items, found.headline.answers) == (len(shared), sum(map(len, shared.values())))
    assert found.headline.low is not None
    assert found.headline.high is not None
    assert found.headline.low < alpha(said) < found.headline.high  # type: ignore[operator]

    for row in found.per_label:
        yes = {item: {person: int(label == row.label) for person, label in of.items()} for item, of in said.items()}
        assert row.value == pytest.approx(alpha(yes))
        assert row.given == sum(label == row.label for of in shared.values() for label in of.values())
        only = figures(opinion_table.table(project), {}, row.label)
        assert only.headline.value == pytest.approx(row.value)

    assert len(found.pairs) == 6
    for pair in found.pairs:
        both = {
            item: {person: of[person] for person in (pair.a, pair.b)}
            for item, of in said.items()
            if {pair.a, pair.b} <= of.keys()
        }
        assert pair.figure.value == pytest.approx(alpha(both))
        assert pair.figure.items == len(both)
        assert pair.same == pytest.approx(sum(len(set(of.values())) == 1 for of in both.values()) / len(both))

    assert found.step == "week"
    weeks: defaultdict[Any, dict[int, Any]] = defaultdict(dict)
    for item, of in shared.items():
        day = last[item].date()
        weeks[day - timedelta(days=day.weekday())][item] = of
    assert {period.start: period.figure.value for period in found.periods} == {
        start: pytest.approx(alpha(of)) for start, of in weeks.items()
    }

    for name, reason in (("random", "random"), ("chosen", "uncertain"), ("asked", "suspect")):
        part = {item: of for item, of in said.items() if why[item] == reason}
        assert found.groups[name].value == pytest.approx(alpha(part))

    for person in found.persons:
        pairs = [(truths[i], of[person.user]) for i, of in shared.items() if i in truths and person.user in of]
        assert person.n == len(pairs)
        assert person.share == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
        assert person.low < person.share < person.high
        assert set(person.confusion) == {(*cell, n) for cell, n in Counter(pairs).items()}


Marks = Iterable[tuple[int, int, int]]  # start, end, label


def f1(one: Marks, other: Marks, *, partial: bool) -> tuple[float, int]:
    """(twice the credit, spans of both). Half for the same label on overlapping borders, each span once."""
    a, b = set(one), set(other)
    credit = 2.0 * len(a & b)
    if partial:
        left, right = sorted(a - b), sorted(b - a)
        for start, end, label in left:
            hit = next((x for x in right if x[2] == label and x[0] < end and start < x[1]), None)
            if hit is not None:
                right.remove(hit)
                credit += 2 * 0.5
    return credit, len(a) + len(b)


def test_spans_strict_and_partial_are_what_a_loop_gives(
    project: Project, labels: list[Label], bob: User, rita: User
) -> None:
    Project.objects.filter(pk=project.pk).update(task_kind="spans")
    project.refresh_from_db()
    dice = np.random.default_rng(5)
    items, people = make.items(project, 40), make.people(project, 3)
    said: defaultdict[int, dict[int, set[tuple[int, int, int]]]] = defaultdict(dict)
    for item in items:
        for person in people:
            if dice.random() < 0.25:
                continue
            marks = {
                (place, place + int(dice.integers(2, 4)), labels[int(dice.integers(2))].pk)
                for place in (0, 5)  # never near enough that one could be matched with two
                if dice.random() < 0.8
            }
            spans = [{"start": s, "end": e, "label": label, "quote": item.text[s:e]} for s, e, label in sorted(marks)]
            opinion(item, person, value={"spans": spans})
            said[item.pk][person.pk] = marks

    found = figures(opinion_table.table(project), {})

    def pooled(*, partial: bool, people: set[int] | None = None) -> float:
        credit, size = 0.0, 0
        for of in said.values():
            for a, b in combinations([of[one] for one in of if people is None or one in people], 2):
                hit, spans = f1(a, b, partial=partial)
                credit, size = credit + hit, size + spans
        return credit / size

    strict, partial = found.headline, found.others["partial"]
    assert strict.value == pytest.approx(pooled(partial=False))
    assert partial.value == pytest.approx(pooled(partial=True))
    assert strict.value < partial.value  # type: ignore[operator]
    for figure in (strict, partial):
        assert figure.low < figure.value < figure.high  # type: ignore[operator]
    for pair in found.pairs:
        assert pair.figure.value == pytest.approx(pooled(partial=False, people={pair.a, pair.b}))
