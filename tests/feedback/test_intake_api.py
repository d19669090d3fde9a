"""The public door: keys, origins, sizes, answers, and what hostile clients send."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.feedback import intake_auth, limits
from apps.feedback.models import IntakeKey, Signal
from apps.feedback.services import keys
from apps.projects.models import Project
from tests.conftest import ClientOf
from tests.feedback import make

pytestmark = pytest.mark.django_db
URL = "/api/v1/feedback"
SHOP = "https://shop.example.org"
RATING = {"kind": "rating", "rating": 2}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    intake_auth.forget_keys()
    limits.Health.forget()


@pytest.fixture
def key(project: Project) -> str:
    return make.key(project, origins=[SHOP])[1]


@pytest.fixture
def secret(project: Project) -> str:
    return make.key(project, IntakeKey.Kind.SECRET, per_minute=10_000)[1]


def send(body: Any, key: str = "", **headers: Any) -> Any:
    raw = body if isinstance(body, bytes | str) else json.dumps(body)
    sent = {"Authorization": f"Bearer {key}"} if key else {}
    return Client().post(URL, raw, content_type="application/json", headers=sent | headers)


def test_an_event_is_acknowledged_with_its_id_and_stored(project: Project, key: str) -> None:
    event = make.thumb(make.served(project))
    answer = send(event, key)
    assert (answer.status_code, answer.json()) == (202, {"id": event["id"]})
    signal = Signal.objects.get()
    assert (signal.event, signal.key, signal.project) == (event["id"], IntakeKey.objects.get(), project)
    assert len(signal.address) == 64
    assert send(event, key).json() == answer.json()
    assert Signal.objects.count() == 1
    assert reverse("api_feedback") == URL


def test_the_key_may_come_in_a_header_of_its_own(key: str) -> None:
    assert send(RATING, **{"X-Marginalia-Key": key}).status_code == 202


@pytest.mark.parametrize("wrong", ["", "mk_pub_0_x", "mg_0_x", "x" * 10_000, "mk_pub_\x7f", "Basic"])
def test_without_a_key_in_use_nothing_goes(key: str, wrong: str) -> None:
    answer = send(RATING, wrong)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert not Signal.objects.exists()


def test_a_revoked_key_and_one_of_an_archived_project_are_refused(project: Project, key: str, secret: str) -> None:
    assert send(RATING, key).status_code == 202
    keys.revoke(project, IntakeKey.objects.get(kind="publishable").pk)
    intake_auth.forget_keys()  # as after the three seconds that a process may remember it
    assert send(RATING, key).status_code == 401
    Project.objects.update(archived_at=timezone.now())
    assert send(RATING, secret).status_code == 401


def test_a_process_remembers_a_key_for_seconds_only(
    project: Project, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(RATING, key)
    keys.revoke(project, IntakeKey.objects.get().pk)
    monkeypatch.setattr(intake_auth, "KNOWN_FOR", 0.0)
    assert send(RATING, key).status_code == 401


def test_only_posts_are_answered(key: str) -> None:
    for method in ("get", "put", "patch", "delete"):
        assert getattr(Client(), method)(URL).status_code == 405


# --- a key can do nothing else -----------------------------------------------------------------------------


def test_a_key_opens_no_other_door(project: Project, key: str, secret: str) -> None:
    from tests.test_house import PUBLIC, every_url

    checked = 0
    for url, name in every_url():
        if name in PUBLIC or name in {"api_feedback", "api_survey_widget"}:  # surveys in a product go by the same key
            continue
        for headers in (
            {"Authorization": f"Bearer {key}"},
            {"Authorization": f"Bearer {secret}", "X-Marginalia-Key": key},
        ):
            for method in ("get", "post", "put", "patch", "delete"):
                answer = getattr(Client(), method)(url, headers=headers)
                where = f"{method} {url} ({name})"
                if answer.status_code == 302:
                    assert answer["Location"].startswith("/accounts/login/"), where
                else:
                    assert answer.status_code in {401, 403, 405}, where
                checked += 1
    assert checked > 500


# --- origins --------------------------------------------------------------------------------------------------


def test_a_page_of_a_listed_origin_may_send_and_read(key: str) -> None:
    answer = send(RATING, key, Origin=SHOP)
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (202, SHOP)
    assert "Origin" in answer["Vary"]
    refused = send({"kind": "like"}, key, Origin=SHOP)
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (422, SHOP)


@pytest.mark.parametrize("origin", ["https://evil.example.org", "http://shop.example.org", f"{SHOP}:8443", "null", ""])
def test_a_page_of_another_origin_may_not(key: str, origin: str) -> None:
    answer = send(RATING, key, Origin=origin)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer
    assert not Signal.objects.exists()


def test_our_own_pages_need_no_listing(key: str) -> None:
    assert send(RATING, key, Origin="http://testserver").status_code == 202


def test_a_secret_key_is_refused_in_a_browser(secret: str) -> None:
    assert send(RATING, secret).status_code == 202
    for origin in (SHOP, "http://testserver"):
        assert send(RATING, secret, Origin=origin).status_code == 403


def preflight(origin: str) -> Any:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return Client().options(URL, headers=asked)


def test_browsers_are_told_beforehand_who_may_send(project: Project, key: str) -> None:
    answer = preflight(SHOP)
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (204, SHOP)
    assert "authorization" in answer["Access-Control-Allow-Headers"]
    for origin in ("https://evil.example.org", "null", "", "x" * 5_000, "a\x00b"):
        assert "Access-Control-Allow-Origin" not in preflight(origin)
    IntakeKey.objects.update(revoked_at=timezone.now())
    assert "Access-Control-Allow-Origin" not in preflight(SHOP)


# --- batches --------------------------------------------------------------------------------------------------


def test_batches_need_a_secret_key(key: str, secret: str) -> None:
    batch = {"events": [{"id": str(n), **RATING} for n in range(500)]}
    assert send(batch, key).status_code == 403
    answer = send(batch, secret)
    assert (answer.status_code, answer.json()["ids"]) == (202, [str(n) for n in range(500)])
    assert Signal.objects.count() == 500
    too_many = {"events": [RATING] * 501}
    for wrong in (too_many, {"events": []}, {"events": "x"}, {"events": [RATING], "more": 1}):
        refused = send(wrong, secret)
        assert (refused.status_code, refused.json()["field"]) == (422, "events")


def test_of_a_batch_the_bad_are_named_and_the_good_kept(secret: str) -> None:
    answer = send({"events": [{"id": "a", **RATING}, {"kind": "rating", "rating": 9}, {"id": "c", **RATING}]}, secret)
    assert answer.status_code == 202
    assert answer.json()["ids"] == ["a", None, "c"]
    (refused,) = answer.json()["refused"]
    assert (refused["index"], refused["field"]) == (1, "rating")
    assert refused["detail"]
    all_bad = send({"events": [{"kind": "rating", "rating": 9}, {}]}, secret)
    assert (all_bad.status_code, all_bad.json()["field"], len(all_bad.json()["refused"])) == (
        422,
        "events[0].rating",
        2,
    )
    assert Signal.objects.count() == 2


# --- sizes and shapes -------------------------------------------------------------------------------------------


def test_bodies_have_a_size(key: str, secret: str) -> None:
    def comment(size: int) -> bytes:
        body = b'{"kind":"comment","comment":"%s","consent":true}'
        return body % (b"x" * (size - len(body) + 2))

    assert send(comment(32 * 1024), key).status_code == 422  # taken in, and then the comment is too long
    assert send(comment(32 * 1024 + 1), key).status_code == 413
    assert send(comment(32 * 1024 + 1), secret).status_code == 413
    filler = {"events": [{"id": "a", **RATING, "comment": "x" * 5_000, "consent": True}] * 400}
    assert len(json.dumps(filler)) < 2 * 1024 * 1024 + 100_000
    assert send({"events": filler["events"][:300]}, secret).status_code == 202
    assert send(b" " * (2 * 1024 * 1024 + 1), secret).status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        b'"a"',
        b"5",
        b"null",
        b"[]",
        b"[" * 30_000,
        b'{"a":' * 5_000,
        b'{"kind":"rating","rating":NaN}',
        b'{"kind":"rating","rating":1e999}',
        b'{"kind":"rating","rating":%s}' % (b"9" * 5_000),
        b'{"kind":"comment","comment":"\\ud800","consent":true}',
        b'{"kind":"comment","comment":"a\\u0000b","consent":true}',
        b'{"kind":"rating","rating":2,"\\u0000":1}',
        b'{"kind":{"a":1}}',
    ],
)
def test_hostile_bodies_are_refused_in_words(key: str, body: bytes) -> None:
    answer = send(body, key)
    assert answer.status_code == 422
    assert answer.json()["detail"]
    assert answer.json()["field"]
    assert not Signal.objects.exists()


WORDS = st.text(max_size=40) | st.sampled_from(
    ["thumb", "label", "card arrival", "\x00", "’" * 300, "2026-01-01T00:00:00Z"]
)
LEAF = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=8
)
SPANS = st.lists(
    st.fixed_dictionaries({"start": LEAF, "end": LEAF, "label": WORDS}, optional={"quote": WORDS}) | JSON, max_size=3
)
FIELDS = {
    **dict.fromkeys(
        ("id", "text", "item", "label", "comment", "subject", "language", "source", "at", "reason"), WORDS | JSON
    ),
    **dict.fromkeys(("up", "consent", "rating", "of", "ms", "version", "confidence", "answer", "labels"), JSON),
    **dict.fromkeys(("survey", "question", "predicted", "prediction"), WORDS | st.uuids().map(str) | JSON),
    "spans": SPANS | JSON,
}
KINDS = st.sampled_from(Signal.Kind.values)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(event=st.fixed_dictionaries({"kind": KINDS}, optional=FIELDS) | JSON, batch=st.booleans())
def test_whatever_is_sent_is_taken_or_refused_but_never_an_error(
    project: Project, key: str, secret: str, event: Any, batch: bool
) -> None:
    IntakeKey.objects.update(per_minute=1_000_000)
    body = json.dumps({"events": [event, RATING]} if batch else event)  # NaN, Infinity and lone surrogates included
    answer = send(body, secret if batch else key)
    assert answer.status_code in {202, 403, 422}, (answer.status_code, body)
    if answer.status_code != 202:
        assert answer.json()["detail"]


# --- limits --------------------------------------------------------------------------------------------------------


def test_who_sends_too_much_is_told_when_to_go_on(project: Project) -> None:
    key = make.key(project, per_minute=2)[1]
    assert [send(RATING, key).status_code for _ in range(3)] == [202, 202, 429]
    answer = send(RATING, key)
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert Signal.objects.count() == 2


def test_a_batch_larger_than_its_limit_is_told_so(project: Project) -> None:
    secret = make.key(project, IntakeKey.Kind.SECRET, per_minute=2)[1]
    assert send({"events": [RATING] * 3}, secret).json()["field"] == "events"


def test_the_owner_of_an_id_is_not_told_to_others(project: Project, key: str) -> None:
    mine = {"id": str(uuid4()), **RATING}
    assert send(mine, key).status_code == 202
    other = make.key(project, name="other")[1]
    assert send(mine, other).json()["field"] == "id"


def test_a_person_signed_in_gains_nothing_here(project: Project, alice: User, client_of: ClientOf) -> None:
    assert client_of(alice).post(URL, json.dumps(RATING), content_type="application/json").status_code == 401
