"""What surrounds an answer on the label page: context, several labels, two versions, standing, the session."""

import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from apps.accounts.models import User
from apps.annotation import services, sessions
from apps.annotation.context import contexts
from apps.annotation.models import Annotation, Task
from apps.annotation.services import comments, golds
from apps.projects.models import Label, Membership, Project
from apps.quality.models import Review
from tests.annotation import make
from tests.conftest import ClientOf

PAGE = "/p/bank/label/"


@pytest.fixture
def browser(client_of: ClientOf, bob: User) -> Client:
    return client_of(bob)


@pytest.fixture
def queue(project: Project) -> list[Task]:
    make.items(project, 6)
    services.take_in(project)
    return list(Task.objects.order_by("rank").select_related("item"))


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


def body(client: Client, path: str = PAGE) -> str:
    return client.get(path).content.decode()


# --- context ---


def test_the_messages_right_before_it_come_with_a_text(project: Project, bob: User) -> None:
    items = make.items(project, 8)
    project.items.filter(pk__in=[item.pk for item in items]).update(thread="a")
    project.items.filter(pk=items[2].pk).update(thread="b")
    found = contexts([items[7].pk, items[2].pk])
    assert [message.text for message in found[items[7].pk].earlier] == [items[at].text for at in (1, 3, 4, 5, 6)][-5:]
    assert found[items[2].pk].earlier == ()


def test_only_addresses_of_the_web_become_links(project: Project, browser: Client, queue: list[Task]) -> None:
    project.items.update(url="javascript:alert(1)")
    assert "javascript:" not in body(browser)
    project.items.update(url="https://example.org/1")
    assert 'href="https://example.org/1" target="_blank" rel="noopener noreferrer"' in body(browser)


def test_comments_are_counted_on_the_card(project: Project, browser: Client, queue: list[Task], bob: User) -> None:
    comments.comment(project, queue[0].item, bob, "hm")
    assert 'data-comments="1"' in body(browser)


def test_labels_of_a_group_stand_together_under_its_name(project: Project, browser: Client, queue: list[Task]) -> None:
    first, second, third = project.labels.all()
    Label.objects.filter(pk__in=[first.pk, third.pk]).update(group="Cards")
    page = body(browser)
    shown = [int(pk) for pk in re.findall(r'class="answer [^"]*" data-label="(\d+)"', page)]
    assert shown == [first.pk, third.pk, second.pk]
    assert page.count('class="group-name"') == 1


# --- several labels ---


@pytest.fixture
def several(project: Project) -> Project:
    Project.objects.filter(pk=project.pk).update(task_kind="multi", undecided_reasons=["Two meanings"])
    project.refresh_from_db()
    return project


def test_what_passes_its_threshold_is_ticked(several: Project, browser: Client, queue: list[Task]) -> None:
    labels = [label.pk for label in several.labels.all()]
    suggestion = {"head": 1, "labels": labels, "probabilities": [0.9, 0.6, 0.4], "thresholds": [0.5, 0.7, 0.3]}
    Task.objects.update(suggestion=suggestion)
    ticked = re.findall(r'name="labels" value="(\d+)" checked', body(browser))
    assert ticked == [str(labels[0]), str(labels[2])]


def test_where_nothing_passes_none_of_these_is_suggested(several: Project, browser: Client, queue: list[Task]) -> None:
    labels = [label.pk for label in several.labels.all()]
    suggestion = {"head": 1, "labels": labels, "probabilities": [0.3, 0.2, 0.1], "thresholds": [0.5, 0.5, 0.5]}
    Task.objects.update(suggestion=suggestion)
    assert 'id="none" checked' in body(browser)


def test_without_a_suggestion_nothing_is_ticked(several: Project, browser: Client, queue: list[Task]) -> None:
    page = body(browser)
    assert not re.search(r'type="checkbox" name="(labels|none)"[^>]*checked', page)
    sent = {"token": hidden(page, "token"), "key": hidden(page, "key"), "base": "0"}
    assert browser.post(f"{PAGE}submit/", sent).status_code == 422
    assert not Annotation.objects.exists()


def test_an_earlier_answer_comes_back_as_it_was_given(
    several: Project, browser: Client, queue: list[Task], bob: User
) -> None:
    lease = services.claim(several, bob)[0]
    ids = [label.pk for label in several.labels.all()]
    value = {"labels": [ids[2], ids[1]]}
    services.submit(several, bob, services.Answer(token=lease.token, key=uuid4(), value=value, note="hm"))
    page = body(browser, f"{PAGE}?item={lease.task.item_id}")
    assert re.findall(r'name="labels" value="(\d+)" checked', page) == [str(ids[1]), str(ids[2])]
    assert hidden(page, "base") == "1"


# --- a plain form that is refused ---


def test_what_was_ticked_and_written_is_there_again_when_a_form_is_refused(
    several: Project, browser: Client, queue: list[Task]
) -> None:
    labels = [str(label.pk) for label in several.labels.all()]
    suggestion = {"head": 1, "labels": [int(pk) for pk in labels], "probabilities": [0.9] * 3, "thresholds": [0.5] * 3}
    Task.objects.update(suggestion=suggestion)
    page = body(browser)
    sent = {
        "token": hidden(page, "token"),
        "key": hidden(page, "key"),
        "base": "0",
        "note": "a <b> note",
        "flagged": "on",
    }

    def again(**said: object) -> str:
        answer = browser.post(f"{PAGE}submit/", sent | said)
        assert answer.status_code == 422
        return answer.content.decode()

    for said, ticked, none in (
        ({"labels": labels[1:], "none": "on"}, labels[1:], True),
        ({"labels": labels[:1], "note": "x" * 2001}, labels[:1], False),
        ({"none": "on", "note": "x" * 2001}, [], True),
        ({"labels": labels[:1], "undecided": "a reason that is gone"}, labels[:1], False),
    ):
        page = again(**said)
        assert re.findall(r'name="labels" value="(\d+)" checked', page) == ticked
        assert ('id="none" checked' in page) == none
        assert 'id="flagged" checked' in page
        assert hidden(page, "token") == sent["token"]
        assert f">{escape(said.get('note', sent['note']))}</textarea>" in page
        assert '<details class="note-box" id="note-box" open>' in page
    page = again(undecided="Two meanings", note="x" * 2001)
    assert re.search(r'id="undecided-box" open>.*value="Two meanings"[^>]*aria-current="true"', page)
    assert not Annotation.objects.exists()


def test_a_refused_change_of_an_earlier_answer_stays_with_its_text(
    project: Project, browser: Client, queue: list[Task], bob: User
) -> None:
    first, second, _third = project.labels.all()
    before = make.answer_next(project, bob, first.pk).annotation
    sent = {"item": before.item_id, "key": uuid4(), "base": "1", "label": second.pk, "note": "x" * 2001}
    answer = browser.post(f"{PAGE}submit/", sent)
    page = answer.content.decode()
    assert (answer.status_code, hidden(page, "item"), hidden(page, "base")) == (422, str(before.item_id), "1")
    assert re.findall(r'name="label" value="(\d+)" checked', page) == [str(second.pk)]
    assert before.item.text in page


def test_what_a_person_typed_never_comes_back_under_another_text(
    project: Project, browser: Client, queue: list[Task], bob: User
) -> None:
    page = body(browser)
    sent = {"token": hidden(page, "token"), "key": hidden(page, "key"), "base": "0", "note": "mine"}
    services.skip(project, bob, UUID(sent["token"]))
    page = browser.post(f"{PAGE}submit/", sent).content.decode()
    assert queue[0].item.text in page
    assert (hidden(page, "token"), ">mine</textarea>" in page) == (sent["token"], True)
    page = browser.post(f"{PAGE}submit/", sent | {"token": str(uuid4())}).content.decode()
    assert ">mine</textarea>" not in page


def test_a_note_is_as_long_as_its_box_says_with_line_ends(project: Project, browser: Client, queue: list[Task]) -> None:
    page, label = body(browser), project.labels.all()[0]
    note = "line\r\n" * 399 + "end"
    sent = {"token": hidden(page, "token"), "key": hidden(page, "key"), "label": label.pk, "note": note}
    assert browser.post(f"{PAGE}submit/", sent).status_code == 302
    assert Annotation.objects.get().note == note.replace("\r", "")


# --- two versions ---


def test_a_stale_form_gets_both_versions_and_keeps_mine_on_request(
    project: Project, browser: Client, queue: list[Task], bob: User
) -> None:
    stale = body(browser)
    labels = list(project.labels.all())
    make.answer_next(project, bob, labels[0].pk)
    sent = {
        "token": hidden(stale, "token"),
        "key": hidden(stale, "key"),
        "base": "0",
        "label": labels[1].pk,
        "note": "x",
    }
    answer = browser.post(f"{PAGE}submit/", sent)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert Annotation.objects.count() == 1
    for part in (labels[0].name, labels[1].name, queue[0].item.text, 'name="note" value="x"'):
        assert part in page
    again = {name: hidden(page, name) for name in ("token", "key", "label", "note", "base")}
    assert again["base"] == "1"
    assert browser.post(f"{PAGE}submit/", again).status_code == 302
    newest = Annotation.objects.order_by("-pk")[0]
    assert (newest.label, newest.note, newest.revision) == (labels[1], "x", 2)


def test_scripts_get_the_same_as_a_piece(project: Project, browser: Client, queue: list[Task], bob: User) -> None:
    stale = body(browser)
    make.answer_next(project, bob, project.labels.all()[0].pk)
    sent = {"token": hidden(stale, "token"), "key": uuid4(), "base": "0", "label": project.labels.all()[1].pk}
    headers = {"HX-Request": "true", "Accept": "text/html, application/json"}
    answer = browser.post(f"{PAGE}submit/", sent, headers=headers)
    assert (answer.status_code, answer["Content-Type"][:9]) == (409, "text/html")
    assert 'data-base="1"' in answer.content.decode()


# --- standing ---


def test_a_lesson_follows_the_plain_form_too(
    project: Project, browser: Client, queue: list[Task], rita: User, bob: User
) -> None:
    Project.objects.filter(pk=project.pk).update(training_items=3)
    project.refresh_from_db()
    for task in queue[:3]:
        golds.make_gold(project, task.item, rita, label=project.labels.all()[0], explanation="Because of the card.")
    page = body(browser)
    assert "3 texts to go" in page
    sent = {"token": hidden(page, "token"), "key": hidden(page, "key"), "label": project.labels.all()[1].pk}
    after = browser.post(f"{PAGE}submit/", sent, follow=True).content.decode()
    assert "Because of the card." in after
    assert "The agreed answer is another one" in after


def test_a_reviewers_reason_stands_on_the_card(
    project: Project, browser: Client, queue: list[Task], bob: User, rita: User
) -> None:
    said = make.answer_next(project, bob, project.labels.all()[0].pk).annotation
    Review.objects.create(
        project=project, annotation=said, annotator=bob, by=rita, verdict="rejected", reason="Read it again."
    )
    assert "Read it again." in body(browser, f"{PAGE}?item={said.item_id}")
    assert "1 answer was sent back to you" in body(browser)
    assert "sent back" in body(browser, f"{PAGE}history/")


def test_paused_people_read_why(project: Project, browser: Client, queue: list[Task], bob: User) -> None:
    Membership.objects.filter(user=bob).update(paused_at=timezone.now(), paused_why="Let us talk first.")
    assert "Let us talk first." in body(browser)


# --- the session ---


def test_a_session_ends_with_half_an_hour_of_nothing(project: Project, queue: list[Task], bob: User) -> None:
    for _ in range(4):
        make.answer_next(project, bob, project.labels.all()[0].pk)
    said = list(Annotation.objects.order_by("pk"))
    sitting = sessions.sitting(project, bob)
    assert sitting is not None
    assert sitting.items == 4
    later = [Annotation(created_at=timezone.now() - timedelta(minutes=minutes)) for minutes in (0, 20, 45, 80, 90)]
    assert len(sessions._together(later)) == 3
    assert sessions._together(said[:1]) == said[:1]


def test_taken_back_answers_do_not_count(project: Project, queue: list[Task], bob: User) -> None:
    for _ in range(2):
        make.answer_next(project, bob, project.labels.all()[0].pk)
    services.undo(project, bob)
    sitting = sessions.sitting(project, bob)
    assert sitting is not None
    assert (sitting.items, sitting.taken_back) == (1, 1)


def test_nobody_is_ranked_unless_the_lead_wants_it(
    project: Project, browser: Client, queue: list[Task], bob: User, rita: User
) -> None:
    make.answer_next(project, bob, project.labels.all()[0].pk)
    make.answer_next(project, rita, project.labels.all()[0].pk)
    assert "Rita" not in body(browser, f"{PAGE}summary/")
    Project.objects.update(ranking_shown=True)
    assert "Rita" in body(browser, f"{PAGE}summary/")


def test_before_the_first_answer_the_summary_says_what_it_is_for(browser: Client, project: Project) -> None:
    assert "You have not answered anything here yet" in body(browser, f"{PAGE}summary/")
