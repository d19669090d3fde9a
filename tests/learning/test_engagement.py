"""Click-through projects: from what people clicked to a version that is judged by how well it foretells it."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.annotation import services as annotation
from apps.annotation.exports import Choice, stream
from apps.annotation.models import Resolution, Task
from apps.common.errors import DomainError, InvalidInput
from apps.content import services as content
from apps.content.guess import fields_of
from apps.content.models import Item, Split
from apps.feedback.models import Signal
from apps.learning import card, headlines, queries
from apps.learning import runs as bridge
from apps.learning.models import Evaluation, SnapshotRow, Trainable, TrainingRun
from apps.learning.services import engagement, evaluation, jobs, runs, versions
from apps.learning.services.wishes import Wish
from apps.projects.models import Membership, Project, Role
from apps.projects.services import labels as label_services
from apps.projects.services.projects import create_project
from apps.registry.models import ModelVersion
from apps.serving.models import Served
from tests.learning.teach import NGRAMS, make_version, predict

ClientOf = Callable[[User], Client]


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser(email="root@example.org", name="Root", password="a long sentence to use")


@pytest.fixture
def clicks(root: User) -> Project:
    return create_project(by=root, name="Clicks", task_kind=Project.TaskKind.ENGAGEMENT, encoder=NGRAMS)


def item(project: Project, text: str, *, split: str = "pool") -> Item:
    text_hash = hashlib.sha256(text.encode()).digest()
    return Item.objects.create(project=project, external_id=text[:200], text=text, text_hash=text_hash, split=split)


def event(project: Project, kind: str, of: Item | None = None, **more: Any) -> Signal:
    return Signal.objects.create(project=project, event=f"e{Signal.objects.count()}", kind=kind, item=of, **more)


def counted(of: Item) -> tuple[int, int]:
    value = Resolution.objects.get(item=of).value
    assert value is not None
    return value["shown"], value["clicked"]


# --- the project ------------------------------------------------------------------------------------------------------
def test_the_two_outcomes_are_made_with_the_project_and_stay(clicks: Project) -> None:
    assert list(clicks.labels.order_by("pk").values_list("name", flat=True)) == ["not clicked", "clicked"]
    label = clicks.labels.first()
    assert label is not None
    with pytest.raises(InvalidInput, match="two labels"):
        label_services.add_label(clicks, name="maybe")
    with pytest.raises(InvalidInput, match="two labels"):
        label_services.add_labels(clicks, ["maybe"])
    with pytest.raises(InvalidInput, match="two labels"):
        label_services.archive_label(clicks, label)
    label_services.change_label(clicks, label, name="passed over")


def test_the_form_and_the_api_offer_it(root: User, client_of: ClientOf) -> None:
    page = client_of(root).get("/projects/new/").content.decode()
    assert "Click-through" in page
    made = client_of(root).post(
        "/projects/new/",
        {"name": "By form", "task_kind": "engagement", "language": "en", "encoder": NGRAMS, "names": ""},
    )
    assert made.status_code == 302, made.content
    client = APIClient()
    client.force_authenticate(root)
    body = {"name": "By API", "task_kind": "engagement", "encoder": NGRAMS, "language": "en"}
    answer = client.post("/api/v1/projects/", body, format="json")
    assert answer.status_code == 201, answer.content
    for project in Project.objects.filter(task_kind="engagement"):
        assert project.labels.count() == 2


def test_texts_are_imported_without_truths_and_open_no_tasks(clicks: Project) -> None:
    assert {"label", "labels", "spans", "prediction"}.isdisjoint(fields_of("engagement"))
    done = content.add_items(clicks, [{"text": f"headline {n}", "external_id": str(n)} for n in range(5)])
    assert done.rejected == []
    assert annotation.take_in(clicks) == 0
    assert annotation.take_in(clicks) == 0
    assert not Task.objects.exists()


def test_the_label_page_says_that_behaviour_labels(clicks: Project, root: User, client_of: ClientOf) -> None:
    url = f"/p/{clicks.slug}/label/"
    assert "There are no texts yet" in client_of(root).get(url).content.decode()
    one = item(clicks, "a headline")
    assert "Nothing was shown yet" in client_of(root).get(url).content.decode()
    event(clicks, "shown", one, subject="a")
    event(clicks, "clicked", one, subject="a")
    event(clicks, "shown", one, subject="b")
    engagement.fold(clicks)
    page = client_of(root).get(url).content.decode()
    assert "50.0" in page
    assert "Clicks are the labels here" in page


# --- counting ---------------------------------------------------------------------------------------------------------
def test_a_person_counts_once_per_item_however_often(clicks: Project) -> None:
    one = item(clicks, "one")
    for _time in range(5):
        event(clicks, "shown", one, subject="a")
    event(clicks, "clicked", one, subject="a")
    event(clicks, "clicked", one, subject="a")
    event(clicks, "shown", one, subject="b")
    event(clicks, "clicked", one, subject="c")  # a click whose showing was lost
    assert engagement.fold(clicks) == 1
    assert counted(one) == (3, 2)
    assert engagement.fold(clicks) == 0


def test_without_a_name_the_served_answer_or_the_address_stands_for_the_person(clicks: Project) -> None:
    one = item(clicks, "one")
    version = make_version(clicks, 1)
    served = [
        Served.objects.create(
            project=clicks, version=version, external_id=one.external_id, text_hash=bytes(one.text_hash), confidence=0.5
        )
        for _ in range(2)
    ]
    event(clicks, "shown", served=served[0])
    event(clicks, "clicked", served=served[0])
    event(clicks, "shown", served=served[1])
    event(clicks, "shown", one, address="home")
    event(clicks, "shown", one, address="home")
    engagement.fold(clicks)
    assert counted(one) == (3, 1)


def test_events_of_nobody_are_counted_one_by_one_and_never_more_clicks_than_showings(clicks: Project) -> None:
    one, two = item(clicks, "one"), item(clicks, "two")
    for kind in ("shown", "shown", "shown", "clicked"):
        event(clicks, kind, one)
    event(clicks, "clicked", two)
    engagement.fold(clicks)
    assert counted(one) == (3, 1)
    assert counted(two) == (1, 1)


def test_what_was_set_aside_and_other_kinds_of_events_count_nothing(clicks: Project) -> None:
    one = item(clicks, "one")
    event(clicks, "shown", one, subject="a", state=Signal.State.ASIDE)
    event(clicks, "dwell", one, subject="b")
    event(clicks, "thumb", one, subject="b", polarity=1)
    assert engagement.fold(clicks) == 0
    assert not Resolution.objects.exists()


def test_every_item_keeps_to_its_side_of_the_wall(clicks: Project) -> None:
    pool, held = item(clicks, "pool"), item(clicks, "held", split="holdout")
    for one in (pool, held):
        event(clicks, "shown", one, subject="a")
    engagement.fold(clicks)
    assert set(Resolution.objects.values_list("split", "how")) == {("pool", "behaviour"), ("holdout", "behaviour")}
    assert list(Trainable.objects.filter(project=clicks).values_list("item_id", flat=True)) == [pool.pk]
    assert [pk for pk, _value in queries.holdout_truth(clicks)] == [held.pk]


def test_another_projects_events_are_not_ours(clicks: Project, project: Project) -> None:
    one = item(clicks, "one")
    event(project, "shown", one, subject="a")
    assert engagement.fold(clicks) == engagement.fold(project) == 0


def test_news_are_folded_in_and_old_counts_stay_whole(clicks: Project) -> None:
    one, two = item(clicks, "one"), item(clicks, "two")
    long_ago = timezone.now() - timedelta(days=3)
    for person in ("a", "b"):
        event(clicks, "shown", one, subject=person, received_at=long_ago)
        event(clicks, "shown", two, subject=person, received_at=long_ago)
    engagement.fold(clicks)
    event(clicks, "clicked", one, subject="c")
    assert engagement.fold(clicks) == 1
    assert (counted(one), counted(two)) == ((3, 1), (2, 0))


def test_the_sweep_folds_what_is_new_and_rests_afterwards(clicks: Project, project: Project) -> None:
    one = item(clicks, "one")
    event(clicks, "shown", one, subject="a")
    engagement.fold_due()
    assert counted(one) == (1, 0)
    event(clicks, "clicked", one, subject="a")
    engagement.fold_due()
    assert counted(one) == (1, 0)
    Resolution.objects.update(changed_at=timezone.now() - 2 * engagement.FOLD_EVERY)
    engagement.fold_due()
    assert counted(one) == (1, 1)


# --- learning ---------------------------------------------------------------------------------------------------------
WORDS = ("win a prize today", "read the new terms", "your parcel is here", "we changed our opening hours")
RATES = (0.4, 0.05, 0.3, 0.08)


def traffic(project: Project, n: int, *, split: str = "pool", seed: int = 0) -> list[Item]:
    """Items with counts as a fold would have left them."""
    rng = np.random.default_rng(seed)
    made = [item(project, f"{WORDS[i % 4]}, {split} {i}", split=split) for i in range(n)]
    for i, one in enumerate(made):
        shown = int(20 + rng.integers(60))
        value = {"shown": shown, "clicked": int(rng.binomial(shown, RATES[i % 4]))}
        Resolution.objects.create(item=one, project=project, split=split, value=value, how="behaviour")
    return made


def trained(project: Project, by: User, **wish: Any) -> ModelVersion:
    run = runs.create(project, by, Wish(**({"kind": "head", "encoder": NGRAMS} | wish)))
    bridge.train(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == (TrainingRun.State.SUCCEEDED, ""), run.log_tail
    assert run.version is not None
    return run.version


def test_without_clicks_a_run_is_refused_in_words(clicks: Project, root: User) -> None:
    one = item(clicks, "one")
    Resolution.objects.create(item=one, project=clicks, split="pool", value={"shown": 9, "clicked": 0}, how="behaviour")
    with pytest.raises(DomainError, match="Clicks cannot be learnt yet"):
        runs.create(clicks, root, Wish("head", NGRAMS))


def test_the_snapshot_holds_counts_and_the_job_turns_them_into_targets(clicks: Project, root: User) -> None:
    made = traffic(clicks, 12)
    traffic(clicks, 4, split="holdout")
    run = runs.create(clicks, root, Wish("head", NGRAMS))
    assert set(SnapshotRow.objects.values_list("item_id", flat=True)) == {one.pk for one in made}
    lines = (jobs.prepare(run) / "examples.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    shown, clicked = counted(made[0])
    assert first["weight"] == shown
    assert first["target"] == pytest.approx([1 - clicked / shown, clicked / shown])
    assert [name for _pk, name in run.config["labels"]] == ["not clicked", "clicked"]


def test_label_counts_are_showings_without_and_with_a_click(clicks: Project) -> None:
    made = traffic(clicks, 6)
    shown, clicked = (sum(counted(one)[at] for one in made) for at in (0, 1))
    assert [(count.label.name, count.n) for count in queries.label_counts(clicks)] == [
        ("not clicked", shown - clicked),
        ("clicked", clicked),
    ]


def test_from_clicks_to_a_version_that_serves(clicks: Project, root: User, client_of: ClientOf) -> None:
    traffic(clicks, 80)
    held = traffic(clicks, 40, split="holdout", seed=1)
    version = trained(clicks, root)
    assert (version.task, version.kind) == ("engagement", "head")
    measured = Evaluation.objects.get(version=version)
    assert measured.n == len(held)
    assert measured.metrics["gain_interval"]["low"] > 0
    assert measured.metrics["auc"] > 0.65
    assert measured.metrics["ece"] < 4 * measured.metrics["ece_null"]
    assert headlines.of(measured).metric == "auc"
    versions.promote(clicks, version, by=root)
    second = trained(clicks, root, seed=1, options={"c": 1e-4})  # one that believes next to nothing
    verdict = evaluation.compare(second, version)
    assert (verdict.metric, verdict.kind) == ("log_loss", "worse")
    assert "nats a showing" in verdict.sentence
    assert verdict.fixes == verdict.breaks == ()
    with pytest.raises(InvalidInput, match="say why"):
        versions.promote(clicks, second, by=root)
    client = client_of(root)
    addresses = [reverse(name, args=[clicks.slug]) for name in ("train", "run_new", "items", "label")]
    addresses += [reverse(name, args=[clicks.slug, 1]) for name in ("version", "version_card", "version_compare")]
    for address in [*addresses, reverse("version_compare", args=[clicks.slug, 2])]:
        answer = client.get(address)
        assert answer.status_code == 200, address
    page = client.get(reverse("version", args=[clicks.slug, 1])).content.decode()
    assert "AUC of clicks" in page
    assert "Gain over the click rate" in page
    told = card.markdown(card.card(version))
    assert "AUC of clicks" in told
    assert "Label by label" not in told


def test_the_curve_and_the_queue_have_nothing_to_say_there(clicks: Project, root: User, client_of: ClientOf) -> None:
    traffic(clicks, 12)
    assert clicks.pk not in queries.projects_to_refresh()
    page = client_of(root).get(reverse("curve", args=[clicks.slug]) + "?size=large").content.decode()
    assert "Clicks come from your product" in page


def test_the_few_shot_stage_is_not_offered(clicks: Project, root: User, client_of: ClientOf) -> None:
    traffic(clicks, 50)
    answer = client_of(root).post(f"/p/{clicks.slug}/train/new/", {"way": "setfit", "encoder": "minilm-l6"})
    assert answer.status_code == 422
    assert "clicks are rates" in answer.content.decode()


def test_an_evaluation_is_made_once_per_state_of_the_counts(clicks: Project) -> None:
    held = traffic(clicks, 20, split="holdout")
    version = make_version(clicks, 1, task="engagement")
    clicked = clicks.labels.order_by("pk").last()
    assert clicked is not None
    predict(version, {one.pk: clicked.pk for one in held}, sure=0.3)
    first = evaluation.evaluate(version)
    assert first == evaluation.evaluate(version)
    Resolution.objects.filter(item=held[0]).update(value={"shown": 500, "clicked": 200})
    again = evaluation.evaluate(version)
    assert again is not None
    assert again != first


def test_counts_are_exported_and_shown_beside_the_item(clicks: Project, root: User, client_of: ClientOf) -> None:
    (one,) = traffic(clicks, 1)
    shown, clicked = counted(one)
    (line,) = b"".join(stream(clicks, Choice(file_type="jsonl"))).decode().splitlines()
    assert json.loads(line)["behaviour"] == {"shown": shown, "clicked": clicked}
    page = client_of(root).get(f"/p/{clicks.slug}/items/{one.pk}/").content.decode()
    assert f"{clicked} of {shown} clicked" in page


def test_a_viewer_reads_the_figures_and_may_not_train(clicks: Project, client_of: ClientOf, vic: User) -> None:
    Membership.objects.create(project=clicks, user=vic, role=Role.VIEWER)
    traffic(clicks, 12)
    assert client_of(vic).get(f"/p/{clicks.slug}/train/").status_code == 200
    assert client_of(vic).post(f"/p/{clicks.slug}/train/new/", {"way": "head"}).status_code == 403


def test_splits_are_drawn_as_everywhere(clicks: Project) -> None:
    content.add_items(clicks, [{"text": f"headline {n}", "external_id": str(n)} for n in range(300)])
    held = Item.objects.filter(project=clicks, split=Split.HOLDOUT).count()
    assert 0 < held < 120  # 30 are expected; one honest draw in 10¹³ lies outside
