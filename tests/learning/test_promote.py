import threading
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.learning.models import Repredict
from apps.learning.services import versions
from apps.projects.models import Project
from apps.registry import queries as registry
from apps.registry.models import Deployment, ModelVersion
from tests.learning.teach import add_items, make_version, predict, right_but


def test_the_first_promotion_is_recorded_with_who_why_and_verdict(project: Project, alice: User) -> None:
    version = make_version(project, 1)
    versions.promote(project, version, by=alice, why="  the first one ")
    row = Deployment.objects.get()
    assert (row.version, row.previous, row.kind, row.sequence) == (version, None, "promote", 1)
    assert (row.by, row.why, row.verdict["kind"]) == (alice, "the first one", "first")
    assert registry.live_version(project) == version


def test_a_promotion_asks_for_predictions_of_the_whole_pool(project: Project, alice: User) -> None:
    version = make_version(project, 1)
    versions.promote(project, version, by=alice)
    job = Repredict.objects.get(version=version)
    assert job.wanted_pool
    assert job.finished_at is None


def test_what_is_live_cannot_be_promoted_again(project: Project, alice: User) -> None:
    version = make_version(project, 1)
    versions.promote(project, version, by=alice)
    with pytest.raises(DomainError, match="live already"):
        versions.promote(project, version, by=alice)
    assert Deployment.objects.count() == 1


def worse_pair(project: Project, by: User) -> ModelVersion:
    labels = list(project.labels.all())
    held = add_items(project, 60, split="holdout")
    live, worse = make_version(project, 1), make_version(project, 2)
    predict(live, right_but(held, labels, 10))
    predict(worse, right_but(held, labels, 50))
    versions.promote(project, live, by=by)
    return worse


def test_a_worse_version_goes_live_only_with_a_reason(project: Project, alice: User) -> None:
    worse = worse_pair(project, alice)
    with pytest.raises(InvalidInput, match="say why") as caught:
        versions.promote(project, worse, by=alice, why="  ")
    assert caught.value.field == "why"
    assert registry.live_version(project) != worse
    versions.promote(project, worse, by=alice, why="the old one is too slow")
    row = registry.serving(project)
    assert row is not None
    assert (row.version, row.verdict["kind"], row.why) == (worse, "worse", "the old one is too slow")


def test_rolling_back_is_a_row_and_not_a_copy(project: Project, alice: User) -> None:
    first, second = make_version(project, 1), make_version(project, 2)
    versions.promote(project, first, by=alice)
    versions.promote(project, second, by=alice)
    versions.roll_back(project, first, by=alice, why="complaints")
    history = list(registry.deployments(project).values_list("sequence", "kind", "version__number", "previous__number"))
    assert history == [(3, "rollback", 1, 2), (2, "promote", 2, 1), (1, "promote", 1, None)]


def test_what_never_served_cannot_be_rolled_back_to(project: Project, alice: User) -> None:
    first, second = make_version(project, 1), make_version(project, 2)
    versions.promote(project, first, by=alice)
    with pytest.raises(DomainError, match="never live"):
        versions.roll_back(project, second, by=alice)


def test_a_decision_on_old_news_is_refused(project: Project, alice: User) -> None:
    first, second, third = (make_version(project, number) for number in (1, 2, 3))
    versions.promote(project, first, by=alice, seen=0)
    versions.promote(project, second, by=alice, seen=1)
    with pytest.raises(DomainError, match="Somebody else"):
        versions.promote(project, third, by=alice, seen=1)
    assert registry.live_version(project) == second


def race(*acts: Callable[[], object]) -> list[str]:
    """Run all at once, each on its own connection; what each said."""
    gate, said = threading.Barrier(len(acts)), [""] * len(acts)

    def run(place: int, act: Callable[[], object]) -> None:
        gate.wait()
        try:
            act()
            said[place] = "done"
        except DomainError as error:
            said[place] = str(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(said)


@pytest.mark.django_db(transaction=True)
def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(project: Project, alice: User, bob: User) -> None:
    first, second = make_version(project, 1), make_version(project, 2)
    said = race(
        lambda: versions.promote(project, first, by=alice),
        lambda: versions.promote(project, second, by=bob),
    )
    # both may also have come one after the other, then both are right
    assert "done" in said
    rows = list(Deployment.objects.order_by("sequence").values_list("sequence", flat=True))
    assert rows == list(range(1, said.count("done") + 1))
    for sentence in said:
        assert sentence == "done" or "Somebody else" in sentence


@pytest.mark.django_db(transaction=True)
def test_of_many_decisions_on_the_same_page_exactly_one_wins(project: Project, alice: User) -> None:
    first, second, third = (make_version(project, number) for number in (1, 2, 3))
    versions.promote(project, first, by=alice)
    versions.promote(project, second, by=alice)
    said = race(
        lambda: versions.promote(project, third, by=alice, seen=2),
        lambda: versions.roll_back(project, first, by=alice, seen=2),
        lambda: versions.promote(project, third, by=alice, seen=2),
        lambda: versions.roll_back(project, first, by=alice, seen=2),
    )
    assert said.count("done") == 1
    assert Deployment.objects.count() == 3


def test_two_rows_cannot_have_the_same_place_in_history(project: Project, alice: User) -> None:
    version = make_version(project, 1)
    versions.promote(project, version, by=alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        Deployment.objects.create(project=project, version=version, kind="promote", sequence=1)


def test_a_version_never_changes(project: Project) -> None:
    version = make_version(project, 1)
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        ModelVersion.objects.filter(pk=version.pk).update(label_order=[])
    with pytest.raises(IntegrityError, match="never changes"), transaction.atomic():
        ModelVersion.objects.filter(pk=version.pk).update(digest="0" * 64)
