"""The predict endpoint with the real inference process behind it."""

import hashlib
import signal
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.projects.models import Project
from apps.projects.subjects import pseudonym
from apps.serving.models import Served, ServingPolicy
from apps.serving.services import choosing, embedding, inference, predicting, warming
from apps.serving.services.predicting import Asked
from tests.conftest import ClientOf
from tests.serving.conftest import Promote
from tests.workers.serve.processes import Serving
from workers.serve.client import Busy
from workers.serve.wire import Rows

pytestmark = pytest.mark.slow
URL = "/api/v1/projects/bank/predict"
Bearer = Callable[..., dict[str, str]]


@pytest.fixture
def ask(client: Client, vic: User, bearer: Bearer) -> Callable[..., tuple[int, dict]]:
    headers = bearer(vic, "predict")

    def asked(body: object) -> tuple[int, dict]:
        answer = client.post(URL, body, content_type="application/json", headers=headers)
        return answer.status_code, answer.json()

    return asked


def test_every_text_gets_an_answer_and_an_id_that_feedback_can_point_at(
    answering: Serving, project: Project, promote: Promote, ask
) -> None:
    version = promote(says=1)
    status, body = ask({"texts": ["where is my card", "why is the rate so bad"]})
    assert status == 200
    assert (body["version"], body["task"]) == (version.number, "single")
    assert [label["name"] for label in body["labels"]] == ["card arrival", "exchange rate", "top up failed"]
    first, second = body["results"]
    assert first["label"] == first["shown"] == "exchange rate"
    assert first["confidence"] == max(first["probabilities"]) > 0.9
    assert sum(first["probabilities"]) == pytest.approx(1, abs=1e-3)
    assert first["propensity"] == 1.0
    row = Served.objects.get(pk=first["id"])
    assert (row.version, row.label.name, row.shown.name) == (version, "exchange rate", "exchange rate")
    assert row.probabilities == pytest.approx(first["probabilities"], abs=1e-3)
    assert Served.objects.filter(pk=second["id"]).exists()


def test_a_text_is_kept_with_consent_and_only_its_fingerprint_without(
    answering: Serving, project: Project, promote: Promote, ask
) -> None:
    promote()
    item = {"text": "Wo ist meine Karte? 💳", "external_id": "t-1", "subject": "user-42", "language": "de"}
    ids = [ask({"items": [item], "consent": consent})[1]["results"][0]["id"] for consent in (False, True)]
    without, given = (Served.objects.get(pk=pk) for pk in ids)
    assert (without.text, without.consent, given.text, given.consent) == ("", False, item["text"], True)
    assert bytes(without.text_hash) == bytes(given.text_hash) == hashlib.sha256(item["text"].encode()).digest()
    assert (given.external_id, given.language) == ("t-1", "de")
    assert given.subject == pseudonym(project, "user-42")
    assert "user-42" not in given.subject
    assert len(given.subject) == 64


def test_several_labels_are_those_above_their_thresholds(
    answering: Serving, project: Project, promote: Promote, ask
) -> None:
    promote(says=2, task="multi")
    _status, body = ask({"text": "anything"})
    (answer,) = body["results"]
    assert answer["labels"] == ["top up failed"]
    assert "shown" not in answer
    row = Served.objects.get(pk=answer["id"])
    assert row.value == {"labels": [body["labels"][2]["id"]]}
    assert (row.shown, row.propensity) == (None, None)
    ServingPolicy.objects.create(project=project, threshold=0.99)
    assert ask({"text": "anything"})[1]["results"][0]["labels"] == []


def test_spans_come_with_their_words(project: Project, promote: Promote, ask, monkeypatch: pytest.MonkeyPatch) -> None:
    version = promote(task="spans")
    spans = [{"start": 2, "end": 6, "label": 1, "score": 0.91}, {"start": 7, "end": 9, "label": 0, "score": 0.2}]
    told = {"model": 0, "task": "spans", "spans": [{"spans": spans, "confidence": 0.8}]}
    monkeypatch.setattr(inference, "ask", lambda question: Rows(told))
    ServingPolicy.objects.create(project=project, threshold=0.5)
    _status, body = ask({"text": "a card it"})
    (answer,) = body["results"]
    assert answer["spans"] == [{"start": 2, "end": 6, "label": "exchange rate", "score": 0.91, "quote": "card"}]
    row = Served.objects.get(pk=answer["id"])
    assert row.value["spans"][0]["label"] == version.label_order[1][0]
    assert (row.label, row.probabilities, row.propensity) == (None, None, None)


def test_below_the_threshold_the_host_is_told_to_show_nothing(
    answering: Serving, project: Project, promote: Promote, ask
) -> None:
    promote(strength=0.2)
    ServingPolicy.objects.create(project=project, threshold=0.6)
    (answer,) = ask({"text": "hm"})[1]["results"]
    assert (answer["label"], answer["shown"], answer["propensity"]) == ("card arrival", None, 1.0)


def test_explored_answers_are_logged_with_the_probability_of_being_shown(
    answering: Serving, project: Project, promote: Promote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing.choose, "__defaults__", (Random(3),))
    promote(strength=1.0)
    ServingPolicy.objects.create(project=project, explore=0.2)
    rows = predicting.predict(project, [Asked(f"text {n}") for n in range(500)])
    told = {row.shown_id: row.propensity for row in rows}
    assert len(told) == 3
    assert sum(told.values()) == pytest.approx(1, abs=1e-6)
    for shown, times in Counter(row.shown_id for row in rows).items():
        share = told[shown]
        assert abs(times / 500 - share) < 5 * (share * (1 - share) / 500) ** 0.5
    assert set(Served.objects.values_list("propensity", flat=True)) == set(told.values())  # to the last digit


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"texts": ["good", "  \n"]}, "texts.1"),
        ({"texts": ["x" * 25_001]}, "texts.0"),
        ({"texts": ["x"] * 501}, "texts"),
        ({"texts": []}, "texts"),
        ({"texts": ["good", 3]}, "texts.1"),
        ({"texts": ["nul \0"]}, "texts.0"),
        ({"text": "one", "texts": ["two"]}, "texts"),
        ({"items": [{"text": "a"}, {"txt": "b"}]}, "items.1.text"),
        ({"items": [{"text": "a", "subject": "s" * 201}]}, "items.0.subject"),
        ({"items": [{"text": "a", "external_id": 7}]}, "items.0.external_id"),
        ({"text": "a", "consent": "yes"}, "consent"),
    ],
)
def test_what_cannot_be_answered_is_refused_at_its_place(
    project: Project, promote: Promote, ask, body: dict, field: str
) -> None:
    promote()
    status, said = ask(body)
    assert (status, said.get("field")) == (422, field), said
    assert not Served.objects.exists()


def test_five_hundred_texts_pass_in_few_queries(answering: Serving, project: Project, promote: Promote, ask) -> None:
    promote()
    ask({"text": "warm"})
    with CaptureQueriesContext(
        connection,
    ) as counted:
        status, body = ask({"texts": [f"text {n}" for n in range(500)]})
    assert (status, len(body["results"])) == (200, 500)
    statements = [query["sql"].split()[0] for query in counted if "SAVEPOINT" not in query["sql"]]
    # what is live, the names of labels; and one COPY (token and project are prepared statements, which nobody records)
    assert Counter(statements) == {"SELECT": 2, "COPY": 1}
    assert Served.objects.count() == 501


def test_a_token_needs_the_scope_and_its_owner_the_project(
    answering: Serving, project: Project, promote: Promote, client: Client, vic: User, charlie: User, bearer: Bearer
) -> None:
    promote()
    expected = [(vic, "read", 403), (vic, "predict", 200), (vic, "manage", 200), (charlie, "predict", 404)]
    for user, scope, status in expected:
        headers = bearer(user, scope)
        assert client.post(URL, {"text": "x"}, content_type="application/json", headers=headers).status_code == status


def test_without_a_live_version_it_says_so(project: Project, client: Client, vic: User, bearer: Bearer) -> None:
    answer = client.post(URL, {"text": "x"}, content_type="application/json", headers=bearer(vic, "predict"))
    assert answer.status_code == 503
    assert answer["Retry-After"] == "60"
    assert answer.json()["detail"] == "No model serves this project yet. Train one and promote it."


def test_too_much_at_once_is_passed_on_with_the_time_to_come_back(
    project: Project, promote: Promote, client: Client, vic: User, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_args: object, **_kwargs: object) -> Rows:
        raise Busy(7)

    promote()
    monkeypatch.setattr(inference, "client", lambda: SimpleNamespace(predict=busy))
    answer = client.post(URL, {"text": "x"}, content_type="application/json", headers=bearer(vic, "predict"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "7")
    assert "Try again in 7 s" in answer.json()["detail"]
    assert not Served.objects.exists()


def test_a_promotion_is_followed_without_a_gap(answering: Serving, project: Project, promote: Promote) -> None:
    first = promote(says=0)
    assert predicting.predict(project, [Asked("x")])[0].version == first
    second = promote(says=1)
    said = []
    deadline = time.monotonic() + 120
    while not said or said[-1].version != second:
        said += predicting.predict(project, [Asked("x")])
        assert time.monotonic() < deadline
    for row in said:  # what is stored is what answered
        assert row.label_id == row.version.label_order[0 if row.version == first else 1][0]


def test_what_is_live_is_loaded_before_anybody_asks(answering: Serving, project: Project, promote: Promote) -> None:
    version = promote()
    assert inference.name_of(version) not in answering.loaded()
    warming.warm()
    answering.wait_for(inference.name_of(version))


def test_vectors_come_from_the_encoder_of_the_project(answering: Serving, project: Project) -> None:
    project.encoder = "char-ngrams"
    digest, rows = embedding.vectors(project, ["one", "two"])
    assert (len(digest), rows.shape) == (64, (2, 512))
    assert (rows**2).sum(axis=1) == pytest.approx([1, 1], abs=1e-4)


def test_the_try_box_answers_and_stores_nothing(
    answering: Serving, project: Project, promote: Promote, alice: User, client_of: ClientOf
) -> None:
    promote(says=1)
    page = client_of(alice).post("/p/bank/settings/serving/try/", {"text": "the rate"})
    assert page.status_code == 200
    content = page.content.decode()
    assert "exchange rate" in content
    assert "Nothing was stored." in content
    piece = client_of(alice).post("/p/bank/settings/serving/try/", {"text": "x"}, headers={"HX-Request": "true"})
    assert b"<html" not in piece.content
    assert not Served.objects.exists()


def test_a_killed_process_is_said_in_words_and_answers_again_when_it_is_back(
    answering: Serving, project: Project, promote: Promote, ask, alice: User, client_of: ClientOf
) -> None:
    promote()
    assert ask({"text": "x"})[0] == 200
    answering.stop(signal.SIGKILL)
    try:
        status, body = ask({"text": "x"})
        assert (status, body["detail"]) == (503, "The inference process does not answer. Try again in a moment.")
        with pytest.raises(DomainError):
            embedding.vectors(project, ["x"])
        page = client_of(alice).post("/p/bank/settings/serving/try/", {"text": "x"})
        assert (page.status_code, "does not answer" in page.content.decode()) == (422, True)
        warming.warm()  # nobody there is no fault of beat
    finally:
        answering.start()
    assert ask({"text": "x"})[0] == 200
