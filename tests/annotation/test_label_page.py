"""The label page as a plain form, and the pieces it answers scripts with."""

import json
import re
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils.html import escape

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Annotation, Lease, Task
from apps.feedback.models import Ticket
from apps.projects.models import Label, Project
from tests.annotation import make
from tests.conftest import ClientOf

XSS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "' onfocus=alert(1) x='",
    "</template><b>",
]


@pytest.fixture
def queue(project: Project) -> list[Task]:
    make.items(project, 6)
    services.take_in(project)
    return list(Task.objects.order_by("rank"))


@pytest.fixture
def browser(bob: User, client_of: ClientOf) -> Client:
    return client_of(bob)


def hidden(page: HttpResponse, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.content.decode())
    assert found, name
    return found[1]


def cards(piece: HttpResponse) -> list[str]:
    return re.findall(r'data-card data-token="([^"]+)"', piece.content.decode())


def label_of(project: Project, place: int = 0) -> Label:
    return project.labels.all()[place]


def piece_of(client: Client, path: str, data: dict[str, object]) -> HttpResponse:
    headers = {"HX-Request": "true", "Accept": "text/html, application/json"}
    return client.post(f"/p/bank/label/{path}/", data, headers=headers)


def answer(client: Client, token: object, label: Label, **more: object) -> HttpResponse:
    return piece_of(client, "submit", {"token": token, "key": uuid4(), "label": label.pk, **more})


# --- the seven questions ---


def test_the_page_shows_my_text_and_keeps_the_next_one_ready(browser: Client, queue: list[Task], bob: User) -> None:
    page = browser.get("/p/bank/label/")
    assert page.status_code == 200
    assert queue[0].item.text in page.content.decode()
    assert cards(page) == [str(lease.token) for lease in Lease.objects.order_by("task__rank")]
    assert Lease.objects.filter(annotator=bob, state="active").count() == 2
    assert "no-store" in page["Cache-Control"]


@pytest.mark.parametrize("who", ["alice", "bob", "rita"])
def test_those_who_may_annotate_get_in(
    who: str, queue: list[Task], client_of: ClientOf, request: pytest.FixtureRequest
) -> None:
    assert client_of(request.getfixturevalue(who)).get("/p/bank/label/").status_code == 200


@pytest.mark.parametrize(("who", "status"), [("dana", 403), ("vic", 403), ("charlie", 404)])
@pytest.mark.parametrize("path", ["", "submit/", "skip/", "undo/", "renew/", "history/"])
def test_others_do_not(
    path: str, who: str, status: int, queue: list[Task], client_of: ClientOf, request: pytest.FixtureRequest
) -> None:
    client = client_of(request.getfixturevalue(who))
    ask = client.get if path in {"", "history/"} else client.post
    assert ask(f"/p/bank/label/{path}").status_code == status
    assert not Lease.objects.exists()


def test_strangers_to_the_installation_are_sent_to_sign_in(queue: list[Task], client: Client) -> None:
    answer_to = client.post("/p/bank/label/submit/", {"token": uuid4(), "key": uuid4(), "label": 1})
    assert answer_to.status_code == 302
    assert "login" in answer_to["Location"]


@pytest.mark.parametrize("path", ["submit/", "skip/", "undo/", "renew/"])
def test_a_get_changes_nothing(path: str, browser: Client, queue: list[Task]) -> None:
    assert browser.get(f"/p/bank/label/{path}").status_code == 405


# --- the plain form ---


def test_the_plain_form_saves_and_leads_to_the_next_text(browser: Client, queue: list[Task], project: Project) -> None:
    page = browser.get("/p/bank/label/")
    chosen = label_of(project, 1)
    sent = {
        "token": hidden(page, "token"),
        "key": hidden(page, "key"),
        "label": chosen.pk,
        "note": "sure",
        "flagged": "on",
    }
    after = browser.post("/p/bank/label/submit/", sent, follow=True)
    assert after.redirect_chain == [("/p/bank/label/", 302)]
    said = Annotation.objects.get()
    assert (said.item_id, said.label_id, said.note, said.flagged) == (queue[0].item_id, chosen.pk, "sure", True)
    assert hidden(after, "token") == str(Lease.objects.get(task=queue[1]).token)


def test_the_plain_form_sent_twice_saves_once(browser: Client, queue: list[Task], project: Project) -> None:
    page = browser.get("/p/bank/label/")
    sent = {"token": hidden(page, "token"), "key": hidden(page, "key"), "label": label_of(project).pk}
    for _ in range(2):
        assert browser.post("/p/bank/label/submit/", sent).status_code == 302
    assert Annotation.objects.count() == 1


def test_without_a_choice_the_page_comes_back_and_says_so(browser: Client, queue: list[Task]) -> None:
    page = browser.get("/p/bank/label/")
    again = browser.post("/p/bank/label/submit/", {"token": hidden(page, "token"), "key": hidden(page, "key")})
    assert again.status_code == 422
    assert "Choose a label first" in again.content.decode()
    assert hidden(again, "token") == hidden(page, "token")
    assert not Annotation.objects.exists()


def test_a_flag_alone_is_an_answer(browser: Client, queue: list[Task]) -> None:
    page = browser.get("/p/bank/label/")
    sent = {"token": hidden(page, "token"), "key": hidden(page, "key"), "flagged": "on"}
    assert browser.post("/p/bank/label/submit/", sent).status_code == 302
    said = Annotation.objects.get()
    assert said.flagged
    assert said.label is None


def test_skip_and_undo_are_plain_buttons(browser: Client, queue: list[Task], project: Project, bob: User) -> None:
    page = browser.get("/p/bank/label/")
    browser.post("/p/bank/label/skip/", {"token": hidden(page, "token")})
    assert Lease.objects.get(task=queue[0]).state == "skipped"
    page = browser.get("/p/bank/label/")
    sent = {"token": hidden(page, "token"), "key": hidden(page, "key"), "label": label_of(project).pk}
    browser.post("/p/bank/label/submit/", sent)
    page = browser.get("/p/bank/label/")
    assert hidden(page, "of") == sent["key"]
    browser.post("/p/bank/label/undo/", {"of": sent["key"]})
    assert Annotation.objects.filter(retracted=True).count() == 1
    assert hidden(browser.get("/p/bank/label/"), "token") == sent["token"]


def test_undo_asked_twice_takes_back_once(browser: Client, queue: list[Task], project: Project, bob: User) -> None:
    keys = [make.answer_next(project, bob, label_of(project).pk).annotation.key for _ in range(3)]
    for _ in range(2):
        browser.post("/p/bank/label/undo/", {"of": keys[-1]})
    assert Annotation.objects.filter(retracted=True).count() == 1


def test_an_earlier_answer_is_changed_through_its_link(
    browser: Client, queue: list[Task], project: Project, bob: User
) -> None:
    before = make.answer_next(project, bob, label_of(project).pk).annotation
    page = browser.get(f"/p/bank/label/?item={before.item_id}")
    assert queue[0].item.text in page.content.decode()
    sent = {"item": hidden(page, "item"), "key": hidden(page, "key"), "label": label_of(project, 2).pk}
    assert browser.post("/p/bank/label/submit/", sent).status_code == 302
    newest = Annotation.objects.order_by("-pk").first()
    assert newest is not None
    assert (newest.item_id, newest.revision, newest.label_id) == (before.item_id, 2, label_of(project, 2).pk)


# --- pieces for scripts ---


def test_an_answer_brings_only_the_card_the_browser_does_not_have(
    browser: Client, queue: list[Task], project: Project
) -> None:
    first, second = cards(browser.get("/p/bank/label/"))
    piece = answer(browser, first, label_of(project), have=second)
    third = str(Lease.objects.get(task=queue[2]).token)
    assert cards(piece) == [third]
    assert queue[2].item.text in piece.content.decode()
    assert "<html" not in piece.content.decode()
    assert 'id="outcome" value="answer"' in piece.content.decode()


def test_a_card_that_an_answer_brings_says_as_much_as_one_of_the_page(
    queue: list[Task], project: Project, alice: User, client_of: ClientOf
) -> None:
    browser = client_of(alice)
    first, second = cards(browser.get("/p/bank/label/"))
    Task.objects.filter(pk=queue[2].pk).update(reason=Task.Reason.FEEDBACK)
    Ticket.objects.create(project=project, number=7, task=queue[2], item=queue[2].item, text=queue[2].item.text)
    piece = answer(browser, first, label_of(project), have=second).content.decode()
    about = re.search(r'<div class="about.*</div>', piece)
    assert about
    assert f'href="/p/bank/similar/?item={queue[2].item_id}"' in about[0]
    assert 'href="/p/bank/triage/7/"' in about[0]
    assert about[0] in browser.get("/p/bank/label/").content.decode()


def test_links_of_others_are_not_on_a_card(browser: Client, queue: list[Task], project: Project) -> None:
    first, second = cards(browser.get("/p/bank/label/"))
    Task.objects.filter(pk=queue[2].pk).update(reason=Task.Reason.FEEDBACK)
    Ticket.objects.create(project=project, number=7, task=queue[2], item=queue[2].item, text=queue[2].item.text)
    piece = answer(browser, first, label_of(project), have=second).content.decode()
    assert "/similar/?item=" in piece
    assert "/triage/" not in piece


def test_the_same_key_again_is_said_to_be_a_repeat(browser: Client, queue: list[Task], project: Project) -> None:
    first, _second = cards(browser.get("/p/bank/label/"))
    key = uuid4()
    outcomes = [answer(browser, first, label_of(project), key=key).content.decode() for _ in range(2)]
    assert 'value="repeat"' in outcomes[1]
    assert Annotation.objects.count() == 1


def test_a_refusal_comes_in_words(browser: Client, queue: list[Task], project: Project) -> None:
    first, _second = cards(browser.get("/p/bank/label/"))
    none = piece_of(browser, "submit", {"token": first, "key": uuid4()})
    assert none.status_code == 422
    assert none.json()["detail"].startswith("Choose a label first")
    foreign = answer(browser, uuid4(), label_of(project))
    assert foreign.status_code == 409
    assert "not handed out to you" in foreign.json()["detail"]
    assert not Annotation.objects.exists()


@pytest.mark.parametrize("field", ["token", "key", "label", "seconds", "item"])
def test_nonsense_is_refused_not_stumbled_over(
    field: str, browser: Client, queue: list[Task], project: Project
) -> None:
    first, _second = cards(browser.get("/p/bank/label/"))
    for nonsense in ["", "x", "-1", "1e999", "9" * 30, "\x00", "null"]:
        sent = {"token": first, "key": uuid4(), "label": label_of(project).pk, "seconds": "1", field: nonsense}
        assert piece_of(browser, "submit", sent).status_code in {200, 409, 422}, nonsense


def test_undo_answers_with_the_text_and_what_was_chosen(
    browser: Client, queue: list[Task], project: Project, bob: User
) -> None:
    keys = [make.answer_next(project, bob, label_of(project, 1).pk).annotation.key for _ in range(2)]
    body = piece_of(browser, "undo", {"of": keys[1]}).content.decode()
    assert queue[1].item.text in body
    assert f'data-answer="{label_of(project, 1).pk}"' in body
    assert f'data-newest="{keys[0]}"' in body


def test_renewing_moves_the_end_of_my_leases_only(
    browser: Client, queue: list[Task], alice: User, project: Project
) -> None:
    tokens = cards(browser.get("/p/bank/label/"))
    (hers, _) = services.claim(project, alice)
    Lease.objects.update(expires_at="2001-01-01T00:00Z")
    answered = browser.post("/p/bank/label/renew/", {"tokens": ",".join([*tokens, str(hers.token)])})
    assert answered.status_code == 204
    assert set(Lease.objects.filter(expires_at__year__gt=2001).values_list("annotator__name", flat=True)) == {"Bob"}


def test_the_history_lists_my_answers_newest_first(
    browser: Client, queue: list[Task], project: Project, bob: User, alice: User
) -> None:
    mine = [make.answer_next(project, bob, label_of(project, place).pk).annotation.item_id for place in (0, 1)]
    make.answer_next(project, alice, label_of(project, 2).pk)
    body = browser.get("/p/bank/label/history/").content.decode()
    assert re.findall(r'data-earlier="(\d+)"', body) == [str(item) for item in reversed(mine)]


def test_progress_is_a_piece_of_the_same_page(browser: Client, queue: list[Task], project: Project) -> None:
    piece = browser.get("/p/bank/label/", headers={"HX-Request": "true", "HX-Target": "progress"})
    assert "<html" not in piece.content.decode()
    assert "hold-out" in piece.content.decode()
    assert "HX-Request" in piece["Vary"]
    assert not Lease.objects.exists()


# --- what is shown ---


def test_a_suggestion_comes_with_its_bar_and_is_chosen_already(
    browser: Client, queue: list[Task], project: Project
) -> None:
    best, second = label_of(project, 1), label_of(project, 0)
    suggestion = {"head": 1, "labels": [best.pk, second.pk], "probabilities": [0.71, 0.14]}
    Task.objects.filter(pk=queue[0].pk).update(suggestion=suggestion, reason="uncertain", score=0.57)
    body = browser.get("/p/bank/label/").content.decode()
    assert f'value="{best.pk}" checked' in body
    assert body.count(" checked>") == 1 + body.count('id="at-once" checked')
    assert "71 %" in body
    assert "57 points apart" in body


def test_hold_out_texts_are_labelled_blind(browser: Client, project: Project) -> None:
    make.items(project, 1, split="holdout")
    services.take_in(project)
    body = browser.get("/p/bank/label/").content.decode()
    assert "labelled blind, to measure the model" in body
    assert re.search(r'type="radio"[^>]* checked', body) is None
    assert "data-blind" in body


def test_with_many_labels_the_likeliest_come_first(browser: Client, queue: list[Task], project: Project) -> None:
    Label.objects.bulk_create(
        Label(project=project, name=f"intent {place:02}", position=place) for place in range(10, 84)
    )
    wanted = [label.pk for label in list(project.labels.all())[40:45]]
    suggestion = {"head": 1, "labels": wanted, "probabilities": [0.5, 0.2, 0.1, 0.1, 0.05]}
    Task.objects.filter(pk=queue[0].pk).update(suggestion=suggestion, reason="uncertain", score=0.3)
    body = browser.get("/p/bank/label/").content.decode()
    shown = [int(pk) for pk in re.findall(r'class="answer [^"]*" data-label="(\d+)"', body)]
    assert shown[:5] == wanted
    assert len(shown) == len(set(shown)) == 77


def test_archived_labels_are_not_offered(browser: Client, queue: list[Task], project: Project) -> None:
    gone = label_of(project)
    Label.objects.filter(pk=gone.pk).update(archived_at="2026-01-01T00:00Z")
    body = browser.get("/p/bank/label/").content.decode()
    assert f'data-label="{gone.pk}"' not in body


@pytest.mark.parametrize("nasty", XSS)
def test_texts_labels_and_metadata_are_only_ever_text(nasty: str, browser: Client, project: Project) -> None:
    Label.objects.filter(pk=label_of(project).pk).update(name=nasty, description=nasty)
    Project.objects.update(guidelines=nasty, name=nasty)
    (item,) = make.items(project, 1)
    project.items.model.objects.create(
        project=project, external_id=nasty, text=nasty, text_hash=item.text_hash, split="pool", meta={nasty: nasty}
    )
    services.take_in(project)
    body = browser.get("/p/bank/label/").content.decode()
    assert escape(nasty) in body
    if "<" in nasty:  # a quote alone does nothing between tags, and attributes are always quoted and escaped
        assert nasty not in re.sub(r"<script[^>]* type=.application/json.>.*?</script>", "", body, flags=re.DOTALL)


def test_the_language_of_the_text_is_told(browser: Client, project: Project) -> None:
    make.items(project, 1)
    Project.objects.update(language="zh")
    services.take_in(project)
    assert 'id="item-text" lang="zh"' in browser.get("/p/bank/label/").content.decode()


# --- states ---


def test_an_empty_queue_says_what_to_do(browser: Client, project: Project, bob: User) -> None:
    make.items(project, 1)
    services.take_in(project)
    make.answer_next(project, bob, label_of(project).pk)
    body = browser.get("/p/bank/label/").content.decode()
    assert "Nothing to label right now" in body


def test_a_project_without_texts_says_so(browser: Client, project: Project) -> None:
    assert "There are no texts yet" in browser.get("/p/bank/label/").content.decode()


def test_a_project_without_labels_says_so(browser: Client, queue: list[Task], project: Project) -> None:
    project.labels.all().delete()
    assert "has no labels yet" in browser.get("/p/bank/label/").content.decode()


# --- cheapness ---


def test_an_answer_costs_few_queries(
    browser: Client, queue: list[Task], project: Project, django_assert_max_num_queries: object
) -> None:
    first, second = cards(browser.get("/p/bank/label/"))
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        answer(browser, first, label_of(project), have=second)


def test_the_labels_are_sent_with_the_page_only(browser: Client, queue: list[Task], project: Project) -> None:
    page = browser.get("/p/bank/label/")
    data = re.search(r'<script id="labels-data" type="application/json">(.*?)</script>', page.content.decode())
    assert data
    assert [label["name"] for label in json.loads(data[1])] == [label.name for label in project.labels.all()]
    piece = answer(browser, cards(page)[0], label_of(project))
    assert label_of(project).name not in piece.content.decode()
