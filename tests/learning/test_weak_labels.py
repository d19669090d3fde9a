"""What users said on its way into training: by choice, frozen, behind walls, and told on the card."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.content.models import Item
from apps.feedback.models import FeedbackPolicy, Signal
from apps.learning import card, users_words
from apps.learning import runs as bridge
from apps.learning.models import Snapshot, SnapshotWeak, TrainingRun
from apps.learning.services import jobs, runs, snapshots, weak
from apps.learning.services.wishes import Wish
from apps.projects.models import Label, Project
from tests.learning import kinds
from tests.learning.teach import NGRAMS, WORDS, add_item, add_items, head_wish, make_version
from workers.learning import weak_file

ClientOf = Callable[[User], Client]
URL = "/p/bank/train/new/"
UNCHECKED = {"claim": "is", "checked": 0, "right": 0, "rate": 0.2, "low": 0.1, "high": 0.4, "base": 0.1}


@pytest.fixture
def labels(project: Project) -> dict[str, Label]:
    return {label.name: label for label in project.labels.all()}


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def said(project: Project, text: str, *, kind: str = "thumb", polarity: int = -1, **more: Any) -> Signal:
    n = Signal.objects.count()
    values: dict[str, Any] = {
        "event": f"e{n}",
        "text": text,
        "text_hash": digest(text),
        "consent": True,
        "subject": f"{n:064d}",
        "source": "widget",
        "predicted": project.labels.order_by("pk").first(),
    }
    return Signal.objects.create(project=project, kind=kind, polarity=polarity, **(values | more))


def frozen(project: Project) -> dict[bytes, SnapshotWeak]:
    snapshot = snapshots.take(project, list(project.labels.filter(archived_at=None)), with_users=True)
    return {bytes(row.text_hash): row for row in SnapshotWeak.objects.filter(snapshot=snapshot)}


def test_thumbs_ratings_and_corrections_become_voices_and_nothing_else_does(
    project: Project, labels: dict[str, Label]
) -> None:
    wanted = labels["top up failed"]
    said(project, "down")
    said(project, "up", polarity=1)
    said(project, "two of five", kind="rating")
    said(project, "wrong label", kind="label", wanted=wanted)
    said(project, "agreed", kind="label", polarity=1, wanted=project.labels.order_by("pk").first())
    said(project, "only words", kind="comment")
    said(project, "shown", kind="shown", polarity=0)
    said(project, "spam", state=Signal.State.ASIDE)
    said(project, "of nothing", predicted=None)
    rows = frozen(project)
    found = {
        text: rows[digest(text)].voices[0]["claim"] for text in ("down", "up", "two of five", "wrong label", "agreed")
    }
    assert found == {"down": "not", "up": "up", "two of five": "not", "wrong label": "is", "agreed": "up"}
    assert len(rows) == 5
    assert rows[digest("wrong label")].voices[0]["label"] == wanted.pk
    assert rows[digest("two of five")].voices[0]["source"] == "rating:widget"


def test_people_are_numbers_and_their_pseudonyms_stay_where_they_are(project: Project) -> None:
    said(project, "one", subject="a" * 64)
    said(project, "two", subject="a" * 64)
    said(project, "three", subject="", address="b" * 64)
    said(project, "four", subject="", address="")
    rows = frozen(project)
    number = {text: rows[digest(text)].voices[0]["person"] for text in ("one", "two", "three", "four")}
    assert number["one"] == number["two"] != number["three"]
    assert number["four"] == -1
    assert all(len(str(voice["person"])) < 6 for row in rows.values() for voice in row.voices)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_text_that_is_held_out_is_never_learnt_from_by_whatever_name_it_comes(project: Project, ending: str) -> None:
    text = f"where is my card{ending} then"
    add_item(project, text.replace("\r\n", "\n"), split="holdout")
    said(project, text)
    assert frozen(project) == {}
    assert weak.usable(project) == 0


def test_nor_is_a_text_of_a_held_out_item_in_other_words(project: Project) -> None:
    held = add_item(project, "the item's own words", split="holdout")
    said(project, "other words, the same item", item=held)
    assert frozen(project) == {}


def test_a_text_with_an_experts_truth_is_left_to_the_expert(project: Project) -> None:
    (item, *_rest) = add_items(project, 1)
    said(project, item.text)
    said(project, "other words", item=item)
    assert frozen(project) == {}


def test_an_unlabelled_item_of_the_pool_may_be_learnt_from(project: Project) -> None:
    item = add_item(project, "nobody has looked at it yet")
    said(project, item.text, item=item)
    assert set(frozen(project)) == {digest(item.text)}


def test_without_consent_there_is_no_text_to_learn_from(project: Project) -> None:
    said(project, "", text_hash=digest("secret"), consent=False)
    assert frozen(project) == {}


def attack(project: Project, signal: Signal, text_hash: bytes) -> None:
    snapshot = Snapshot.objects.create(project=project, hash="", n_items=0)
    with pytest.raises(IntegrityError), transaction.atomic():
        SnapshotWeak.objects.create(snapshot=snapshot, signal=signal, text_hash=text_hash, voices=[])


def test_the_wall_stands_in_the_database_too(project: Project) -> None:
    """Whoever writes past the service: held-out texts, resolved ones, lies about the hash, and lack of consent."""
    held = add_item(project, "held out", split="holdout")
    (taught, *_rest) = add_items(project, 1)
    attack(project, said(project, held.text), digest(held.text))
    attack(project, said(project, held.text + "", text_hash=digest("a lie")), digest("a lie"))
    attack(project, said(project, "other words", item=held), digest("other words"))
    attack(project, said(project, taught.text), digest(taught.text))
    attack(project, said(project, "", consent=False), digest(""))
    free = said(project, "a free text")
    attack(project, free, digest("another"))
    snapshot = Snapshot.objects.create(project=project, hash="", n_items=0)
    row = SnapshotWeak.objects.create(snapshot=snapshot, signal=free, text_hash=digest(free.text), voices=[])
    with pytest.raises(IntegrityError), transaction.atomic():
        SnapshotWeak.objects.filter(pk=row.pk).update(signal=said(project, held.text), text_hash=digest(held.text))


def test_signals_of_another_project_cannot_be_frozen_into_this_one(project: Project) -> None:
    other = Project.objects.create(name="Other", slug="other", encoder=NGRAMS)
    label = Label.objects.create(project=other, name="x")
    attack(project, said(other, "theirs", predicted=label), digest("theirs"))


def test_what_is_erased_from_the_signals_is_gone_from_the_snapshot(project: Project) -> None:
    signal = said(project, "please forget me")
    frozen(project)
    signal.delete()
    assert not SnapshotWeak.objects.exists()


def test_reliability_is_counted_where_an_expert_looked_but_never_on_the_hold_out(
    project: Project, labels: dict[str, Label]
) -> None:
    first = project.labels.order_by("pk").first()
    assert first is not None
    pool, held = add_items(project, 2), add_items(project, 2, split="holdout")
    other = labels["top up failed"]
    for item in (*pool, *held):
        said(project, item.text, item=item, predicted=first, subject=f"{item.pk:064d}")
    said(project, pool[0].text, item=pool[0], kind="label", wanted=other, subject="c" * 64)
    snapshot = snapshots.take(project, list(project.labels.all()), with_users=True)
    assert snapshot.checks is not None
    count = {claim: [0, 0] for claim in ("is", "not")}
    for claim, _source, _person, right, wrong in snapshot.checks:
        count[claim][0] += right
        count[claim][1] += wrong
    truth = [item.resolution.label_id for item in Item.objects.filter(split="pool").select_related("resolution")]
    assert count["not"] == [sum(label != first.pk for label in truth), sum(label == first.pk for label in truth)]
    assert sum(count["is"]) == 1


def test_one_person_is_checked_once_per_item(project: Project) -> None:
    (item, *_rest) = add_items(project, 1)
    for _time in range(20):
        said(project, item.text, item=item, subject="a" * 64)
    snapshot = snapshots.take(project, list(project.labels.all()), with_users=True)
    assert snapshot.checks is not None
    assert sum(right + wrong for *_path, right, wrong in snapshot.checks) == 1


# --- by choice --------------------------------------------------------------------------------------------------------
def test_nothing_that_users_said_is_learnt_from_unless_somebody_chose_it(project: Project, alice: User) -> None:
    add_items(project, 8)
    said(project, "a complaint")
    run = runs.create(project, alice, head_wish())
    assert run.snapshot is not None
    assert run.snapshot.checks is None
    assert not SnapshotWeak.objects.exists()
    assert not (jobs.prepare(run) / weak_file.NAME).exists()


def test_the_snapshot_without_users_has_the_hash_it_always_had(project: Project) -> None:
    add_items(project, 3)
    said(project, "a complaint")
    labels = list(project.labels.all())
    plain, listening = snapshots.take(project, labels), snapshots.take(project, labels, with_users=True)
    assert plain.hash == snapshots.take(project, labels).hash != listening.hash
    assert listening.hash == snapshots.take(project, labels, with_users=True).hash
    said(project, "another complaint")
    assert listening.hash != snapshots.take(project, labels, with_users=True).hash


def test_the_projects_policy_is_the_default_and_a_run_may_differ(project: Project, alice: User) -> None:
    add_items(project, 8)
    FeedbackPolicy.objects.create(project=project, weak_labels=True)
    run = runs.create(project, alice, head_wish())
    assert run.config["weak_labels"] is True
    runs.cancel(run)
    assert "weak_labels" not in runs.create(project, alice, head_wish(weak_labels=False)).config


def test_several_labels_a_text_are_refused_in_words(project: Project, alice: User) -> None:
    kinds.several(kinds.multi(project), 16)
    with pytest.raises(InvalidInput, match="one label"):
        runs.create(project, alice, head_wish(weak_labels=True, leave_out=True))


def test_a_version_that_is_derived_listens_to_nobody(project: Project, alice: User) -> None:
    make_version(project, 1)
    with pytest.raises(InvalidInput, match="learns from labels"):
        runs.create(project, alice, Wish("onnx", parents=(1,), weak_labels=True))


def test_the_form_has_a_box_that_the_policy_ticks(project: Project, alice: User, client_of: ClientOf) -> None:
    add_items(project, 8)
    page = client_of(alice).get(URL).content.decode()
    assert 'name="weak_labels"' in page
    assert 'name="weak_labels" checked' not in page.replace(' id="id_weak_labels"', "")
    FeedbackPolicy.objects.create(project=project, weak_labels=True)
    ticked = client_of(alice).get(URL).content.decode()
    assert "checked" in ticked[ticked.index('name="weak_labels"') :][:200]
    client_of(alice).post(URL, {"way": "head", "encoder": NGRAMS})  # unticked: against the policy, for this run
    assert "weak_labels" not in TrainingRun.objects.get().config


def test_the_box_starts_a_run_that_listens(project: Project, alice: User, client_of: ClientOf) -> None:
    add_items(project, 8)
    client_of(alice).post(URL, {"way": "head", "encoder": NGRAMS, "weak_labels": "on"})
    assert TrainingRun.objects.get().config["weak_labels"] is True


def test_the_api_takes_the_choice(project: Project, alice: User) -> None:
    add_items(project, 8)
    client = APIClient()
    client.force_authenticate(alice)
    body = {"kind": "head", "encoder": NGRAMS, "weak_labels": True}
    answer = client.post("/api/v1/projects/bank/runs/", body, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["config"]["weak_labels"] is True


# --- to the card ------------------------------------------------------------------------------------------------------
def speak(project: Project, labels: dict[str, Label], n: int) -> None:
    """Users who correct the label of texts that no expert has seen, and of some that one has."""
    names = list(WORDS)
    for number in range(n):
        name = names[number % 3]
        text = f"{WORDS[name][number % 2]}, said by user {number}"
        said(project, text, kind="label", wanted=labels[name], predicted=labels[names[(number + 1) % 3]])
    for item in Item.objects.filter(split="pool").select_related("resolution")[: n // 2]:
        wrong = next(label for label in labels.values() if label.pk != item.resolution.label_id)
        said(project, item.text, kind="label", item=item, wanted=item.resolution.label, predicted=wrong)


def test_a_run_that_listens_tells_on_its_card_what_it_heard(
    project: Project, alice: User, labels: dict[str, Label]
) -> None:
    add_items(project, 20)
    speak(project, labels, 30)
    run = runs.create(project, alice, head_wish(weak_labels=True, leave_out=True))
    bridge.train(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == (TrainingRun.State.SUCCEEDED, ""), run.log_tail
    assert run.version is not None
    found = run.version.metrics["weak"]
    assert found["texts"] == 30
    (row,) = found["reliability"]
    assert (row["claim"], row["checked"], row["right"]) == ("is", 15, 15)
    told = card.markdown(card.card(run.version))
    assert "30 more texts" in told
    assert "15 of 15" in told
    assert "users" in card.facts(card.card(run.version))["data"]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({"ratio": 0.0, "texts": 0}, "nothing that it could"),
        ({"ratio": 0.0, "texts": 9, "reliability": []}, "did not help"),
        (
            {"ratio": 0.3, "texts": 9, "used": 8, "voices": 12, "mean_weight": 0.1, "reliability": [UNCHECKED]},
            "hardly more than the model itself",
        ),
        (
            {"ratio": 0.3, "texts": 9, "used": 8, "voices": 12, "mean_weight": 0.21, "reliability": []},
            "8 more texts (12 thumbs, ratings and corrections), with a weight of 0.21",
        ),
    ],
)
def test_the_card_says_how_much_of_it_was_let_in(project: Project, found: dict[str, Any], sentence: str) -> None:
    paragraphs = users_words.paragraphs(make_version(project, 1, metrics={"weak": found}))
    assert sentence in paragraphs[-1]
    assert users_words.paragraphs(make_version(project, 2)) == []
