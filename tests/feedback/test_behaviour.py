"""Rates of what people did, and what another version or threshold would have earned."""

import csv
import io
import re
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone
from numpy.typing import NDArray

from apps.accounts.models import User
from apps.feedback import behaviour_estimates as estimates
from apps.feedback import behaviour_queries as queries
from apps.feedback.behaviour_estimates import Question
from apps.feedback.behaviour_words import SENTENCES, translated
from apps.feedback.models import FeedbackPolicy, Signal
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from apps.serving.models import Served
from tests.conftest import ClientOf
from tests.feedback import exposures
from tests.feedback.exposures import react, serve, worth
from tests.feedback.make import version
from workers.learning.behaviour import estimate
from workers.learning.intervals import wilson
from workers.learning.types import LearningError

pytestmark = pytest.mark.django_db
SINCE = timezone.now() - timedelta(weeks=12)


@pytest.fixture
def first(project: Project) -> ModelVersion:
    return version(project, 1)


# --- rates ------------------------------------------------------------------------------------------------


def test_an_answer_counts_once_whatever_came_of_it(project: Project, first: ModelVersion) -> None:
    label = project.labels.all()[0]
    react(serve(project, first, label), "shown", "clicked", "clicked", "accepted", "dwell")
    react(serve(project, first, label), "shown", "dismissed")
    react(serve(project, first, label), "accepted")  # whoever accepts has seen it
    found = queries.behaviour(project, SINCE).all
    assert (found.shown, found.accepted.n, found.clicked.n, found.dismissed.n) == (3, 2, 1, 1)
    assert found.accepted.share == pytest.approx(2 / 3)
    assert found.accepted.interval == wilson(2, 3)
    assert (found.dwell_ms, found.dwelt) == (2000, 1)


def test_rates_by_label_confidence_version_language_and_week(project: Project, first: ModelVersion) -> None:
    one, two = project.labels.all()[:2]
    second = version(project, 2)
    now = timezone.now()
    react(serve(project, first, one, confidence=0.96, language="zh", at=now - timedelta(weeks=1)), "shown", "accepted")
    react(serve(project, second, two, confidence=0.4, language="en", at=now), "shown")
    react(serve(project, second, two, confidence=0.4, shown=one, language="en", at=now), "shown")  # explored
    by = queries.behaviour(project, SINCE).by
    said = {dimension: [(group.name, group.shown, group.accepted.n) for group in by[dimension]] for dimension in by}
    assert said["label"] == [(one.name, 2, 1), (two.name, 1, 0)]
    assert said["band"] == [("0 % – 50 %", 1, 0), ("95 % – 100 %", 1, 1), ("not known", 1, 0)]
    assert said["version"] == [("v2", 2, 0), ("v1", 1, 1)]
    assert said["language"] == [("en", 2, 0), ("zh", 1, 1)]
    assert [row[1:] for row in said["week"]] == [(1, 1), (2, 0)]


def test_one_person_counts_only_so_often_in_a_day(project: Project, first: ModelVersion) -> None:
    FeedbackPolicy.objects.create(project=project, person_cap=2)
    label, noon = project.labels.all()[0], timezone.now().replace(hour=12) - timedelta(days=3)
    for minute in range(5):
        at = noon + timedelta(minutes=minute)
        react(serve(project, first, label, subject="p", at=at), "shown", *(["accepted"] if minute > 1 else []))
    react(serve(project, first, label, subject="p", at=noon + timedelta(days=1)), "shown", "accepted")
    for _time in range(3):
        react(serve(project, first, label), "shown")  # nobody known: each stands for itself
    found = queries.behaviour(project, SINCE).all
    assert (found.shown, found.accepted.n) == (6, 1)


def test_what_was_set_aside_or_is_another_projects_or_old_does_not_count(project: Project, first: ModelVersion) -> None:
    label = project.labels.all()[0]
    other = Project.objects.create(slug="other", name="Other", encoder="minilm-l6")
    react(serve(project, first, label), "shown", "accepted", state="aside")
    react(serve(project, first, label), "shown", occurred_at=SINCE - timedelta(days=1))
    Signal.objects.create(project=other, event="x", kind="shown", state="kept")
    assert queries.behaviour(project, SINCE).all.shown == 0


def test_behaviour_about_items_without_a_prediction_id_counts_once_too(project: Project, first: ModelVersion) -> None:
    for kind in ("shown", "accepted"):
        Signal.objects.create(
            project=project, event=f"i{kind}", kind=kind, state="kept", version=first, subject="p", language="en"
        )
    found = queries.behaviour(project, SINCE).all
    assert (found.shown, found.accepted.n) == (1, 1)


# --- what would have been -----------------------------------------------------------------------------------


def _second(project: Project) -> ModelVersion:
    return ModelVersion.objects.get(project=project, number=2)


def test_another_versions_worth_is_found_from_an_explored_log(project: Project) -> None:
    exposures.simulate(project, 3_000, 0.2)
    answer = estimates.answer(project, Question(_second(project), None, "accepted"), SINCE)
    assert answer.found, answer.why_not
    assert worth() in answer.found.interval
    assert answer.earned < worth() - 0.15  # what was earned is another policy's
    assert (answer.texts, answer.known) == (3_000, 3_000)
    assert answer.found.size < 3_000


def test_a_log_that_never_explored_is_refused_in_words(project: Project) -> None:
    exposures.simulate(project, 200, 0.0)
    answer = estimates.answer(project, Question(_second(project), None, "accepted"), SINCE)
    assert answer.found is None
    assert "explored" in answer.why_not


def test_days_without_exploration_are_left_out(project: Project) -> None:
    exposures.simulate(project, 3_000, 0.2)
    early = [served.pk for served in Served.objects.order_by("external_id")[:600]]
    label = project.labels.order_by("position")[0]
    Served.objects.filter(pk__in=early).update(propensity=1, shown=label, at=timezone.now() - timedelta(days=9))
    answer = estimates.answer(project, Question(_second(project), None, "accepted"), SINCE)
    assert answer.found
    assert (answer.texts, answer.found.rows) == (3_000, 2_400)


def test_missing_propensities_are_refused_in_words(project: Project) -> None:
    exposures.simulate(project, 200, 0.2)
    Served.objects.update(propensity=None)
    answer = estimates.answer(project, Question(_second(project), None, "accepted"), SINCE)
    assert answer.found is None
    assert "propensities" in answer.why_not


def test_a_higher_threshold_needs_no_exploration(project: Project, first: ModelVersion) -> None:
    label = project.labels.all()[0]
    for place in range(200):
        sure = 0.9 if place % 2 else 0.5
        react(
            serve(project, first, label, confidence=sure), "shown", *(["accepted"] if place % 4 == 1 else ["dismissed"])
        )
    answer = estimates.answer(project, Question(None, 0.8, "net"), SINCE)
    assert answer.found, answer.why_not
    assert answer.found.value == pytest.approx(0.0)  # of those still shown half are accepted, half dismissed
    assert answer.earned == pytest.approx(-0.5)
    assert answer.shows == 0.5


def test_a_lower_threshold_than_ever_shown_is_refused(project: Project, first: ModelVersion) -> None:
    label = project.labels.all()[0]
    for place in range(200):
        if place % 2:
            react(serve(project, first, label, confidence=0.9), "shown", "accepted")
        else:
            serve(project, first, label, confidence=0.5, shown=None)
    answer = estimates.answer(project, Question(None, 0.3, "accepted"), SINCE)
    assert answer.found is None
    assert answer.texts == 200
    same = estimates.answer(project, Question(None, 0.8, "accepted"), SINCE)
    assert same.found
    assert same.found.value == pytest.approx(0.5) == same.earned


def test_it_says_for_how_many_texts_the_other_version_is_known(project: Project) -> None:
    exposures.simulate(project, 1_000, 0.2)
    known = Served.objects.order_by("external_id")[:400].values_list("pk", flat=True)
    Served.objects.exclude(pk__in=list(known)).update(external_id="")
    answer = estimates.answer(project, Question(_second(project), None, "accepted"), SINCE)
    assert (answer.texts, answer.known) == (1_000, 400)
    nobody = estimates.answer(project, Question(version(project, 3), None, "accepted"), SINCE)
    assert (nobody.known, nobody.found) == (0, None)
    assert "v3 has said nothing" in nobody.why_not


def test_the_version_that_served_is_known_by_its_own_answers(project: Project, first: ModelVersion) -> None:
    for place in range(200):
        react(serve(project, first, project.labels.all()[0]), "shown", *(["accepted"] if place % 2 else []))
    answer = estimates.answer(project, Question(first, None, "accepted"), SINCE)
    assert answer.found
    assert (answer.known, answer.found.value, answer.earned) == (200, pytest.approx(0.5), 0.5)


def test_without_shown_events_nobody_knows_what_was_left_alone(project: Project, first: ModelVersion) -> None:
    for _time in range(200):
        react(serve(project, first, project.labels.all()[0]), "accepted")
    answer = estimates.answer(project, Question(None, None, "accepted"), SINCE)
    assert answer.found is None
    assert "“shown” events" in answer.why_not


ONES, ZEROS = np.ones(1_000), np.zeros(1_000)
REFUSED = {
    "nothing": (ONES[:0], ONES[:0], ONES[:0]),
    "no propensity": (ONES, np.full(1_000, np.nan), ONES),
    "never explored": (ONES, ONES, ZEROS),
    "partly explored": (ONES, np.repeat([1.0, 0.9], 500), np.repeat([0.0, 1.0], 500)),
    "far away": (ONES, np.full(1_000, 0.9), np.repeat([0.0, 1.0], 500)),
    "a few decide": (ONES, np.repeat([1e-3, 0.9], [1, 999]), np.repeat([1.0, 0.0, 1.0], [1, 699, 300])),
    "too little": (ONES[:50], np.full(50, 0.9), ONES[:50]),
}


@pytest.mark.parametrize("inputs", REFUSED.values(), ids=REFUSED.keys())
def test_every_refusal_of_the_estimator_can_be_translated(inputs: tuple[NDArray[np.float64], ...]) -> None:
    with pytest.raises(LearningError) as refusal:
        estimate(*inputs, rng=np.random.default_rng(0))
    sentence = str(refusal.value)
    assert any(re.fullmatch(pattern, sentence) for pattern, _words in SENTENCES)
    assert translated(sentence).replace(" %", "%") == sentence


# --- pages and API ------------------------------------------------------------------------------------------


def test_the_page_draws_rates_and_answers_the_question(project: Project, vic: User, client_of: ClientOf) -> None:
    exposures.simulate(project, 1_500, 0.2)
    client, url = client_of(vic), f"/p/{project.slug}/behaviour/"
    page = client.get(url).content.decode()
    assert page.count('class="span"') >= 3
    assert "As a table" in page
    asked = client.get(url, {"version": 2, "threshold": "", "reward": "accepted"}).content.decode()
    assert "effective sample size" in asked
    piece = client.get(url, {"version": 2}, headers={"HX-Request": "true"}).content.decode()
    assert piece.lstrip().startswith("<section")
    assert client.get(url, {"version": 99}).status_code == 422
    assert client.get(url, {"threshold": 2}).status_code == 422


def test_a_project_without_behaviour_says_what_to_send(project: Project, vic: User, client_of: ClientOf) -> None:
    assert "No behaviour yet" in client_of(vic).get(f"/p/{project.slug}/behaviour/").content.decode()


def test_the_api_and_the_spreadsheet_say_the_same(project: Project, vic: User, client_of: ClientOf) -> None:
    exposures.simulate(project, 1_500, 0.2)
    client, base = client_of(vic), f"/api/v1/projects/{project.slug}/behaviour/"
    body = client.get(base).json()
    text = client.get(f"/p/{project.slug}/behaviour/export/").getvalue().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert int(rows[0]["shown"]) == body["all"]["shown"] == 1_500
    assert float(rows[0]["accepted_share"]) == pytest.approx(body["all"]["accepted"]["share"], abs=1e-4)
    assert {row["by"] for row in rows} == {"all", *queries.DIMENSIONS}
    found = client.get(base + "estimate/", {"version": 2}).json()
    assert found["low"] < worth() < found["high"]
    refused = client.get(base + "estimate/", {"threshold": "much"})
    assert (refused.status_code, refused.json()["field"]) == (422, "threshold")


def test_a_stranger_sees_nothing(project: Project, charlie: User, client_of: ClientOf) -> None:
    assert client_of(charlie).get(f"/p/{project.slug}/behaviour/").status_code == 404
