import threading
from collections import Counter

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Prediction, Task
from apps.content.models import Item
from apps.feedback.models import FeedbackPolicy
from apps.learning.models import FlipReview, Repredict
from apps.learning.services import flip_review, versions
from apps.learning.services.flip_review import choose, quotas
from apps.projects.models import Project
from apps.registry.models import Deployment, ModelVersion
from tests.learning import kinds
from tests.learning.cases import pool
from tests.learning.teach import add_item, add_items, make_version, predict, resolve


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- choosing ------------------------------------------------------------------------------------------------
def test_every_kind_of_change_has_a_place_and_frequent_ones_have_more() -> None:
    given = quotas({"a": 900, "b": 90, "c": 1}, 20)
    assert list(given) == ["a", "b", "c"]
    assert sum(given.values()) == 20
    assert given["a"] > given["b"] > given["c"] == 1


def test_with_more_kinds_than_places_the_most_frequent_are_looked_at() -> None:
    assert quotas({"a": 5, "b": 3, "c": 9}, 2) == {"c": 1, "a": 1}


def test_no_kind_is_given_more_places_than_it_has_items() -> None:
    assert quotas({"a": 2, "b": 1}, 50) == {"a": 2, "b": 1}
    assert quotas({"a": 2}, 0) == {}
    assert quotas({}, 5) == {}


def test_the_least_sure_come_first_and_some_are_drawn_at_random() -> None:
    margins = [place / 1000 for place in range(1000)]
    chosen = choose(["a"] * 1000, margins, 100, rng())
    assert len(set(chosen)) == 100
    sure = [place for place in chosen if place >= 100]
    assert 5 <= len(sure) <= 35  # about one in five
    assert choose(["a"] * 1000, margins, 100, rng()) == chosen  # the same seed chooses the same
    assert choose([], [], 10, rng()) == []


def test_all_are_chosen_where_there_are_fewer_than_wanted() -> None:
    assert sorted(choose(["a", "b", "a", "a"], [0.1, 0.2, 0.3, 0.4], 50, rng(3))) == [0, 1, 2, 3]


# --- sending -------------------------------------------------------------------------------------------------
@pytest.fixture
def pair(project: Project, alice: User) -> tuple[ModelVersion, ModelVersion]:
    first, second = make_version(project, 1), make_version(project, 2)
    versions.promote(project, first, by=alice)
    return first, second


def promoted(
    project: Project, by: User, pair: tuple[ModelVersion, ModelVersion], changed: int, same: int
) -> list[Item]:
    """v2 in place of v1; it calls the first `changed` texts of the pool something else."""
    a, b, _c = project.labels.all()
    texts = pool(project, changed + same)
    predict(pair[0], {item.pk: a.pk for item in texts})
    predict(pair[1], {item.pk: b.pk if place < changed else a.pk for place, item in enumerate(texts)})
    versions.promote(project, pair[1], by=by)
    return texts


def all_predicted() -> None:
    Repredict.objects.update(finished_at=timezone.now())


def sent() -> list[FlipReview]:
    return [flip_review.send(pk) for pk in flip_review.due()]


def test_what_changed_is_put_to_people_once_the_whole_pool_is_predicted(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    texts = promoted(project, alice, pair, 3, 4)
    assert sent() == []  # the new version has not seen everything yet
    all_predicted()
    (review,) = sent()
    assert (review.flips, sorted(review.items)) == (3, [item.pk for item in texts[:3]])
    tasks = Task.objects.filter(reason=Task.Reason.FLIP)
    assert {task.item_id for task in tasks} == {item.pk for item in texts[:3]}
    assert sent() == []


def test_asked_again_it_stays_one_review_with_the_same_items(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    promoted(project, alice, pair, 5, 0)
    all_predicted()
    (deployment,) = flip_review.due()
    first = flip_review.send(deployment)
    tasks = list(Task.objects.order_by("pk").values_list("pk", "rank"))
    assert flip_review.send(deployment).items == first.items
    assert list(Task.objects.order_by("pk").values_list("pk", "rank")) == tasks


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_one_review(project: Project, alice: User) -> None:
    first, second = make_version(project, 1), make_version(project, 2)
    versions.promote(project, first, by=alice)
    promoted(project, alice, (first, second), 5, 0)
    all_predicted()
    (deployment,) = flip_review.due()
    gate, found = threading.Barrier(2), []

    def work() -> None:
        gate.wait()
        found.append(flip_review.send(deployment).items)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found[0] == found[1]
    assert len(found[0]) == 5
    assert Task.objects.count() == 5


def test_the_project_says_how_many_and_may_want_none(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    policy = FeedbackPolicy.objects.create(project=project, flip_review=2)
    assert flip_review.places(project) == 2
    policy.delete()
    assert flip_review.places(project) == 50
    FeedbackPolicy.objects.create(project=project, flip_review=0)
    promoted(project, alice, pair, 4, 0)
    all_predicted()
    (review,) = sent()
    assert (review.flips, review.items) == (4, [])
    assert not Task.objects.exists()


def test_each_kind_of_change_is_represented(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    FeedbackPolicy.objects.create(project=project, flip_review=6)
    a, b, c = project.labels.all()
    texts = pool(project, 30)
    predict(pair[0], {item.pk: a.pk for item in texts})
    predict(pair[1], {item.pk: b.pk if place else c.pk for place, item in enumerate(texts)})
    versions.promote(project, pair[1], by=alice)
    all_predicted()
    (review,) = sent()
    now = Counter(
        Prediction.objects.filter(version=pair[1], item__in=review.items).values_list("label__name", flat=True)
    )
    assert now == {"exchange rate": 5, "top up failed": 1}


def test_what_is_labelled_already_or_held_out_is_not_asked_again(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    a, b, _c = project.labels.all()
    labelled, held = add_item(project, "labelled"), add_items(project, 1, split="holdout")
    resolve(labelled, a)
    items = [labelled, *held, add_item(project, "open")]
    predict(pair[0], {item.pk: a.pk for item in items})
    predict(pair[1], {item.pk: b.pk for item in items})
    versions.promote(project, pair[1], by=alice)
    all_predicted()
    (review,) = sent()
    assert review.items == [items[-1].pk]


def test_a_promotion_that_was_overtaken_or_rolled_back_is_not_reviewed(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    promoted(project, alice, pair, 3, 0)
    versions.roll_back(project, pair[0], by=alice)
    all_predicted()
    assert flip_review.due() == []
    assert Deployment.objects.count() == 3


def test_a_pool_that_cannot_be_predicted_is_not_reviewed(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    promoted(project, alice, pair, 3, 0)
    all_predicted()
    Repredict.objects.filter(version=pair[1]).update(error="its files are gone")
    assert flip_review.due() == []


def test_spans_that_changed_are_reviewed_too(project: Project, alice: User) -> None:
    kinds.spans(project)
    first, second = (make_version(project, number, task="spans") for number in (1, 2))
    versions.promote(project, first, by=alice)
    label = project.labels.all()[0].pk
    items = pool(project, 3)
    for version, end in ((first, 4), (second, 5)):
        for place, item in enumerate(items):
            span = {"start": 0, "end": end if place else 4, "label": label, "score": 0.9}
            Prediction.objects.create(item=item, version=version, confidence=0.9, margin=0.5, value={"spans": [span]})
    versions.promote(project, second, by=alice)
    all_predicted()
    (review,) = sent()
    assert sorted(review.items) == [item.pk for item in items[1:]]


def test_the_page_can_say_how_far_people_have_come(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    texts = promoted(project, alice, pair, 3, 1)
    assert flip_review.latest(pair[1], pair[0]) is None
    all_predicted()
    sent()
    resolve(texts[0], project.labels.all()[0])
    found = flip_review.latest(pair[1], pair[0])
    assert found
    assert (found.sent, found.seen) == (3, 1)
