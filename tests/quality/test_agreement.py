"""The page of agreement: its figures are the library's, it says what they mean, and many answers go to a worker."""

import json
from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation import opinion_table
from apps.annotation.models import Annotation, Resolution, Task
from apps.projects.models import Label, Project
from apps.quality import agreement_store, anchoring
from apps.quality.agreement_figures import figures
from apps.quality.agreement_store import Wanted
from tests.annotation import make
from tests.conftest import ClientOf
from tests.quality.said import opinion, opinions
from workers.learning import quality
from workers.learning.types import Span


@pytest.fixture
def labels(project: Project) -> list[Label]:
    return list(project.labels.order_by("pk"))


def _noisy(n: int, m: int, k: int, *, share: float = 0.8) -> np.ndarray:
    rng = np.random.default_rng(7)
    truth = rng.integers(0, k, n)
    return np.where(rng.random((n, m)) < share, truth[:, None], rng.integers(0, k, (n, m)))


def test_the_pages_alpha_is_the_librarys(
    project: Project, rita: User, labels: list[Label], client_of: ClientOf
) -> None:
    items, people = make.items(project, 40), make.people(project, 3)
    said = _noisy(40, 3, 3)
    opinions(project, items, people, [[labels[code] for code in row] for row in said])
    expected = quality.krippendorff_alpha(said.astype(float), n_classes=3)

    page = client_of(rita).get(f"/p/{project.slug}/agreement/")
    api = client_of(rita).get(f"/api/v1/projects/{project.slug}/agreement/").json()

    assert page.context["figures"].headline.value == pytest.approx(expected.value, abs=1e-12)
    assert api["headline"]["value"] == pytest.approx(expected.value, abs=1e-12)
    assert (api["headline"]["items"], api["headline"]["answers"]) == (40, 120)
    assert [row["value"] for row in api["per_label"]] == sorted(v for v in expected.per_class if v is not None)
    pair = next(p for p in api["pairs"] if {p["a"], p["b"]} == {people[0].pk, people[1].pk})
    assert pair["figure"]["value"] == pytest.approx(quality.krippendorff_alpha(said[:, :2].astype(float)).value)
    assert pair["same"] == pytest.approx((said[:, 0] == said[:, 1]).mean())


def test_one_label_is_measured_against_all_others(project: Project, labels: list[Label]) -> None:
    items, people = make.items(project, 30), make.people(project, 3)
    said = _noisy(30, 3, 3)
    opinions(project, items, people, [[labels[code] for code in row] for row in said])

    found = figures(opinion_table.table(project), {}, labels[1].pk)

    assert found.headline.value == pytest.approx(quality.krippendorff_alpha((said == 1).astype(float)).value)


def test_several_labels_count_one_by_one(project: Project, labels: list[Label]) -> None:
    Project.objects.filter(pk=project.pk).update(task_kind="multi")
    project.refresh_from_db()
    items, people = make.items(project, 30), make.people(project, 2)
    given = np.random.default_rng(3).random((30, 2, 3)) < 0.5
    given[:, 1, :2] = given[:, 0, :2]  # they agree on the first two labels
    rows = [
        [{"labels": [label.pk for label, yes in zip(labels, person, strict=True) if yes]} for person in item]
        for item in given
    ]
    opinions(project, items, people, rows)

    found = figures(opinion_table.table(project), {})

    each = [quality.krippendorff_alpha(given[:, :, at].astype(float)).value for at in range(3)]
    assert found.headline.value == pytest.approx(np.mean(each))
    assert found.per_label[0].label == labels[2].pk
    assert found.others["whole"].value < found.headline.value


def test_spans_have_a_strict_and_a_partial_figure(project: Project, labels: list[Label]) -> None:
    Project.objects.filter(pk=project.pk).update(task_kind="spans")
    project.refresh_from_db()
    items, people = make.items(project, 2), make.people(project, 2)
    one = {"spans": [{"start": 0, "end": 8, "label": labels[0].pk, "quote": "question"}]}
    wider = {"spans": [{"start": 0, "end": 10, "label": labels[0].pk, "quote": "question 0"}]}
    opinions(project, items, people, [[one, one], [one, wider]])

    found = figures(opinion_table.table(project), {item.pk: one for item in items})

    strict = quality.span_f1([[(Span(0, 8, 0),)] * 2, [(Span(0, 8, 0),), (Span(0, 10, 0),)]], n_classes=1)
    assert found.headline.value == pytest.approx(strict.value) == 0.5
    assert found.others["partial"].value == pytest.approx(0.75)
    assert [person.share for person in found.persons] == [0.5, 1.0]


def test_random_items_and_chosen_ones_stand_apart_with_a_reason(
    project: Project, rita: User, labels: list[Label], client_of: ClientOf
) -> None:
    items, people = make.items(project, 120), make.people(project, 2)
    rng = np.random.default_rng(1)
    for at, item in enumerate(items):
        chosen = at >= 60
        first = int(rng.integers(3))
        second = first if rng.random() < (0.4 if chosen else 0.97) else int(rng.integers(3))
        for person, code in zip(people, (first, second), strict=True):
            opinion(item, person, labels[code], reason=Task.Reason.UNCERTAIN if chosen else Task.Reason.RANDOM)

    page = client_of(rita).get(f"/p/{project.slug}/agreement/")

    groups = page.context["figures"].groups
    assert groups["random"].value > groups["chosen"].value
    assert "unsure of" in page.context["apart"]
    assert page.context["apart"] in page.content.decode().replace("&#x27;", "'")


def test_everybody_is_held_against_the_consensus(project: Project, labels: list[Label]) -> None:
    items, people = make.items(project, 10), make.people(project, 3)
    opinions(project, items, people, [[labels[0], labels[0], labels[at % 2]] for at in range(10)])
    for item in items:
        Resolution.objects.create(item=item, project=project, split=item.split, label=labels[0], how="consensus")

    found = figures(opinion_table.table(project), {item.pk: labels[0].pk for item in items})

    worst = found.persons[0]
    assert (worst.user, worst.n, worst.share) == (people[2].pk, 10, 0.5)
    assert set(worst.confusion) == {(labels[0].pk, labels[0].pk, 5), (labels[0].pk, labels[1].pk, 5)}


def test_the_weeks_make_a_line_with_its_table(
    project: Project, rita: User, labels: list[Label], client_of: ClientOf
) -> None:
    items, people = make.items(project, 24), make.people(project, 2)
    for at, item in enumerate(items):
        for person in people:
            opinion(item, person, labels[at % 3], created_at=timezone.now() - timedelta(weeks=at // 6))

    page = client_of(rita).get(f"/p/{project.slug}/agreement/")
    recent = client_of(rita).get(f"/p/{project.slug}/agreement/", {"weeks": "4", "label": labels[0].pk})

    assert len(page.context["figures"].periods) >= 4
    assert b'class="trend"' in page.content
    assert b"As a table" in page.content
    assert recent.context["figures"].headline.items <= 24
    assert labels[0].name in recent.content.decode()


def test_many_answers_are_left_to_a_worker_and_the_page_waits(
    project: Project, rita: User, labels: list[Label], client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(agreement_store.AT_ONCE, Project.TaskKind.SINGLE, 10)
    items, people = make.items(project, 10), make.people(project, 2)
    opinions(project, items, people, [[labels[0], labels[at % 2]] for at in range(10)])

    waiting = client_of(rita).get(f"/p/{project.slug}/agreement/")
    assert waiting.context["found"].pending
    assert b"a worker computes" in waiting.content
    agreement_store.reckon_waiting(project)
    ready = client_of(rita).get(f"/p/{project.slug}/agreement/")

    assert not ready.context["found"].pending
    assert ready.context["figures"].headline.items == 10


def test_kept_figures_go_when_an_answer_or_a_truth_comes(project: Project, labels: list[Label]) -> None:
    items, people = make.items(project, 4), make.people(project, 2)
    opinions(project, items[:3], people, [[labels[0], labels[1]]] * 3)
    assert agreement_store.look(project, Wanted()).figures.headline.items == 3
    opinions(project, items[3:], people, [[labels[0], labels[0]]])
    assert agreement_store.look(project, Wanted()).figures.headline.items == 4
    Resolution.objects.create(item=items[3], project=project, split="pool", label=labels[0], how="consensus")
    assert agreement_store.look(project, Wanted()).figures.persons[0].n == 1


def test_a_project_without_double_answers_says_what_to_do(project: Project, rita: User, client_of: ClientOf) -> None:
    page = client_of(rita).get(f"/p/{project.slug}/agreement/")
    assert "Nothing to compare yet" in page.content.decode()


def _suggested(project: Project, person: User, labels: list[Label], *, same: int, n: int, hidden: bool) -> None:
    suggestion = {"head": 1, "labels": [labels[0].pk, labels[1].pk], "probabilities": [0.8, 0.2]}
    for at, item in enumerate(make.items(project, n)):
        Annotation.objects.create(
            project=project,
            item=item,
            annotator=person,
            key=uuid4(),
            label=labels[0] if at < same else labels[1],
            outcome="scratch" if hidden else "accepted" if at < same else "corrected",
            **{"hidden" if hidden else "shown": suggestion},
        )


def test_seeing_a_suggestion_pulls_when_the_interval_says_so(
    project: Project, bob: User, rita: User, labels: list[Label], client_of: ClientOf
) -> None:
    _suggested(project, bob, labels, same=40, n=80, hidden=True)
    _suggested(project, bob, labels, same=72, n=80, hidden=False)

    found = anchoring.measured(project)
    page = client_of(rita).get(f"/p/{project.slug}/agreement/").content.decode()
    api = client_of(rita).get(f"/api/v1/projects/{project.slug}/anchoring/").json()

    assert found is not None
    assert found.pulls
    assert found.difference == pytest.approx(0.4)
    assert found.interval[0] < 0.4 < found.interval[1]
    assert [(band.low, band.shown.n, band.hidden.n) for band in found.bands if band.shown.n] == [(0.7, 80, 80)]
    assert "pulled towards the model" in page
    assert api["difference"] == pytest.approx(0.4)
    assert api["hidden"]["n"] == 80


def test_equal_shares_show_no_pull(project: Project, bob: User, labels: list[Label]) -> None:
    _suggested(project, bob, labels, same=30, n=40, hidden=True)
    _suggested(project, bob, labels, same=31, n=40, hidden=False)
    found = anchoring.measured(project)
    assert found is not None
    assert found.enough
    assert not found.pulls


def test_hidden_sets_of_labels_are_held_against_the_thresholds() -> None:
    value, sure = anchoring.suggested_value(
        {"labels": [1, 2, 3], "probabilities": [0.9, 0.45, 0.1], "thresholds": [0.5, 0.4, 0.5]}
    )
    assert value == {"labels": [1, 2]}
    assert sure == pytest.approx(0.55)
    assert json.dumps(value)
