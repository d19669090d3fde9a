from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Prediction
from apps.common.errors import InvalidInput
from apps.feedback.models import FeedbackPolicy, RegressionCase
from apps.feedback.services import outcomes
from apps.learning.models import Repredict
from apps.learning.services import evaluation, repredictions, versions
from apps.projects.models import Project
from apps.registry import queries as registry
from apps.registry.models import Deployment, ModelVersion
from tests.learning import kinds
from tests.learning.cases import State, answer, case, state_of
from tests.learning.teach import add_item, add_items, make_version


@pytest.fixture
def pair(project: Project, alice: User) -> tuple[ModelVersion, ModelVersion]:
    """v1 serves, v2 waits."""
    first, second = make_version(project, 1), make_version(project, 2)
    versions.promote(project, first, by=alice)
    return first, second


def kept(row: Deployment) -> dict[str, Any]:
    """The cases of a verdict as they are stored."""
    row.refresh_from_db()
    return dict(row.verdict["cases"])


# --- who is asked ------------------------------------------------------------------------------------------
def asked(version: ModelVersion) -> set[int]:
    repredictions.want(version, pool=False)
    job = repredictions.claim(version.pk)
    assert job
    return {item for chunk in repredictions.missing(job) for item in chunk.items}


def test_every_version_is_asked_the_holdout_and_the_live_cases_and_nothing_else(project: Project) -> None:
    held = add_items(project, 1, split="holdout")
    add_items(project, 2)
    live, retired = case(project, 1), case(project, 2)
    RegressionCase.objects.filter(pk=retired.pk).update(retired_at=timezone.now())
    assert asked(make_version(project, 1)) == {item.pk for item in held} | {live.item_id}


def finished(version: ModelVersion) -> None:
    repredictions.want(version, pool=False)
    Repredict.objects.filter(version=version).update(finished_at=timezone.now())


def test_a_case_that_is_born_later_wakes_the_versions_that_do_not_know_it(project: Project) -> None:
    old = [make_version(project, number) for number in range(1, 7)]
    first = case(project, 1)
    for version in old:
        answer(version, [first])
        finished(version)
    assert repredictions.revive() == []
    born = case(project, 2)
    add_item(project, "a newer text, so that the highest id says nothing")
    woken = set(repredictions.revive())
    # a few at a time, newest first, and in the end all
    assert woken == {version.pk for version in old[-repredictions.AT_ONCE :]}
    for version in old[-repredictions.AT_ONCE :]:
        answer(version, [born])
        finished(version)
    woken |= set(repredictions.revive())
    assert woken == {version.pk for version in old}


def test_a_version_that_cannot_be_asked_is_not_woken_for_ever(project: Project) -> None:
    version = make_version(project, 1)
    case(project, 1)
    finished(version)
    Repredict.objects.update(error="its files are gone")
    assert repredictions.revive() == []


# --- results ---------------------------------------------------------------------------------------------
def test_results_say_what_was_said_how_surely_and_whether_it_was_asked(project: Project) -> None:
    version, right, wrong, unknown = make_version(project, 1), case(project, 1), case(project, 2), case(project, 3)
    answer(version, [right], [wrong])
    found = outcomes.results(version, [wrong, unknown, right])
    assert [(row.passed, row.known) for row in found] == [(False, True), (False, False), (True, True)]
    assert found[0].said == project.labels.all()[0].pk
    assert found[1].said is None
    assert found[2].confidence == pytest.approx(0.8, abs=0.01)


def value_case(project: Project, text: str, value: dict[str, Any], said: dict[str, Any]) -> bool:
    version = ModelVersion.objects.first() or make_version(project, 1, task=project.task_kind)
    item = add_item(project, text)
    row = RegressionCase.objects.create(project=project, item=item, value=value)
    Prediction.objects.create(item=item, version=version, confidence=0.9, margin=0.4, value=said)
    return outcomes.results(version, [row])[0].passed


def test_of_several_labels_all_must_be_right_in_any_order(project: Project) -> None:
    kinds.multi(project)
    a, b, _c = project.labels.values_list("pk", flat=True)
    assert value_case(project, "both", {"labels": [a, b]}, {"labels": [b, a]})
    assert not value_case(project, "one is missing", {"labels": [a, b]}, {"labels": [a]})
    assert not value_case(project, "one too many", {"labels": [a]}, {"labels": [a, b]})
    assert value_case(project, "none of them", {"labels": []}, {"labels": []})


def test_of_spans_borders_and_labels_must_be_right_but_not_scores(project: Project) -> None:
    kinds.spans(project)
    a, b, _c = project.labels.values_list("pk", flat=True)
    wanted = {"spans": [{"start": 0, "end": 4, "label": a, "quote": "card"}]}

    def said(start: int, end: int, label: int) -> dict[str, Any]:
        return {"spans": [{"start": start, "end": end, "label": label, "score": 0.7}]}

    assert value_case(project, "card one", wanted, said(0, 4, a))
    assert not value_case(project, "card two", wanted, said(0, 3, a))
    assert not value_case(project, "card three", wanted, said(0, 4, b))
    assert not value_case(project, "card four", wanted, {"spans": []})


# --- the rule --------------------------------------------------------------------------------------------
def test_the_comparison_says_what_is_fixed_broken_failing_passing_and_unasked(
    project: Project, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    live, candidate = pair
    fixed, broken, failing, passing, unasked = (case(project, number) for number in range(1, 6))
    answer(live, [broken, passing], [fixed, failing])
    answer(candidate, [fixed, passing], [broken, failing])
    found = evaluation.compare(candidate, live).cases
    assert found
    assert (found.fixed, found.broken, found.failing) == ((fixed.pk,), (broken.pk,), (failing.pk,))
    assert (found.passing, found.unasked, found.total) == ((passing.pk,), (unasked.pk,), 5)
    assert (found.pinned_broken, found.pinned_unasked, found.allowed) == (1, 1, 0)


def test_a_project_without_cases_has_none_in_its_verdict_and_asks_little(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    live, candidate = pair
    with CaptureQueriesContext(connection) as queries:
        assert outcomes.changes(candidate, live) is None
    assert len(queries) == 1
    assert versions.promote(project, candidate, by=alice).verdict["cases"] is None


def test_breaking_a_pinned_case_is_refused_in_words_and_forced_with_a_reason(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    live, candidate = pair
    broken = case(project, 7)
    answer(live, [broken])
    answer(candidate, [], [broken])
    with pytest.raises(InvalidInput) as caught:
        versions.promote(project, candidate, by=alice)
    sentence = str(caught.value)
    assert "v2 breaks 1 pinned regression case: “complaint 7: which rate is it” (ticket 7)." in sentence
    assert "allows 0" in sentence
    assert "say why" in sentence
    assert caught.value.field == "why"
    assert registry.live_version(project) == live
    row = versions.promote(project, candidate, by=alice, why="the old one is down")
    assert row.why == "the old one is down"
    assert kept(row)["broken"] == [broken.pk]
    assert kept(row)["allowed"] == 0


def test_the_project_says_how_many_may_break_and_only_pinned_ones_count(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    live, candidate = pair
    found = [case(project, 1), case(project, 2), case(project, 3, pinned=False)]
    answer(live, found)
    answer(candidate, [], found)
    FeedbackPolicy.objects.create(project=project, allowed_breaks=1)
    with pytest.raises(InvalidInput, match="v2 breaks 2 pinned regression cases"):
        versions.promote(project, candidate, by=alice)
    FeedbackPolicy.objects.update(allowed_breaks=2)
    verdict = versions.promote(project, candidate, by=alice).verdict["cases"]
    assert (len(verdict["broken"]), verdict["pinned_broken"], verdict["allowed"]) == (3, 2, 2)


def test_many_broken_cases_are_named_a_few_at_a_time(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    live, candidate = pair
    found = [case(project, number) for number in range(1, 7)]
    answer(live, found)
    answer(candidate, [], found)
    with pytest.raises(InvalidInput, match="and 3 more"):
        versions.promote(project, candidate, by=alice)


def test_a_case_that_was_not_asked_yet_holds_the_promotion_back(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    live, candidate = pair
    late = case(project, 1)
    answer(live, [late])
    with pytest.raises(InvalidInput, match="has not been put to v2 yet"):
        versions.promote(project, candidate, by=alice)
    answer(candidate, [late])
    assert kept(versions.promote(project, candidate, by=alice))["passing"] == [late.pk]


def test_an_unpinned_case_holds_nothing_back(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    case(project, 1, pinned=False)
    assert versions.promote(project, pair[1], by=alice).verdict["cases"]["pinned_unasked"] == 0


def test_the_first_version_breaks_nothing_and_waits_for_nothing(project: Project, alice: User) -> None:
    version, failing, unasked = make_version(project, 1), case(project, 1), case(project, 2)
    answer(version, [], [failing])
    verdict = kept(versions.promote(project, version, by=alice))
    assert (verdict["failing"], verdict["unasked"]) == ([failing.pk], [unasked.pk])


def test_rolling_back_is_always_allowed_and_records_what_it_breaks(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    old, new = pair
    mended = case(project, 1)
    answer(old, [], [mended])
    answer(new, [mended])
    versions.promote(project, new, by=alice)
    assert state_of(mended) == State.FIXED
    row = versions.roll_back(project, old, by=alice)
    assert kept(row)["broken"] == [mended.pk]
    assert state_of(mended) == State.REGRESSED
