"""Lists kept under a name, and the page of one item."""

from types import SimpleNamespace

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import PastTruth, Resolution, Task
from apps.annotation.services import changes
from apps.content.models import ImportJob, Item
from apps.explore.models import SavedView
from apps.projects.models import Label, Project
from apps.quality import truth_words
from apps.quality.models import Adjudication, Review
from tests.annotation import make
from tests.conftest import ClientOf
from tests.explore.rows import truth
from tests.quality.said import opinion

URL = "/p/bank/items/"
VIEWS = "/p/bank/views/"


def keep(client: object, name: str, query: str, **more: str) -> int:
    return client.post(VIEWS, {"name": name, "query": query} | more).status_code  # type: ignore[attr-defined,no-any-return]


def test_a_view_has_an_address_and_the_same_name_replaces_it(project: Project, bob: User, client_of: ClientOf) -> None:
    client = client_of(bob)
    assert keep(client, "mine", "truth=none&after=abc&evil=1&sort=oldest") == 302
    view = SavedView.objects.get()
    assert view.query == "truth=none&sort=oldest"  # ours, not the client's
    assert client.get(f"{VIEWS}{view.pk}/")["Location"] == f"{URL}?truth=none&sort=oldest"
    keep(client, "mine", "truth=some")
    assert [(one.pk, one.query) for one in SavedView.objects.all()] == [(view.pk, "truth=some")]
    assert keep(client, "broken", "truth=x") == 422
    assert "mine" in client.get(URL, {"truth": "some"}).content.decode()


def test_own_views_are_ones_own_and_shared_ones_everybodys(
    project: Project, bob: User, rita: User, vic: User, alice: User, charlie: User, client_of: ClientOf
) -> None:
    keep(client_of(bob), "private", "truth=none")
    keep(client_of(rita), "for all", "truth=some", shared="on")
    private, shared = SavedView.objects.get(name="private"), SavedView.objects.get(name="for all")
    assert client_of(vic).get(f"{VIEWS}{shared.pk}/").status_code == 302
    assert client_of(vic).get(f"{VIEWS}{private.pk}/").status_code == 404
    assert client_of(charlie).get(f"{VIEWS}{shared.pk}/").status_code == 404
    assert client_of(bob).post(f"{VIEWS}{shared.pk}/delete/").status_code == 409
    assert keep(client_of(bob), "loud", "", shared="on") == 409
    assert client_of(alice).post(f"{VIEWS}{shared.pk}/delete/").status_code == 302
    assert client_of(bob).post(f"{VIEWS}{private.pk}/delete/").status_code == 302
    assert not SavedView.objects.exists()


def test_who_opens_a_view_with_a_filter_that_is_not_theirs_is_told(
    project: Project, bob: User, rita: User, client_of: ClientOf
) -> None:
    keep(client_of(rita), "measured", "gold=on&truth=some", shared="on")
    view = SavedView.objects.get()
    words = "a filter that is gone, or that is not for you"
    assert words in client_of(bob).get(f"{VIEWS}{view.pk}/", follow=True).content.decode()
    assert words not in client_of(rita).get(f"{VIEWS}{view.pk}/", follow=True).content.decode()


def test_the_api_keeps_and_lists_views(project: Project, bob: User, client_of: ClientOf) -> None:
    client, url = client_of(bob), "/api/v1/projects/bank/explore/views/"
    given = {"name": "mine", "filters": {"truth": "none"}}
    made = client.post(url, given, content_type="application/json").json()
    assert made["url"] == f"{VIEWS}{made['id']}/"
    assert [view["query"] for view in client.get(url).json()] == ["truth=none"]
    wrong = {"name": "x", "filters": {"truth": "x"}}
    assert client.post(url, wrong, content_type="application/json").status_code == 422


# --- one item -----------------------------------------------------------------------------------------


@pytest.fixture
def item(project: Project) -> Item:
    (made,) = make.items(project, 1)
    return made


@pytest.fixture
def labels(project: Project) -> list[Label]:
    return list(project.labels.all())


def why(item: Item, user: User, client_of: ClientOf) -> str:
    page = client_of(user).get(f"{URL}{item.pk}/").content.decode()
    return page.partition('id="why-title"')[2].partition("</section>")[0]


def test_the_page_says_why_the_label_is_what_it_is(
    project: Project, item: Item, labels: list[Label], bob: User, rita: User, client_of: ClientOf
) -> None:
    assert "nobody is asked" in why(item, bob, client_of)
    services.take_in(project)
    assert "waits in the queue" in why(item, bob, client_of)
    make.answer_next(project, bob, labels[0].pk)
    assert "Bob labelled it, and one answer was enough." in why(item, bob, client_of)
    changes.set_truth(project, rita, [item.pk], label=labels[1].pk)
    assert "Rita decided it as a reviewer; 1 person had answered." in why(item, bob, client_of)


def test_consensus_is_told_in_numbers(
    project: Project, item: Item, labels: list[Label], bob: User, rita: User, alice: User, client_of: ClientOf
) -> None:
    for user, label in ((bob, 0), (rita, 0), (alice, 1)):
        opinion(item, user, labels[label])
    assert "3 people answered, and they do not agree" in why(item, bob, client_of)
    truth(item, labels[0], how="consensus", agreement=2 / 3)
    assert "2 of 3 people say so." in why(item, bob, client_of)


def test_a_text_that_a_reviewer_has_to_decide_says_so(
    project: Project, item: Item, bob: User, client_of: ClientOf
) -> None:
    opinion(item, bob, undecided="two at once")
    assert "nobody is asked" in why(item, bob, client_of)
    Adjudication.objects.create(project=project, item=item, why="undecided")
    assert "it waits for a reviewer (somebody could not decide)." in why(item, bob, client_of)


def test_whoever_could_not_decide_is_one_of_the_people(
    project: Project, item: Item, labels: list[Label], bob: User, rita: User, alice: User, client_of: ClientOf
) -> None:
    opinion(item, bob, labels[0])
    opinion(item, rita, labels[0])
    truth(item, labels[0], how="consensus", agreement=1.0)
    assert "2 people agree on it." in why(item, bob, client_of)
    opinion(item, alice, undecided="two at once")
    truth(item, labels[0], how="consensus", agreement=2 / 3)
    assert "2 of 3 people say so." in why(item, bob, client_of)


def test_of_several_labels_it_is_told_how_many_say_exactly_that(
    project: Project, item: Item, labels: list[Label], bob: User, rita: User, alice: User, client_of: ClientOf
) -> None:
    Project.objects.filter(pk=project.pk).update(task_kind="multi")
    one, two, three = (label.pk for label in labels)
    for person, chosen in ((bob, [one, two]), (rita, [one, three]), (alice, [one, two])):
        opinion(item, person, value={"labels": chosen})
    Resolution.objects.create(
        item=item, project=project, split="pool", value={"labels": [one, two]}, how="consensus", agreement=0.8333
    )
    assert "2 of 3 people say exactly that" in why(item, bob, client_of)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("single", "Rita labelled it, and one answer was enough."),
        ("consensus", "2 people agree on it."),
        ("adjudicated", "Rita decided it as a reviewer; 2 people had answered."),
        ("imported", "It came with the item and nobody has changed it since."),
        ("gold", "Rita made it a gold item: its label is beyond doubt."),
        ("behaviour", "It is what people clicked."),
    ],
)
def test_every_way_to_a_label_has_its_sentence(
    project: Project,
    item: Item,
    labels: list[Label],
    bob: User,
    rita: User,
    alice: User,
    client_of: ClientOf,
    how: str,
    words: str,
) -> None:
    for person in (bob, alice):
        opinion(item, person, labels[0])
    made = truth(item, labels[0], how=how, agreement=1.0 if how == "consensus" else None)
    made.by = None if how in {"consensus", "imported", "behaviour"} else rita
    made.save()
    told = why(item, alice, client_of)
    assert words in told
    assert labels[0].name in told
    decided = "Rita decided it as a reviewer; 2 people had answered."
    assert (decided if how == "gold" else words) in why(item, bob, client_of)


def test_every_way_is_in_the_test_above() -> None:
    every = test_every_way_to_a_label_has_its_sentence.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {how for how, _words in every} == set(Resolution.How.values)


@pytest.mark.parametrize(
    ("rule", "source", "words"),
    [
        ("majority", "", "agree on it.</span>"),
        ("dawid_skene", "", "Dawid–Skene weighed them by what it learnt of everybody&#x27;s habits. It is 97 % sure."),
        ("crowdlab", "live_head", "CROWDLAB weighed them and the live head"),
        ("crowdlab", "v3", "CROWDLAB weighed them and version v3"),
        ("crowdlab", "", "No model knows enough of these texts yet."),
    ],
)
def test_the_rule_that_weighed_the_answers_is_named(
    project: Project,
    item: Item,
    labels: list[Label],
    bob: User,
    rita: User,
    client_of: ClientOf,
    monkeypatch: pytest.MonkeyPatch,
    rule: str,
    source: str,
    words: str,
) -> None:
    for person in (bob, rita):
        opinion(item, person, labels[0])
    made = truth(item, labels[0], how="consensus", agreement=1.0)
    made.certainty = 0.97
    made.save()
    last = SimpleNamespace(rule=rule, source=source)
    monkeypatch.setattr(truth_words.consensus, "last_round", lambda _project: last)
    assert words in why(item, bob, client_of)


def test_an_imported_label_names_its_import(
    project: Project, item: Item, labels: list[Label], bob: User, client_of: ClientOf
) -> None:
    job = ImportJob.objects.create(project=project, filename="spring.csv", state="succeeded")
    Item.objects.filter(pk=item.pk).update(source=job.pk)
    truth(item, labels[0], how="imported")
    assert "import “spring.csv”" in why(item, bob, client_of)


def test_the_story_tells_truths_changes_reviews_and_what_was_shown(
    project: Project, item: Item, labels: list[Label], bob: User, rita: User, client_of: ClientOf
) -> None:
    services.take_in(project)
    shown = {"head": 3, "labels": [label.pk for label in labels], "probabilities": [0.1, 0.2, 0.7]}
    Task.objects.filter(item=item).update(suggestion=shown)
    said = make.answer_next(project, bob, labels[0].pk).annotation
    Review.objects.create(
        project=project, annotation=said, annotator=bob, by=rita, verdict="rejected", reason="Read to the end."
    )
    change = changes.set_truth(project, rita, [item.pk], label=labels[1].pk)
    changes.take_back(change, rita)
    assert PastTruth.objects.filter(item=item).count() == 2
    page = client_of(bob).get(f"{URL}{item.pk}/").content.decode()
    for words in (
        *("top up failed", "was shown", "Read to the end.", "This became its label", "labels set by hand"),
        *("looked at the answer of Bob", "took the answer back", "Drawn at random"),
    ):
        assert words in page, words


def test_an_archived_item_says_so(project: Project, item: Item, bob: User, client_of: ClientOf) -> None:
    Item.objects.filter(pk=item.pk).update(archived_at=timezone.now())
    assert "archived without a label" in why(item, bob, client_of)
