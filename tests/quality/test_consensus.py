"""Several answers become one by the project's rule; what it cannot settle waits for a reviewer."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.accounts.models import User
from apps.annotation.models import PastTruth, Resolution, Task
from apps.annotation.services.deciding import decide_by_hand
from apps.content.models import Item
from apps.learning.models import LiveHead
from apps.projects.models import Label, Project
from apps.quality.models import Adjudication
from apps.quality.services import consensus
from tests.annotation import make
from tests.bench import consensus as bench
from tests.conftest import ClientOf
from tests.learning import rows as learning_rows
from tests.quality.said import opinion, opinions, task_of
from workers.learning import quality

RNG = 5


@pytest.fixture
def labels(project: Project) -> list[Label]:
    return list(project.labels.order_by("pk"))


def _rule(project: Project, rule: str, **more: Any) -> Project:
    Project.objects.filter(pk=project.pk).update(consensus=rule, **more)
    project.refresh_from_db()
    return project


def _truth(item: Item, label: Label | None = None, how: str = "consensus", **more: Any) -> Resolution:
    return Resolution.objects.create(item=item, project=item.project, split=item.split, label=label, how=how, **more)


def _unlike_people(n: int) -> np.ndarray:
    """Two who know, three who say the first label most of the time."""
    rng = np.random.default_rng(RNG)
    truth = rng.integers(0, 3, n)
    careful = np.where(rng.random((n, 2)) < 0.95, truth[:, None], rng.integers(0, 3, (n, 2)))
    careless = np.where(rng.random((n, 3)) < 0.25, truth[:, None], 0)
    return np.column_stack([careful, careless])


def _answers(
    project: Project, items: Sequence[Item], people: Sequence[User], codes: np.ndarray, labels: list[Label]
) -> None:
    opinions(project, items, people, [[labels[code] for code in row] for row in codes])


def test_dawid_skene_overrules_the_majority_where_it_knows_people_better(project: Project, labels: list[Label]) -> None:
    _rule(project, "dawid_skene")
    items, people = make.items(project, 60), make.people(project, 5)
    codes = _unlike_people(60)
    _answers(project, items, people, codes, labels)
    most = quality.majority(codes.astype(float), n_classes=3)
    for item, code in zip(items, most.labels, strict=True):
        _truth(item, labels[code])
    expected = quality.dawid_skene(codes.astype(float), n_classes=3)

    done = consensus.settle(project)

    stored = [Resolution.objects.get(item=item) for item in items]
    sure = expected.quality >= project.adjudicate_below
    assert [truth.label_id for truth, yes in zip(stored, sure, strict=True) if yes] == [
        labels[code].pk for code, yes in zip(expected.labels, sure, strict=True) if yes
    ]
    assert done.changed == int(((expected.labels != most.labels) & sure).sum()) > 0
    assert stored[0].certainty == pytest.approx(expected.quality[0], abs=1e-4)
    assert PastTruth.objects.count() == done.changed
    assert consensus.settle(project).changed == 0


def test_what_a_reviewer_or_gold_said_and_single_answers_stand(
    project: Project, rita: User, labels: list[Label]
) -> None:
    _rule(project, "dawid_skene")
    items, people = make.items(project, 30), make.people(project, 3)
    opinions(project, items, people, [[labels[0]] * 3] * 30)
    decide_by_hand(project, items[0], rita, label=labels[1])
    _truth(items[1], labels[1], how="gold")
    _truth(items[2], labels[1], how="single")

    consensus.settle(project)

    assert [Resolution.objects.get(item=item).label for item in items[:3]] == [labels[1]] * 3
    assert Resolution.objects.get(item=items[3]).label == labels[0]


def test_a_text_that_is_answered_meanwhile_is_left_to_the_next_round(
    project: Project, labels: list[Label], monkeypatch: pytest.MonkeyPatch
) -> None:
    _rule(project, "dawid_skene")
    items, people = make.items(project, 25), make.people(project, 3)
    opinions(project, items, people, [[labels[0]] * 3] * 25)
    stale = _truth(items[0], labels[1])
    reads = consensus.ruling.write

    def meanwhile(*args: Any, **kwargs: Any) -> int:
        opinion(items[0], people[0], labels[1], revision=2)
        return reads(*args, **kwargs)

    monkeypatch.setattr(consensus.ruling, "write", meanwhile)
    consensus.settle(project)
    assert Resolution.objects.get(pk=stale.pk).label == labels[1]


def test_an_item_somebody_still_works_on_is_not_settled(project: Project, labels: list[Label]) -> None:
    _rule(project, "dawid_skene")
    items, people = make.items(project, 25), make.people(project, 2)
    opinions(project, items, people, [[labels[0]] * 2] * 25)
    Task.objects.filter(item=items[0]).update(state=Task.State.OPEN, wanted=3, taken=2)

    consensus.settle(project)

    assert not Resolution.objects.filter(item=items[0]).exists()
    assert Resolution.objects.filter(item=items[1]).exists()


def test_few_texts_are_left_to_the_majority(project: Project, labels: list[Label]) -> None:
    _rule(project, "dawid_skene")
    items, people = make.items(project, 5), make.people(project, 3)
    opinions(project, items, people, [[labels[0]] * 3] * 5)
    assert consensus.settle(project).rule == "majority"


def test_crowdlab_asks_heads_that_never_saw_the_text_and_keeps_out_of_the_hold_out(
    project: Project, labels: list[Label]
) -> None:
    _rule(project, "crowdlab")
    rng = np.random.default_rng(RNG)
    items = learning_rows.items(project, [f"text {n}" for n in range(90)], holdout_every=9)
    truth = rng.integers(0, 3, 90)
    centres = learning_rows.unit(rng.normal(size=(3, 16)).astype(np.float32))
    x = learning_rows.unit((centres[truth] + 0.05 * rng.normal(size=(90, 16))).astype(np.float32))
    learning_rows.vectors_for(items, x)
    LiveHead.objects.create(project=project, encoder_digest=learning_rows.DIGEST)
    people = make.people(project, 3)
    codes = np.where(rng.random((90, 3)) < 0.65, truth[:, None], rng.integers(0, 3, (90, 3)))
    tasks = {item.pk: task_of(item, "holdout" if item.split == "holdout" else "random") for item in items}
    for item, row in zip(items, codes, strict=True):
        for person, code in zip(people, row, strict=True):
            opinion(item, person, labels[code], reason=tasks[item.pk].reason)
    most = quality.majority(codes.astype(float), n_classes=3)

    done = consensus.settle(project)

    assert done.source == "live_head"
    found = dict(Resolution.objects.values_list("item", "label"))
    pool = [at for at, item in enumerate(items) if item.split == "pool"]
    right = np.mean([found.get(items[at].pk) == labels[truth[at]].pk for at in pool])
    assert right > (most.labels[pool] == truth[pool]).mean() + 0.05
    people_only = quality.dawid_skene(codes.astype(float), n_classes=3)
    for at in set(range(90)) - set(pool):
        if people_only.quality[at] >= project.adjudicate_below:
            assert found[items[at].pk] == labels[people_only.labels[at]].pk


def test_crowdlab_without_a_model_falls_back_on_people(project: Project, labels: list[Label]) -> None:
    _rule(project, "crowdlab")
    items, people = make.items(project, 25), make.people(project, 3)
    opinions(project, items, people, [[labels[0]] * 3] * 25)
    done = consensus.settle(project)
    assert (done.rule, done.source, done.changed) == ("crowdlab", "", 25)


def test_several_labels_are_settled_one_by_one(project: Project, labels: list[Label]) -> None:
    _rule(project, "dawid_skene", task_kind="multi")
    items, people = make.items(project, 30), make.people(project, 3)
    both, one = {"labels": [labels[0].pk, labels[1].pk]}, {"labels": [labels[0].pk]}
    opinions(project, items, people, [[both, both, one] if at % 2 else [one, one, one] for at in range(30)])

    consensus.settle(project)

    assert Resolution.objects.get(item=items[0]).value == one
    assert Resolution.objects.get(item=items[1]).value == both
    assert Resolution.objects.get(item=items[1]).agreement == pytest.approx((1 + 1 + 2 / 3) / 3, abs=1e-3)


def _waiting(project: Project) -> dict[int, str]:
    return dict(Adjudication.objects.filter(project=project, state="open").values_list("item", "why"))


def test_ties_undecided_flagged_and_unsure_texts_wait_for_a_reviewer(project: Project, labels: list[Label]) -> None:
    _rule(project, "majority", adjudicate_below=0.6)
    tie, undecided, flagged, unsure, fine = make.items(project, 5)
    people = make.people(project, 4)
    opinions(project, [tie], people[:2], [[labels[0], labels[1]]])
    opinion(undecided, people[0], undecided="too short")
    opinion(flagged, people[0], flagged=True)
    opinions(project, [unsure], people, [[labels[0], labels[0], labels[1], labels[2]]])
    opinions(project, [fine], people, [[labels[0]] * 4])
    _truth(unsure, labels[0], agreement=0.5)
    _truth(fine, labels[0], agreement=1.0)

    done = consensus.settle(project)

    assert _waiting(project) == {tie.pk: "tie", undecided.pk: "undecided", flagged.pk: "flagged", unsure.pk: "unsure"}
    assert (done.opened, consensus.settle(project).opened) == (4, 0)


def test_what_more_answers_settled_waits_no_longer(project: Project, rita: User, labels: list[Label]) -> None:
    (item,), people = make.items(project, 1), make.people(project, 2)
    opinions(project, [item], people, [[labels[0], labels[1]]])
    consensus.settle(project)
    assert item.pk in _waiting(project)
    _truth(item, labels[0], agreement=1.0)
    assert consensus.settle(project).settled == 1
    assert not _waiting(project)


def test_a_project_with_nothing_new_is_not_looked_at_again(
    project: Project, labels: list[Label], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consensus, "PAUSE", 0)
    (item,), people = make.items(project, 1), make.people(project, 2)
    opinions(project, [item], people, [[labels[0], labels[1]]])
    looked: list[int] = []
    real = consensus.settle
    monkeypatch.setattr(consensus, "settle", lambda one: (looked.append(one.pk), real(one))[1])
    consensus.settle_due()
    consensus.settle_due()
    assert looked == [project.pk]
    opinion(item, people[0], labels[1], revision=2)
    consensus.settle_due()
    assert looked == [project.pk] * 2


SNIPPETS = Path(__file__).parents[3] / "shared" / "data" / "amazon_snippets_20_raters.jsonl"


@pytest.mark.skipif(not SNIPPETS.exists(), reason="the shared data are not here")
def test_three_of_twenty_raters_come_at_least_as_near_to_all_twenty_as_by_majority(
    project: Project, rita: User, labels: list[Label], client_of: ClientOf
) -> None:
    """Through the pages and services; the live head of this test knows the words alone. The bench `consensus` draws many
    times, with the real one."""
    _rule(project, "crowdlab")
    texts, said = bench.polarity(SNIPPETS, 700)
    everybody, settled = bench.reference(said)
    few = said[:, np.random.default_rng(8).choice(20, 3, replace=False)].astype(int)
    items = learning_rows.items(project, [f"{at} {text}" for at, text in enumerate(texts)])
    learning_rows.vectors_for(items, _words(texts))
    LiveHead.objects.create(project=project, encoder_digest=learning_rows.DIGEST)
    _answers(project, items, make.people(project, 3), few, labels)
    first = quality.majority(few.astype(float), n_classes=3)
    for item, code, tied in zip(items, first.labels, first.tied, strict=True):
        if not tied:
            _truth(item, labels[code])

    page = client_of(rita).get(f"/p/{project.slug}/agreement/")
    assert page.context["figures"].headline.value == pytest.approx(
        quality.krippendorff_alpha(few.astype(float), n_classes=3).value, abs=1e-12
    )
    for rule in ("dawid_skene", "crowdlab"):
        _rule(project, rule)
        done = consensus.settle(project)
        assert done.source == ("live_head" if rule == "crowdlab" else "")
        truth = dict(Resolution.objects.values_list("item", "label"))
        right = np.array([truth.get(item.pk) == labels[code].pk for item, code in zip(items, everybody, strict=True)])
        assert right[settled].mean() >= (first.labels == everybody)[settled].mean()


def _words(texts: list[str]) -> np.ndarray:
    """A bag of hashed words on the unit sphere: an encoder for tests."""
    out = np.zeros((len(texts), 256), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().split():
            out[row, int(hashlib.sha256(word.encode()).hexdigest()[:8], 16) % 256] += 1
    return learning_rows.unit(out + 1e-6)
