"""The queue of texts that a reviewer decides: side by side, authors hidden, one step to choose, and a way back."""

from uuid import uuid4

import pytest
from django.urls import reverse

from apps.accounts.models import User
from apps.annotation.models import Annotation, Comment, PastTruth, Resolution, Task
from apps.annotation.services import claim, revise, take_in
from apps.annotation.services.deciding import decide_by_hand
from apps.common.errors import DomainError
from apps.notices.models import Notice
from apps.projects.models import Label, Project
from apps.quality import adjudication_cards as cards
from apps.quality.models import Adjudication
from apps.quality.services import adjudication, consensus
from tests.annotation import make
from tests.conftest import ClientOf
from tests.quality.said import opinion, opinions, task_of

State = Adjudication.State


@pytest.fixture
def labels(project: Project) -> list[Label]:
    return list(project.labels.order_by("pk"))


@pytest.fixture
def tie(project: Project, bob: User, alice: User, labels: list[Label]) -> Adjudication:
    """Bob and Alice differ about one text."""
    (item,) = make.items(project, 1)
    opinion(item, bob, labels[0], note="the card never came")
    opinion(item, alice, labels[1])
    consensus.settle(project)
    return Adjudication.objects.get(item=item)


def _url(project: Project, name: str, *more: int) -> str:
    return reverse(name, args=[project.slug, *more])


def test_answers_stand_side_by_side_without_their_authors(
    project: Project, rita: User, tie: Adjudication, labels: list[Label], client_of: ClientOf
) -> None:
    page = client_of(rita).get(_url(project, "adjudicate")).content.decode()
    article = page[page.index("<article") : page.index("</article>")]
    assert labels[0].name in article
    assert labels[1].name in article
    assert "the card never came" in article
    assert "Bob" not in article
    assert "Alice" not in article


def test_a_comment_does_not_tell_whose_answer_is_whose(
    project: Project, rita: User, dana: User, bob: User, tie: Adjudication, labels: list[Label], client_of: ClientOf
) -> None:
    Comment.objects.create(item=tie.item, by=bob, text="I am sure of it")
    Comment.objects.create(item=tie.item, by=dana, text="Customers ask this a lot")
    page = client_of(rita).get(_url(project, "adjudicate")).content.decode()
    article = page[page.index("<article") : page.index("</article>")]
    assert "I am sure of it" in article
    assert "one of those who answered" in article
    assert "Bob" not in article
    assert "Dana" in article
    adjudication.decide(tie, rita, label=labels[0])
    assert [remark.by for remark in cards.card(tie, authors=True).comments] == ["Bob", "Dana"]


def test_the_same_answers_stand_together_in_an_order_that_stays(
    project: Project, tie: Adjudication, labels: list[Label], rita: User
) -> None:
    opinion(tie.item, rita, labels[1])
    first, again = cards.card(tie), cards.card(tie)
    assert sorted(side.people for side in first.sides) == [1, 2]
    assert [side.annotation for side in first.sides] == [side.annotation for side in again.sides]
    assert [side.key for side in first.sides] == [1, 2]


def test_one_choice_decides_and_the_next_text_comes_with_who_said_what(
    project: Project, rita: User, tie: Adjudication, labels: list[Label], client_of: ClientOf
) -> None:
    right = next(side for side in cards.card(tie).sides if side.marks[0].label == labels[1])

    answer = client_of(rita).post(
        _url(project, "adjudicate_decide", tie.pk), {"answer": right.annotation}, headers={"HX-Request": "true"}
    )

    truth = Resolution.objects.get(item=tie.item)
    assert (truth.how, truth.label, truth.by) == (Resolution.How.ADJUDICATED, labels[1], rita)
    tie.refresh_from_db()
    assert (tie.state, tie.by) == (State.DECIDED, rita)
    shown = answer.content.decode()
    assert "Bob" in shown
    assert "Nothing to decide" in shown


def test_without_scripts_the_post_leads_to_the_next_text(
    project: Project, rita: User, tie: Adjudication, labels: list[Label], client_of: ClientOf
) -> None:
    answer = client_of(rita).post(_url(project, "adjudicate_decide", tie.pk), {"label": labels[2].pk})
    assert answer.status_code == 302
    assert Resolution.objects.get(item=tie.item).label == labels[2]


def test_two_reviewers_do_not_decide_one_text_twice(
    project: Project, rita: User, alice: User, tie: Adjudication, labels: list[Label]
) -> None:
    adjudication.decide(tie, rita, label=labels[0])
    with pytest.raises(DomainError, match="Somebody else"):
        adjudication.decide(tie, alice, label=labels[1])
    assert Resolution.objects.get(item=tie.item).label == labels[0]


def test_a_decision_is_undone_to_what_was_there_before(
    project: Project, rita: User, tie: Adjudication, labels: list[Label]
) -> None:
    adjudication.decide(tie, rita, label=labels[0])
    again = adjudication.undo(project, rita)
    assert again is not None
    assert again.state == State.OPEN
    assert not Resolution.objects.filter(item=tie.item).exists()

    Resolution.objects.create(item=tie.item, project=project, split="pool", label=labels[2], how="consensus")
    adjudication.decide(again, rita, label=labels[0])
    adjudication.undo(project, rita)
    truth = Resolution.objects.get(item=tie.item)
    assert (truth.label, truth.how) == (labels[2], Resolution.How.CONSENSUS)
    assert PastTruth.objects.filter(item=tie.item).exists()
    assert adjudication.undo(project, rita) is None


def test_a_truth_that_somebody_changed_since_is_not_undone(
    project: Project, rita: User, alice: User, tie: Adjudication, labels: list[Label]
) -> None:
    adjudication.decide(tie, rita, label=labels[0])
    decide_by_hand(project, tie.item, alice, label=labels[2])
    with pytest.raises(DomainError, match="changed since"):
        adjudication.undo(project, rita)


def test_sending_back_tells_those_who_answered_and_asks_one_more(
    project: Project, rita: User, bob: User, alice: User, labels: list[Label]
) -> None:
    project.wanted = 2
    project.save()
    (item,) = make.items(project, 1)
    take_in(project)
    for user, label in ((bob, labels[0]), (alice, labels[1])):
        make.answer_next(project, user, label.pk)
    Task.objects.filter(item=item).update(state=Task.State.DONE, wanted=2)
    Resolution.objects.filter(item=item).delete()
    consensus.settle(project)
    row = Adjudication.objects.get(item=item)

    adjudication.send_back(row, rita, "Is the card lost or late?")

    assert set(Notice.objects.values_list("user", flat=True)) == {bob.pk, alice.pk}
    assert Notice.objects.filter(body="Is the card lost or late?", url__contains=f"item={item.pk}").count() == 2
    task = Task.objects.get(item=item)
    assert (task.state, task.wanted, task.taken) == (Task.State.OPEN, 3, 2)
    assert consensus.settle(project).opened == 0, "it waits for somebody's new answer"
    assert [lease.task_id for lease in claim(project, rita)] == [task.pk]
    make.answer_next(project, rita, labels[1].pk)
    truth = Resolution.objects.get(item=item)
    assert (truth.label, truth.how) == (labels[1], Resolution.How.CONSENSUS)


def test_what_was_sent_back_and_is_still_a_tie_comes_again(
    project: Project, rita: User, bob: User, tie: Adjudication, labels: list[Label]
) -> None:
    adjudication.send_back(tie, rita, "Look again")
    Task.objects.filter(item=tie.item).update(state=Task.State.DONE)
    assert consensus.settle(project).opened == 0
    opinion(tie.item, bob, labels[2], revision=2)
    assert consensus.settle(project).opened == 1


def test_a_comment_is_needed_to_send_back_and_the_step_can_be_undone(
    project: Project, rita: User, tie: Adjudication, client_of: ClientOf
) -> None:
    refused = client_of(rita).post(
        _url(project, "adjudicate_send_back", tie.pk), {"comment": " "}, headers={"HX-Request": "true"}
    )
    assert refused.status_code == 422
    adjudication.send_back(tie, rita, "Look again")
    assert Task.objects.get(item=tie.item).state == Task.State.OPEN
    client_of(rita).post(_url(project, "adjudicate_undo"))
    tie.refresh_from_db()
    assert tie.state == State.OPEN
    assert Task.objects.get(item=tie.item).state == Task.State.DONE


def _spans_project(project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(task_kind="spans")
    project.refresh_from_db()


def test_where_nobody_marked_anything_the_form_offers_nothing_to_tick(
    project: Project, rita: User, bob: User, labels: list[Label], client_of: ClientOf
) -> None:
    _spans_project(project)
    (item,) = make.items(project, 1)
    opinion(item, bob, undecided="too short")
    consensus.settle(project)
    row = Adjudication.objects.get(item=item)
    page = client_of(rita).get(_url(project, "adjudicate")).content.decode()
    assert "Spans that stay" not in page
    assert "The words to mark" in page
    client_of(rita).post(_url(project, "adjudicate_decide", row.pk), {"quote": ""})
    truth = Resolution.objects.get(item=item).value
    assert truth is not None
    assert truth["spans"] == []


def test_spans_that_not_everybody_marked_stand_out_in_the_text(
    project: Project, rita: User, bob: User, alice: User, labels: list[Label], client_of: ClientOf
) -> None:
    _spans_project(project)
    (item,) = make.items(project, 1)
    word = {"start": 0, "end": 8, "label": labels[0].pk, "quote": item.text[:8]}
    number = {"start": 9, "end": len(item.text), "label": labels[1].pk, "quote": item.text[9:]}
    opinions(project, [item], [bob, alice], [[{"spans": [word]}, {"spans": [word, number]}]])
    task_of(item)
    row = adjudication.put_here(project, item, rita)

    found = cards.card(row)

    longer = max(found.sides, key=lambda side: len(side.marks))
    assert [mark.differs for mark in longer.marks] == [False, True]
    assert "".join(piece.text for piece in longer.segments) == item.text
    assert [label.pk for label in found.labels] == [labels[1].pk]
    client = client_of(rita)
    page = client.get(_url(project, "adjudicate")).content.decode()
    assert page.count("<mark") == 3
    kept = [f"0-8-{labels[0].pk}"]
    answer = client.post(
        _url(project, "adjudicate_decide", row.pk),
        {"spans": kept, "quote": item.text[9:], "span_label": labels[2].pk},
        headers={"HX-Request": "true"},
    )
    assert answer.status_code == 200
    truth = Resolution.objects.get(item=item).value
    assert [(one["start"], one["label"]) for one in truth["spans"]] == [(0, labels[0].pk), (9, labels[2].pk)]


def test_several_labels_show_what_differs_and_take_an_own_answer(
    project: Project, rita: User, bob: User, alice: User, labels: list[Label], client_of: ClientOf
) -> None:
    Project.objects.filter(pk=project.pk).update(task_kind="multi")
    project.refresh_from_db()
    (item,) = make.items(project, 1)
    both = {"labels": [labels[0].pk, labels[1].pk]}
    opinions(project, [item], [bob, alice], [[both, {"labels": [labels[0].pk]}]])
    row = adjudication.put_here(project, item, rita)
    marks = {mark.label: mark.differs for side in cards.card(row).sides for mark in side.marks}
    assert marks == {labels[0]: False, labels[1]: True}
    client_of(rita).post(_url(project, "adjudicate_decide", row.pk), {"labels": [labels[2].pk]})
    assert Resolution.objects.get(item=item).value == {"labels": [labels[2].pk]}


def test_the_api_does_what_the_page_does(
    project: Project, rita: User, tie: Adjudication, labels: list[Label], client_of: ClientOf
) -> None:
    client, base = client_of(rita), f"/api/v1/projects/{project.slug}/adjudications/"
    assert [row["id"] for row in client.get(base).json()] == [tie.pk]
    detail = client.get(f"{base}{tie.pk}/").json()
    assert len(detail["sides"]) == 2
    assert "authors" not in detail["sides"][0]
    chosen = detail["sides"][0]
    done = client.post(f"{base}{tie.pk}/decide/", {"answer": chosen["answer"]}, content_type="application/json")
    assert done.json()["state"] == "decided"
    assert Resolution.objects.get(item=tie.item).label_id == chosen["labels"][0]["label"]
    assert client.post(f"{base}undo/").json()["state"] == "open"
    own = client.post(f"{base}{tie.pk}/decide/", {"label": labels[2].pk}, content_type="application/json")
    assert own.json()["state"] == "decided"


def test_a_reviewer_puts_any_text_here_but_no_gold_item(
    project: Project, rita: User, labels: list[Label], client_of: ClientOf
) -> None:
    plain, gold = make.items(project, 2)
    Resolution.objects.create(item=gold, project=project, split="pool", label=labels[0], how="gold")
    client = client_of(rita)
    assert client.post(_url(project, "adjudicate_ask"), {"item": plain.pk}).status_code == 302
    assert Adjudication.objects.get().why == Adjudication.Why.ASKED
    api = f"/api/v1/projects/{project.slug}/adjudications/"
    assert client.post(api, {"item": plain.pk}, content_type="application/json").status_code == 201
    assert client.post(api, {"item": gold.pk}, content_type="application/json").status_code == 409
    assert Adjudication.objects.get().item == plain


def test_after_the_decision_a_change_of_mind_does_not_ask_anybody_again(
    project: Project, rita: User, bob: User, alice: User, labels: list[Label]
) -> None:
    project.wanted = 2
    project.save()
    (item,) = make.items(project, 1)
    take_in(project)
    for user, label in ((bob, labels[0]), (alice, labels[0])):
        make.answer_next(project, user, label.pk)
    adjudication.decide(adjudication.put_here(project, item, rita), rita, label=labels[2])
    revise(project, bob, item.pk, uuid4(), label=labels[1].pk)
    assert Annotation.objects.filter(item=item, annotator=bob).count() == 2
    assert Task.objects.get(item=item).state == Task.State.DONE
    assert Resolution.objects.get(item=item).label == labels[2]
