from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.content.models import Item
from apps.learning.models import TrainingRun
from apps.learning.services import evaluation, flips, versions
from apps.projects.models import Label, Project
from apps.registry import queries as registry
from apps.registry.models import Deployment, ModelVersion
from tests.learning.teach import add_item, add_items, make_version, predict, right_but

ClientOf = Callable[[User], Client]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def held(project: Project) -> list[Item]:
    return add_items(project, 60, split="holdout")


@pytest.fixture
def pair(project: Project, held: list[Item], alice: User) -> tuple[ModelVersion, ModelVersion]:
    """v1 is live and 120 of 180 right; v2 waits, with 170 of 180."""
    labels = list(project.labels.all())
    live, candidate = make_version(project, 1), make_version(project, 2)
    predict(live, right_but(held, labels, 60))
    predict(candidate, right_but(held, labels, 10))
    evaluation.evaluate(live)
    evaluation.evaluate(candidate)
    versions.promote(project, live, by=alice)
    return live, candidate


def at(name: str, *args: object) -> str:
    return reverse(name, args=["bank", *args])


PAGES = ["train", "version", "version_compare", "version_manifest", "flips", "run"]


def address(name: str, project: Project) -> str:
    if name == "train":
        return at("train")
    if name == "run":
        return at("run", TrainingRun.objects.create(project=project, kind="head", state="succeeded").pk)
    return at(name, 2)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.usefixtures("pair")
def test_every_member_may_look_and_nobody_else(
    project: Project, vic: User, charlie: User, client_of: ClientOf, name: str
) -> None:
    url = address(name, project)
    assert client_of(vic).get(url).status_code == 200
    assert client_of(charlie).get(url).status_code == 404
    assert Client().get(url).status_code == 302


@pytest.mark.usefixtures("pair")
def test_only_an_administrator_may_act(
    project: Project, bob: User, rita: User, dana: User, vic: User, charlie: User, client_of: ClientOf
) -> None:
    run = TrainingRun.objects.create(project=project, kind="head", state="queued")
    for url in (at("run_new"), at("run_cancel", run.pk), at("promote", 2), at("rollback", 1)):
        for user in (bob, rita, dana, vic):
            assert client_of(user).post(url).status_code == 403
        assert client_of(charlie).post(url).status_code == 404
        assert client_of(bob).put(url).status_code in (403, 405)
    assert "Promote v2" not in client_of(vic).get(at("train")).content.decode()
    assert Deployment.objects.count() == 1
    run.refresh_from_db()
    assert run.state == "queued"


def test_an_empty_project_says_what_the_page_is_for(project: Project, alice: User, client_of: ClientOf) -> None:
    page = client_of(alice).get(at("train")).content.decode()
    assert "Nothing is trained yet" in page
    assert "No run yet" in page


@pytest.mark.usefixtures("pair")
def test_the_page_begins_with_the_answer_and_shows_the_verdict(
    project: Project, alice: User, client_of: ClientOf
) -> None:
    page = client_of(alice).get(at("train")).content.decode()
    assert "<b>v1</b> is live and gets <b>66.7 %</b>" in page
    assert "v2 is better than v1 by 27.8 points" in page
    assert "Promoting lets v2 answer in place of v1" in page
    assert page.index("is live and gets") < page.index("is better than") < page.index("Promote v2")


def test_promoting_on_the_page_is_recorded_and_shown(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion], client_of: ClientOf
) -> None:
    answer = client_of(alice).post(at("promote", 2), {"why": "better", "seen": 1}, follow=True)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "v2 is live now" in page
    assert "“better”" in page
    row = registry.serving(project)
    assert row is not None
    assert (row.version, row.by, row.why) == (pair[1], alice, "better")
    assert "Roll back to v1" in page


@pytest.mark.usefixtures("pair")
def test_a_decision_on_old_news_is_refused_on_the_page_with_the_reason_kept(
    project: Project, alice: User, client_of: ClientOf
) -> None:
    answer = client_of(alice).post(at("promote", 2), {"why": "my reason", "seen": 0})
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "Somebody else has just changed" in page
    assert "my reason" in page


@pytest.mark.usefixtures("pair")
def test_rolling_back_on_the_page(project: Project, alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    client.post(at("promote", 2), {"seen": 1})
    assert client.post(at("rollback", 1), {"why": "complaints", "seen": 2}).status_code == 302
    assert [str(row.version) for row in registry.deployments(project)] == ["v1", "v2", "v1"]


@pytest.mark.usefixtures("pair")
def test_another_projects_version_and_run_are_not_found(alice: User, client_of: ClientOf) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="char-ngrams")
    foreign = TrainingRun.objects.create(project=other, kind="head", state="queued")
    make_version(other, 7, label_order=[])
    client = client_of(alice)
    assert client.get(at("run", foreign.pk)).status_code == 404
    assert client.post(at("run_cancel", foreign.pk)).status_code == 404
    assert client.get(at("version", 7)).status_code == 404
    assert client.post(at("promote", 7)).status_code == 404


def test_a_run_is_refused_on_the_form_in_words(project: Project, alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).post(at("run_new"), {"way": "head", "encoder": "char-ngrams"})
    assert answer.status_code == 409
    assert "at least two labels" in answer.content.decode()
    assert not TrainingRun.objects.exists()


def test_a_label_without_examples_may_be_left_out_on_the_form(
    project: Project, alice: User, client_of: ClientOf
) -> None:
    add_items(project, 5)
    Label.objects.create(project=project, name="lost phone", position=9)
    client = client_of(alice)
    body = {"way": "head", "encoder": "char-ngrams", "seed": 4}
    refused = client.post(at("run_new"), body)
    assert refused.status_code == 422
    assert "“lost phone”" in refused.content.decode()
    started = client.post(at("run_new"), body | {"leave_out": "on"})
    run = TrainingRun.objects.get()
    assert started["Location"] == at("run", run.pk)
    assert (run.kind, run.seed, run.by) == ("head", 4, alice)


def test_nonsense_in_the_form_is_said_at_the_field(project: Project, alice: User, client_of: ClientOf) -> None:
    add_items(project, 5)
    body = {"way": "magic", "encoder": "", "epochs": -1, "learning_rate": "x"}
    answer = client_of(alice).post(at("run_new"), body)
    assert answer.status_code == 422
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize("state", list(TrainingRun.State))
def test_every_state_of_a_run_has_its_page(project: Project, alice: User, client_of: ClientOf, state: str) -> None:
    run = TrainingRun.objects.create(
        project=project,
        kind="transformer",
        state=state,
        progress=0.5,
        config={"encoder": "minilm-l6", "labels": [], "epochs": 3},
        error="It broke." if state in ("failed", "refused") else "",
        log_tail="<b>hello</b>",
        curve=[{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0, "dev_accuracy": 0.5}],
    )
    client = client_of(alice)
    page = client.get(at("run", run.pk)).content.decode()
    live = state in TrainingRun.LIVE
    assert ("every 1500ms" in page) == live
    assert ("Cancel the run" in page) == (state in ("queued", "running"))
    assert ("It broke." in page) == (state in ("failed", "refused"))
    assert "&lt;b&gt;hello" in page
    assert "<polyline" in page
    assert page.count('<th scope="row" class="num">') == 2, "the curve as a table, a row for each step"
    piece = client.get(at("run", run.pk), headers=HTMX | {"HX-Target": "run-state"}).content.decode()
    assert piece.lstrip().startswith('<div class="part" id="run-state"')
    log = client.get(at("run", run.pk), headers=HTMX | {"HX-Target": "run-log"}).content.decode()
    assert log.startswith("<pre")


def test_the_list_of_runs_asks_for_itself_until_the_run_ends(
    project: Project, alice: User, client_of: ClientOf
) -> None:
    run = TrainingRun.objects.create(project=project, kind="head", state="running", config={"encoder": "char-ngrams"})
    client = client_of(alice)
    going = client.get(at("train"), headers=HTMX)
    assert "every 2s" in going.content.decode()
    assert "HX-Retarget" not in going
    TrainingRun.objects.filter(pk=run.pk).update(state="succeeded")
    ended = client.get(at("train"), headers=HTMX)
    assert (ended["HX-Retarget"], ended["HX-Reselect"]) == ("#main", "#main"), "the verdict above the list is news, too"
    assert '<main id="main"' in ended.content.decode()


@pytest.mark.usefixtures("pair")
def test_a_version_page_shows_labels_confusion_and_the_items_behind_a_cell(
    project: Project, alice: User, client_of: ClientOf, held: list[Item]
) -> None:
    client, labels = client_of(alice), list(project.labels.all())
    page = client.get(at("version", 1)).content.decode()
    assert "Confusion matrix" in page
    assert "Label by label" in page
    assert "Calibration error" in page
    cell = {"truth": labels[0].pk, "predicted": labels[1].pk}
    assert f"?truth={labels[0].pk}&amp;predicted={labels[1].pk}" in page
    piece = client.get(at("version", 1), cell, headers=HTMX).content.decode()
    assert held[0].text in piece
    assert "<html" not in piece
    whole = client.get(at("version", 1), cell).content.decode()
    assert held[0].text in whole


def test_the_manifest_is_a_file_with_what_made_the_version(
    project: Project, vic: User, pair: tuple[ModelVersion, ModelVersion], client_of: ClientOf
) -> None:
    answer = client_of(vic).get(at("version_manifest", 2))
    assert answer["Content-Disposition"] == 'attachment; filename="bank-v2.json"'
    body = answer.json()
    assert body["label_order"] == pair[1].label_order
    assert body["snapshot_hash"] == "1" * 64
    assert {"digest", "seed", "config", "metrics", "encoder_digest"} <= body.keys()


@pytest.mark.usefixtures("pair")
def test_the_comparison_lists_what_is_fixed_and_broken(alice: User, client_of: ClientOf, held: list[Item]) -> None:
    page = client_of(alice).get(at("version_compare", 2)).content.decode()
    assert "50 items only v2 gets right" in page
    assert "0 items only v1 gets right" in page
    assert held[20].text in page


def test_flips_show_both_labels_side_by_side_and_no_holdout(
    project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion], client_of: ClientOf
) -> None:
    labels = list(project.labels.all())
    pool = [add_item(project, f"pool text {number}") for number in range(120)]
    predict(pair[0], {item.pk: labels[0].pk for item in pool})
    predict(pair[1], {item.pk: labels[number % 2].pk for number, item in enumerate(pool)})
    client = client_of(alice)
    page = client.get(at("flips", 2)).content.decode()
    assert "60 items of the pool" in page
    assert "pool text 1<" in page
    assert "pool text 2<" not in page
    assert page.count('<li class="beside">') == 50
    more = flips.flips(pair[0], pair[1], limit=50)[-1].item
    piece = client.get(at("flips", 2), {"after": more}, headers=HTMX).content.decode()
    assert piece.count('<li class="beside">') == 10
    none = client.get(at("flips", 2), {"before": labels[2].pk}).content.decode()
    assert "No label changed" in none


@pytest.mark.parametrize("query", ["truth=x", "before=-1", "after=1e999", "against=99999999999999999999"])
@pytest.mark.usefixtures("pair")
def test_filters_that_make_no_sense_are_refused(alice: User, client_of: ClientOf, query: str) -> None:
    client = client_of(alice)
    assert client.get(f"{at('flips', 2)}?{query}").status_code == 422
    assert client.get(f"{at('version', 2)}?{query}").status_code == 422


@pytest.mark.usefixtures("pair")
def test_the_page_asks_the_database_the_same_number_of_times_for_more_versions(
    project: Project, alice: User, client_of: ClientOf, django_assert_max_num_queries: Callable[..., object]
) -> None:
    client = client_of(alice)
    client.get(at("train"))
    for number in range(3, 9):
        make_version(project, number)
    with django_assert_max_num_queries(45):  # type: ignore[attr-defined]
        client.get(at("train"))
