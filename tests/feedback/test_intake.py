"""What becomes of one event: read, resolved, stored once."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.common.errors import InvalidInput
from apps.content.models import Item
from apps.feedback.models import Signal
from apps.feedback.services import intake
from apps.projects.models import Label, Project
from apps.projects.subjects import pseudonym
from tests.feedback import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def card(project: Project) -> Label:
    return project.labels.get(name="card arrival")


@pytest.fixture
def rate(project: Project) -> Label:
    return project.labels.get(name="exchange rate")


def kept(project: Project, event: dict[str, Any]) -> Signal:
    return make.signal(project, event)


def refused(project: Project, event: Any) -> InvalidInput:
    (receipt,) = intake.receive(None, project, [event])
    assert receipt.refusal is not None, "was taken"
    assert not Signal.objects.exists()
    return receipt.refusal


# --- what it is about -------------------------------------------------------------------------------------


def test_a_thumb_on_a_prediction_knows_what_the_model_said(project: Project, card: Label) -> None:
    of = make.served(project, card, subject="u1")
    signal = kept(project, make.thumb(of))
    assert (signal.served, signal.version, signal.predicted, signal.confidence) == (of, of.version, card, 0.62)
    assert (signal.kind, signal.polarity, signal.value, signal.state) == ("thumb", -1, {"up": False}, "new")
    assert (signal.text, signal.language, signal.subject) == (make.TEXT, "en", pseudonym(project, "u1"))
    assert signal.source == "api"


def test_what_was_shown_counts_not_what_was_likeliest(project: Project, card: Label, rate: Label) -> None:
    signal = kept(project, make.thumb(make.served(project, card, shown=rate)))
    assert signal.predicted == rate
    assert signal.confidence is None  # the stored one is of the other label


def test_a_prediction_that_was_forgotten_loses_nothing_but_itself(project: Project) -> None:
    of = make.served(project)
    event = make.thumb(of)
    of.delete()
    (receipt,) = intake.receive(None, project, [event])
    assert receipt.refusal is None
    assert "without it" in receipt.note
    assert Signal.objects.get().served is None


def test_another_projects_prediction_is_as_unknown_as_a_made_up_one(project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="e")
    label = Label.objects.create(project=other, name="x")
    signal = kept(project, make.thumb(make.served(other, label)))
    assert (signal.served, signal.version, signal.predicted, signal.text) == (None, None, None, "")


def item(project: Project, external_id: str = "o-1", text: str = make.TEXT) -> Item:
    digest = hashlib.sha256(text.encode()).digest()
    return Item.objects.create(project=project, external_id=external_id, text=text, text_hash=digest, split="pool")


def test_an_item_is_found_by_the_hosts_id(project: Project) -> None:
    mine = item(project)
    signal = kept(project, {"kind": "clicked", "item": "o-1"})
    assert (signal.item, signal.polarity, bytes(signal.text_hash or b"")) == (mine, 0, mine.text_hash)


def test_the_newest_prediction_of_the_hosts_item_is_what_people_saw(project: Project, card: Label, rate: Label) -> None:
    make.served(project, rate, external_id="o-1", at=timezone.now() - timedelta(days=1))
    newest = make.served(project, card, external_id="o-1")
    mine = item(project)
    signal = kept(project, {"kind": "thumb", "up": False, "item": "o-1"})
    assert (signal.served, signal.predicted, signal.item) == (newest, card, mine)


def test_an_unknown_item_is_refused_unless_the_text_comes_along(project: Project) -> None:
    assert refused(project, {"kind": "clicked", "item": "nope"}).field == "item"
    assert kept(project, {"kind": "clicked", "item": "nope", "text": "hello", "consent": True}).text == "hello"


def test_a_text_and_a_version_find_the_item_and_its_prediction(project: Project, card: Label) -> None:
    from apps.annotation.models import Prediction

    mine, version = item(project, text="line one\nline two"), make.version(project, 3)
    Prediction.objects.create(
        item=mine, version=version, label=card, confidence=0.7, margin=0.4, probabilities=[0.7, 0.2, 0.1]
    )
    event = {"kind": "label", "label": card.name, "text": "line one\r\nline two", "version": 3, "consent": True}
    signal = kept(project, event)
    assert (signal.item, signal.version, signal.predicted) == (mine, version, card)
    assert (signal.polarity, signal.confidence, signal.text) == (1, 0.7, "line one\nline two")


def test_a_version_that_never_was_is_refused(project: Project) -> None:
    assert refused(project, {"kind": "thumb", "up": True, "text": "x", "version": 9}).field == "version"


def test_a_host_may_say_what_the_model_said(project: Project, card: Label, rate: Label) -> None:
    event = {"kind": "label", "label": rate.name, "text": "x", "predicted": card.name, "confidence": 0.4}
    signal = kept(project, event)
    assert (signal.predicted, signal.wanted, signal.confidence, signal.polarity) == (card, rate, 0.4, -1)


# --- what is said -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rating", "of", "polarity"), [(1, 5, -1), (2, 5, -1), (3, 5, 0), (4, 5, 1), (0, 10, -1), (5, 10, -1), (6, 10, 1)]
)
def test_a_rating_in_the_lower_half_complains(project: Project, rating: int, of: int, polarity: int) -> None:
    signal = kept(project, {"kind": "rating", "rating": rating, "of": of})
    assert (signal.polarity, signal.value) == (polarity, {"rating": rating, "of": of})


def test_a_label_that_differs_complains_and_one_that_agrees_praises(project: Project, card: Label, rate: Label) -> None:
    of = {"prediction": str(make.served(project, card).pk), "kind": "label"}
    assert kept(project, of | {"label": rate.name}).polarity == -1
    assert kept(project, of | {"label": card.name}).polarity == 1


def test_an_unknown_or_archived_label_is_kept_as_words_with_consent_only(project: Project, card: Label) -> None:
    Label.objects.filter(name="exchange rate").update(archived_at=timezone.now())
    for name in ("lost parcel", "exchange rate"):
        event = {"kind": "label", "label": name, "prediction": str(make.served(project, card).pk)}
        (receipt,) = intake.receive(None, project, [event])
        signal = Signal.objects.get(event=receipt.id)
        assert (signal.wanted, signal.value, signal.polarity) == (None, {"unknown": [name]}, -1)
        assert name in receipt.note
        (receipt,) = intake.receive(None, project, [event | {"consent": False}])
        assert Signal.objects.get(event=receipt.id).value is None


def test_several_labels_are_compared_as_sets(project: Project, card: Label, rate: Label) -> None:
    of = make.served(project, card, value={"labels": [card.pk, rate.pk]})
    event = {"kind": "label", "prediction": str(of.pk)}
    signal = kept(project, event | {"labels": [rate.name, card.name]})
    assert (signal.value, signal.polarity, signal.wanted) == ({"labels": [rate.pk, card.pk]}, 1, None)
    assert kept(project, event | {"labels": []}).polarity == -1


SPAN = {"start": 12, "end": 16, "label": "card arrival", "quote": "card"}


def test_spans_are_code_points_of_the_text_with_their_quote(project: Project, card: Label) -> None:
    of = make.served(project, card, text="👍 Where is my card?", value={"spans": []})
    event = {"kind": "spans", "prediction": str(of.pk), "spans": [SPAN | {"start": 14, "end": 18}]}
    signal = kept(project, event)
    assert signal.value == {"spans": [{"start": 14, "end": 18, "label": card.pk, "quote": "card"}]}
    assert signal.polarity == -1


def test_the_models_own_spans_praise_it(project: Project, card: Label) -> None:
    of = make.served(project, card, value={"spans": [{"start": 12, "end": 16, "label": card.pk, "score": 0.9}]})
    assert kept(project, {"kind": "spans", "prediction": str(of.pk), "spans": [SPAN]}).polarity == 1


def test_spans_overlap_only_where_the_project_lets_them(project: Project, card: Label) -> None:
    of = make.served(project, card)
    event = {"kind": "spans", "prediction": str(of.pk), "spans": [SPAN | {"start": 9, "quote": "my card"}, SPAN]}
    assert refused(project, event).field == "spans"
    project.overlapping = True
    signal = kept(project, event)
    assert [(span["start"], span["end"]) for span in signal.value["spans"]] == [(9, 16), (12, 16)]


def test_spans_without_consent_keep_no_quote_and_need_the_text_sent(project: Project, card: Label) -> None:
    of = make.served(project, card, consent=False)
    event = {"kind": "spans", "prediction": str(of.pk), "spans": [SPAN]}
    assert refused(project, event).field == "text"
    assert refused(project, event | {"text": "another text"}).field == "text"
    signal = kept(project, event | {"text": make.TEXT})
    assert signal.value == {"spans": [{"start": 12, "end": 16, "label": card.pk}]}
    assert signal.text == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": 3, "end": 3},
        {"start": 12, "end": 99},
        {"start": -1},
        {"quote": "Card"},
        {"label": "nobody's"},
        {"start": 1.5},
        {"start": True},
        {"extra": 1},
    ],
)
def test_spans_that_do_not_fit_the_text_are_refused(project: Project, wrong: dict[str, Any]) -> None:
    of = make.served(project)
    assert refused(project, {"kind": "spans", "prediction": str(of.pk), "spans": [SPAN | wrong]}).field.startswith(
        "spans"
    )


def test_behaviour_neither_praises_nor_complains(project: Project) -> None:
    of = str(make.served(project).pk)
    for kind in ("shown", "clicked", "accepted", "dismissed"):
        assert kept(project, {"kind": kind, "prediction": of}).polarity == 0
    assert kept(project, {"kind": "dwell", "prediction": of, "ms": 3200}).value == {"ms": 3200}


def test_an_answer_is_ticked_counted_or_written(project: Project) -> None:
    asked = {"kind": "answer", "survey": "spring", "question": "q1"}
    for answer in (4, True, ["a", "b"]):
        assert kept(project, asked | {"answer": answer}).value["answer"] == answer  # type: ignore[index]
    assert kept(project, asked | {"answer": "slow", "consent": True}).polarity == 0


def test_a_comment_may_say_which_way_it_leans(project: Project) -> None:
    comment = {"kind": "comment", "comment": "  wrong again ", "consent": True}
    assert kept(project, comment).polarity == 0
    signal = kept(project, comment | {"up": False})
    assert (signal.polarity, signal.comment) == (-1, "wrong again")
    assert kept(project, {"kind": "comment", "reason": "Out of date", "up": False}).value == {"reason": "Out of date"}


# --- consent ------------------------------------------------------------------------------------------------


def test_without_consent_no_text_is_kept_but_a_hash_is(project: Project) -> None:
    event = {"kind": "thumb", "up": False, "text": "my secret", "comment": "so private"}
    (receipt,) = intake.receive(None, project, [event])
    signal = Signal.objects.get()
    assert (signal.text, signal.comment, signal.consent) == ("", "", False)
    assert bytes(signal.text_hash or b"") == hashlib.sha256(b"my secret").digest()
    assert "not kept" in receipt.note
    assert "secret" not in str(Signal.objects.values().get())


def test_consent_given_at_the_prediction_holds_until_it_is_withdrawn(project: Project) -> None:
    of = make.served(project)
    assert kept(project, make.thumb(of)).text == make.TEXT
    assert kept(project, make.thumb(of, consent=False)).text == ""
    assert kept(project, make.thumb(make.served(project, consent=False))).consent is False


def test_words_that_are_the_whole_event_are_refused_without_consent(project: Project) -> None:
    assert refused(project, {"kind": "comment", "comment": "no"}).field == "consent"
    assert refused(project, {"kind": "answer", "survey": "s", "question": "q", "answer": "no"}).field == "consent"


def test_subjects_are_pseudonyms(project: Project) -> None:
    signal = kept(project, make.thumb(make.served(project), subject="maria@example.org"))
    assert signal.subject == pseudonym(project, "maria@example.org")
    assert "maria" not in str(Signal.objects.values().get())


# --- once ---------------------------------------------------------------------------------------------------


def test_the_same_event_again_has_the_same_receipt_and_is_stored_once(project: Project) -> None:
    event = make.thumb(make.served(project))
    first, second = (intake.receive(None, project, [event])[0] for _ in range(2))
    assert first.id == second.id == event["id"]
    assert second.refusal is None
    assert (first.repeated, second.repeated) == (False, True)
    assert Signal.objects.count() == 1


def test_an_id_that_means_something_else_is_refused_rather_than_swallowed(project: Project) -> None:
    of = str(make.served(project).pk)
    first = {"id": "1", "kind": "clicked", "prediction": of}
    assert intake.receive(None, project, [first])[0].refusal is None
    for key, kind in ((None, "shown"), (make.key(project)[0], "clicked")):
        (receipt,) = intake.receive(key, project, [first | {"kind": kind}])
        assert receipt.refusal is not None
        assert receipt.refusal.field == "id"


def test_projects_do_not_share_ids(project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="e")
    for one in (project, other):
        kept(one, {"id": "1", "kind": "rating", "rating": 5})
    assert Signal.objects.count() == 2


def test_an_event_without_an_id_gets_one(project: Project) -> None:
    assert len(kept(project, {"kind": "rating", "rating": 5}).event) == 36


def test_the_good_of_a_batch_are_kept_and_the_bad_named(project: Project) -> None:
    good = [{"id": f"e{n}", "kind": "rating", "rating": 4} for n in range(3)]
    receipts = intake.receive(None, project, [good[0], {"kind": "rating"}, good[1], "junk", good[2], good[0]])
    assert [receipt.refusal.field if receipt.refusal else "" for receipt in receipts] == [
        "",
        "rating",
        "",
        "events",
        "",
        "",
    ]
    assert [receipt.id for receipt in receipts if not receipt.refusal] == ["e0", "e1", "e2", "e0"]
    assert Signal.objects.count() == 3


def test_a_batch_asks_the_database_no_more_than_one_event_does(
    project: Project, django_assert_max_num_queries: Any
) -> None:
    card = project.labels.get(name="card arrival")
    events = [{"kind": "label", "label": card.name, "prediction": str(make.served(project).pk)} for _ in range(40)]
    with django_assert_max_num_queries(0):  # Django's own; the statements of the intake bypass its log
        receipts = intake.receive(None, project, events)
    assert all(receipt.refusal is None for receipt in receipts)


# --- when ---------------------------------------------------------------------------------------------------


def test_the_hosts_clock_is_kept_within_reason(project: Project) -> None:
    signal = kept(project, {"kind": "rating", "rating": 5, "at": "2026-01-31T12:00:00+08:00"})
    assert signal.occurred_at == datetime(2026, 1, 31, 4, tzinfo=UTC)
    assert signal.received_at > signal.occurred_at
    soon = (timezone.now() + timedelta(minutes=30)).isoformat()
    assert kept(project, {"kind": "rating", "rating": 5, "at": soon}).occurred_at <= timezone.now()


@pytest.mark.parametrize(
    "at",
    ["", "yesterday", "2026-01-31T12:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 5, "2026-13-01"],
)
def test_other_times_are_refused(project: Project, at: Any) -> None:
    assert refused(project, {"kind": "rating", "rating": 5, "at": at}).field == "at"


# --- what is malformed ----------------------------------------------------------------------------------------

ABOUT = {"text": "x"}


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (None, "events"),
        ([], "events"),
        ({}, "kind"),
        ({"kind": 5}, "kind"),
        ({"kind": "like"}, "kind"),
        ({"kind": "thumb", **ABOUT}, "up"),
        ({"kind": "thumb", "up": 1, **ABOUT}, "up"),
        ({"kind": "thumb", "up": True}, "prediction"),
        ({"kind": "thumb", "up": True, "prediction": "x"}, "prediction"),
        ({"kind": "thumb", "up": True, "predictionId": "x", **ABOUT}, "predictionId"),
        ({"kind": "thumb", "up": True, "text": "a\x00b"}, "text"),
        ({"kind": "thumb", "up": True, "text": "a\ud800b"}, "text"),
        ({"kind": "thumb", "up": True, "text": "x" * 25_001}, "text"),
        ({"kind": "thumb", "up": True, **ABOUT, "subject": "x" * 201}, "subject"),
        ({"kind": "thumb", "up": True, **ABOUT, "consent": "yes"}, "consent"),
        ({"kind": "thumb", "up": True, **ABOUT, "language": "en; drop"}, "language"),
        ({"kind": "thumb", "up": True, **ABOUT, "version": 2**40}, "version"),
        ({"kind": "thumb", "up": True, **ABOUT, "version": 1.5}, "version"),
        ({"kind": "thumb", "up": True, **ABOUT, "version": True}, "version"),
        ({"kind": "thumb", "up": True, **ABOUT, "confidence": float("nan")}, "confidence"),
        ({"kind": "thumb", "up": True, **ABOUT, "confidence": 1.01}, "confidence"),
        ({"kind": "thumb", "up": True, **ABOUT, "id": "x" * 65}, "id"),
        ({"kind": "thumb", "up": True, **ABOUT, "id": ""}, "id"),
        ({"kind": "thumb", "up": True, **ABOUT, "id": "a\nb"}, "id"),
        ({"kind": "rating"}, "rating"),
        ({"kind": "rating", "rating": 6}, "rating"),
        ({"kind": "rating", "rating": 10**400}, "rating"),
        ({"kind": "rating", "rating": float("inf")}, "rating"),
        ({"kind": "rating", "rating": 3, "of": 1}, "of"),
        ({"kind": "label", **ABOUT}, "label"),
        ({"kind": "label", "label": "a", "labels": ["b"], **ABOUT}, "label"),
        ({"kind": "label", "label": " ", **ABOUT}, "label"),
        ({"kind": "label", "labels": ["a", 5], **ABOUT}, "labels[1]"),
        ({"kind": "spans", "spans": "x", **ABOUT}, "spans"),
        ({"kind": "spans", "spans": [5], **ABOUT}, "spans[0]"),
        ({"kind": "spans", "spans": [{"start": 0, "end": 10**30, "label": "x"}], **ABOUT}, "spans[0].end"),
        ({"kind": "comment"}, "comment"),
        ({"kind": "comment", "comment": "   "}, "comment"),
        ({"kind": "answer", "question": "q", "answer": 1}, "survey"),
        ({"kind": "answer", "survey": "s", "question": "q"}, "answer"),
        ({"kind": "answer", "survey": "s", "question": "q", "answer": {"a": 1}}, "answer"),
        ({"kind": "dwell", "ms": -1, **ABOUT}, "ms"),
        ({"kind": "dwell", "ms": 1e12, **ABOUT}, "ms"),
    ],
)
def test_what_is_malformed_is_refused_and_the_field_named(project: Project, event: Any, field: str) -> None:
    refusal = refused(project, event)
    assert refusal.field == field
    assert str(refusal)


def test_signals_of_our_own_are_recorded_once(project: Project) -> None:
    own = {
        "event": str(uuid4()),
        "kind": Signal.Kind.ANSWER,
        "comment": "slow",
        "source": "survey",
        "subject": "a" * 64,
    }
    assert intake.record(project, **own)
    assert not intake.record(project, **own)
    signal = Signal.objects.get()
    assert (signal.kind, signal.comment, signal.source, signal.state) == ("answer", "slow", "survey", "new")
