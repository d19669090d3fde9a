"""A reviewer takes the last word back: the text stands as it stood before, and nobody is told."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Annotation, Lease, PastTruth, Resolution, Task
from apps.annotation.services import Answer, claim, revise, submit, take_in
from apps.annotation.services.asking import ask
from apps.annotation.services.deciding import decide_by_hand
from apps.common.errors import DomainError
from apps.content.models import Item
from apps.notices.models import Notice
from apps.projects.models import Label, Project
from apps.quality import review_queries as queries
from apps.quality.models import Adjudication, Review
from apps.quality.review_queries import Sampling
from apps.quality.services import adjudication, consensus, reviews
from tests.annotation import make
from tests.conftest import ClientOf
from tests.quality.test_review import answered, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def labels(project: Project) -> list[Label]:
    return list(project.labels.order_by("pk"))


@pytest.fixture
def said(project: Project, bob: User, labels: list[Label]) -> Annotation:
    """Bob's answer, through the queue."""
    make.items(project, 1)
    take_in(project)
    return make.answer_next(project, bob, labels[0].pk).annotation


def truth_of(item: Item) -> tuple[object, ...] | None:
    found = Resolution.objects.filter(item=item).values_list("label", "value", "how", "by", "agreement", "certainty")
    return found.first()


def task_of(item: Item) -> tuple[object, ...]:
    return Task.objects.values_list("state", "wanted", "taken", "reason", "rank").get(item=item)


def waiting(project: Project, rita: User) -> list[int]:
    return queries.sample(project, rita, Sampling()).waiting


def test_what_was_put_right_is_the_authors_truth_again(
    project: Project, rita: User, said: Annotation, labels: list[Label]
) -> None:
    Resolution.objects.filter(item=said.item).update(agreement=0.75, certainty=0.5)
    truth, task = truth_of(said.item), task_of(said.item)
    reviews.fix(project, said, rita, {"label": labels[2]})
    assert waiting(project, rita) == []
    assert reviews.undo(project, rita) == said
    assert (truth_of(said.item), task_of(said.item)) == (truth, task)
    assert waiting(project, rita) == [said.pk]
    assert not Review.objects.exists()
    assert not Notice.objects.exists()
    assert reviews.undo(project, rita) is None
    reviews.fix(project, said, rita, {"label": labels[1]})
    assert Resolution.objects.get(item=said.item).label == labels[1]


def test_people_who_were_being_asked_again_are_asked_still(
    project: Project, alice: User, rita: User, said: Annotation, labels: list[Label]
) -> None:
    task = ask(project, said.item, reason=Task.Reason.FEEDBACK, people=2)
    lease = claim(project, alice)[0]
    assert lease.task_id == task.pk
    before = Task.objects.values("state", "wanted", "taken", "rank", "closed_at").get(pk=task.pk)
    reviews.fix(project, said, rita, {"label": labels[2]})
    assert Task.objects.get(pk=task.pk).state == Task.State.DONE
    assert Lease.objects.get(pk=lease.pk).state == Lease.State.EXPIRED
    reviews.undo(project, rita)
    assert Task.objects.values("state", "wanted", "taken", "rank", "closed_at").get(pk=task.pk) == before
    assert Lease.objects.get(pk=lease.pk).state == Lease.State.ACTIVE
    done = submit(project, alice, Answer(token=lease.token, key=uuid4(), label=labels[1].pk))
    assert done.kept_as == "answer"


def test_a_place_that_had_run_out_meanwhile_is_free(
    project: Project, alice: User, bob: User, rita: User, said: Annotation, labels: list[Label]
) -> None:
    task = ask(project, said.item, reason=Task.Reason.FEEDBACK, people=1)
    lease = claim(project, alice)[0]
    reviews.fix(project, said, rita, {"label": labels[2]})
    Lease.objects.filter(pk=lease.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    reviews.undo(project, rita)
    assert Task.objects.values_list("state", "taken").get(pk=task.pk) == (Task.State.OPEN, 0)
    assert Lease.objects.get(pk=lease.pk).state == Lease.State.EXPIRED


def test_a_newer_wish_for_people_is_not_doubled(
    project: Project, rita: User, said: Annotation, labels: list[Label]
) -> None:
    old = ask(project, said.item, reason=Task.Reason.FLIP)
    reviews.fix(project, said, rita, {"label": labels[2]})
    new = ask(project, said.item, reason=Task.Reason.FEEDBACK)
    reviews.undo(project, rita)
    states = dict(Task.objects.filter(pk__in=[old.pk, new.pk]).values_list("pk", "state"))
    assert states == {old.pk: Task.State.DONE, new.pk: Task.State.OPEN}


def test_what_somebody_did_since_is_not_undone(
    project: Project, alice: User, bob: User, rita: User, said: Annotation, labels: list[Label]
) -> None:
    reviews.fix(project, said, rita, {"label": labels[2]})
    decide_by_hand(project, said.item, alice, label=labels[1])
    with pytest.raises(DomainError, match="changed since"):
        reviews.undo(project, rita)
    (other,) = answered(project, alice, 1)
    reviews.fix(project, other, rita, {"label": labels[2]})
    say(project, bob, other.item, labels[1])
    with pytest.raises(DomainError, match="answered this text since"):
        reviews.undo(project, rita)
    (shelved,) = answered(project, alice, 1)
    reviews.fix(project, shelved, rita, {"label": labels[2]})
    Item.objects.filter(pk=shelved.item_id).update(archived_at=timezone.now())
    with pytest.raises(DomainError, match="archived"):
        reviews.undo(project, rita)
    assert Review.objects.count() == 3


def test_a_change_of_mind_after_the_decision_is_kept(
    project: Project, bob: User, rita: User, said: Annotation, labels: list[Label]
) -> None:
    reviews.fix(project, said, rita, {"label": labels[2]})
    revise(project, bob, said.item_id, uuid4(), label=labels[1].pk)
    with pytest.raises(DomainError, match="answered this text since"):
        reviews.undo(project, rita)
    assert Resolution.objects.get(item=said.item).label == labels[2]


def test_a_label_that_was_merged_meanwhile_comes_back_as_what_it_became(
    project: Project, rita: User, said: Annotation, labels: list[Label]
) -> None:
    reviews.fix(project, said, rita, {"label": labels[2]})
    Label.objects.filter(pk=labels[0].pk).update(merged_into=labels[1], archived_at=timezone.now())
    reviews.undo(project, rita)
    assert Resolution.objects.get(item=said.item).label == labels[1]


def test_a_rejection_is_taken_back_with_its_notice_until_the_author_looked(
    project: Project, bob: User, rita: User, said: Annotation, labels: list[Label]
) -> None:
    truth = truth_of(said.item)
    reviews.reject(project, said, rita, "Look again.")
    assert reviews.undo(project, rita) == said
    assert not Notice.objects.exists()
    assert not queries.sent_back(project, bob).exists()
    assert truth_of(said.item) == truth
    reviews.reject(project, said, rita, "It asks for the rate.")
    Notice.objects.update(read_at=timezone.now())
    reviews.undo(project, rita)
    assert Notice.objects.count() == 1, "what was read was said, and nothing is said twice"
    reviews.reject(project, said, rita, "It asks for the rate.")
    say(project, bob, said.item, labels[1])
    with pytest.raises(DomainError, match="looked at it already"):
        reviews.undo(project, rita)


def test_an_approval_is_taken_back_and_only_ones_own_words(
    project: Project, alice: User, rita: User, said: Annotation
) -> None:
    reviews.approve(project, said, rita)
    assert reviews.undo(project, alice) is None
    assert reviews.undo(project, rita) == said
    assert waiting(project, rita) == [said.pk]


def test_the_page_offers_the_way_back_and_shows_the_answer_again(
    project: Project, bob: User, rita: User, client_of: ClientOf
) -> None:
    answered(project, bob, 3)
    client, order = client_of(rita), waiting(project, rita)
    assert "Your last word" not in client.get("/p/bank/review/").content.decode()
    headers = {"HX-Request": "true"}
    given = {"annotation": order[0], "verdict": "approved", "query": "each=5"}
    piece = client.post("/p/bank/review/verdict/", given, headers=headers).content.decode()
    assert 'data-act="undo"' in piece
    back = client.post("/p/bank/review/undo/", {"query": "each=5"})
    assert back.headers["Location"] == f"/p/bank/review/?each=5&answer={order[0]}"
    assert f'value="{order[0]}"' in client.get(back.headers["Location"]).content.decode()
    reviews.approve(project, Annotation.objects.get(pk=order[1]), rita)
    piece = client.post("/p/bank/review/undo/", {"query": ""}, headers=headers).content.decode()
    assert f'value="{order[1]}"' in piece
    assert client.post("/p/bank/review/undo/").status_code == 409
    assert client.get("/p/bank/review/?answer=x").status_code == 200


# --- side by side -----------------------------------------------------------------------------------------
def test_a_text_without_a_truth_that_a_reviewer_put_there_has_none_after_the_undo(
    project: Project, alice: User, rita: User, labels: list[Label]
) -> None:
    (item,) = make.items(project, 1)
    take_in(project)
    lease = claim(project, alice)[0]
    task = task_of(item)
    adjudication.decide(adjudication.put_here(project, item, rita), rita, label=labels[2])
    adjudication.undo(project, rita)
    assert truth_of(item) is None
    assert task_of(item) == task
    done = submit(project, alice, Answer(token=lease.token, key=uuid4(), label=labels[1].pk))
    assert done.kept_as == "answer"


def test_a_truth_decided_alike_stays_whose_it_was(
    project: Project, alice: User, rita: User, labels: list[Label]
) -> None:
    (item,) = make.items(project, 1)
    decide_by_hand(project, item, alice, label=labels[0])
    truth = truth_of(item)
    row = adjudication.decide(adjudication.put_here(project, item, rita), rita, label=labels[0])
    assert truth_of(item) == truth
    assert row.state == Adjudication.State.DECIDED
    adjudication.undo(project, rita)
    assert truth_of(item) == truth
    assert not PastTruth.objects.exists()


def test_how_sure_a_consensus_was_comes_back_so_that_it_waits_still(
    project: Project, bob: User, alice: User, rita: User, labels: list[Label]
) -> None:
    (item,) = make.items(project, 1)
    Resolution.objects.create(
        item=item, project=project, split="pool", label=labels[0], how="consensus", agreement=0.9, certainty=0.51
    )
    project.adjudicate_below = 0.7
    project.save()
    assert consensus.settle(project).opened == 1
    truth = truth_of(item)
    adjudication.decide(Adjudication.objects.get(), rita, label=labels[1])
    adjudication.undo(project, rita)
    assert truth_of(item) == truth
    consensus.settle(project)
    assert Adjudication.objects.get().state == Adjudication.State.OPEN


def test_sending_back_is_taken_back_without_touching_what_was_asked_before(
    project: Project, bob: User, alice: User, rita: User, labels: list[Label]
) -> None:
    project.wanted = 2
    project.save()
    (item,) = make.items(project, 1)
    take_in(project)
    make.answer_next(project, bob, labels[0].pk)
    task = task_of(item)
    row = adjudication.put_here(project, item, rita)
    adjudication.send_back(row, rita, "Is it lost or late?")
    assert Notice.objects.get().user == bob
    adjudication.undo(project, rita)
    assert task_of(item) == task
    assert not Notice.objects.exists()
    adjudication.send_back(Adjudication.objects.get(), rita, "Lost, or late?")
    assert Notice.objects.get().body == "Lost, or late?"
