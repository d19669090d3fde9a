"""Hourly counts come from rows, come out the same again, and outlive them."""

from datetime import timedelta

import pytest

from apps.projects.models import Project
from apps.serving.models import Served
from apps.trends.models import Bucket, Watch
from apps.trends.services.counting import count
from tests.trends import make

pytestmark = pytest.mark.django_db


def _counts() -> dict[tuple[str, str, int], int]:
    rows = Bucket.objects.values_list("measure", "label__name", "polarity", "n")
    return {(measure, name, polarity): n for measure, name, polarity, n in rows}


def test_rows_are_counted_by_hour_label_version_source_and_polarity(project: Project) -> None:
    of, (card, rate, _top) = make.version(project), project.labels.all()
    at = make.NOW - timedelta(days=3)
    make.served(project, of, card, at + timedelta(minutes=5), 3)
    make.served(project, of, card, at + timedelta(minutes=55), 1)
    make.served(project, of, rate, at, 2)
    make.signal(project, at, -1, 2, predicted=card, version=of)
    make.signal(project, at, 1)
    count(project)
    assert _counts() == {
        ("served", "card arrival", 0): 4,
        ("served", "exchange rate", 0): 2,
        ("signals", "card arrival", -1): 2,
        ("signals", None, 1): 1,
    }


def test_behaviour_and_what_was_set_aside_are_no_opinions(project: Project) -> None:
    make.signal(project, make.NOW, 0, kind="clicked")
    make.signal(project, make.NOW, -1, state="aside")
    count(project)
    assert not Bucket.objects.exists()


def test_counting_again_gives_the_same(project: Project) -> None:
    of, card = make.version(project), project.labels.all()[0]
    make.served(project, of, card, make.NOW - timedelta(days=2), 3)
    make.served(project, of, card, make.NOW, 2)
    for anew in (False, False, True):
        count(project, anew=anew)
        assert sorted(Bucket.objects.values_list("n", flat=True)) == [2, 3]


def test_late_rows_of_the_last_hours_are_counted_and_old_ones_when_counted_anew(project: Project) -> None:
    of, card = make.version(project), project.labels.all()[0]
    make.served(project, of, card, make.NOW - timedelta(days=9), 1)
    count(project)
    make.served(project, of, card, make.NOW - timedelta(minutes=50), 2)
    make.served(project, of, card, make.NOW - timedelta(days=5), 4)
    count(project)
    assert sorted(Bucket.objects.values_list("n", flat=True)) == [1, 2]
    count(project, anew=True)
    assert sorted(Bucket.objects.values_list("n", flat=True)) == [1, 2, 4]


def test_counts_outlive_the_rows(project: Project) -> None:
    of, card = make.version(project), project.labels.all()[0]
    old = make.NOW - timedelta(days=80)
    make.served(project, of, card, old, 5)
    make.served(project, of, card, make.NOW - timedelta(days=1), 2)
    count(project)
    Served.objects.filter(at__lt=make.NOW - timedelta(days=30)).delete()
    count(project, anew=True)
    assert sorted(Bucket.objects.values_list("n", flat=True)) == [2, 5]


def test_an_hour_that_was_forgotten_in_part_keeps_its_count(project: Project) -> None:
    of, card = make.version(project), project.labels.all()[0]
    rows = make.served(project, of, card, make.NOW - timedelta(days=30), 5)
    count(project)
    Served.objects.filter(pk__in=[row.pk for row in rows[:3]]).delete()
    count(project, anew=True)
    assert Bucket.objects.get().n == 5


def test_a_project_without_rows_is_no_trouble(project: Project) -> None:
    count(project)
    assert Watch.objects.get().counted_through is None
