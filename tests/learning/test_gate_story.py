"""From a complaint to a test that the next model must pass, with real training and without a browser."""

from uuid import uuid4

import pytest

from apps.accounts.models import User
from apps.annotation.models import Prediction
from apps.annotation.services import Answer, claim, submit
from apps.common.errors import InvalidInput
from apps.feedback.models import RegressionCase, Ticket
from apps.feedback.services import loop, outcomes, tickets
from apps.learning import runs as bridge
from apps.learning.services import flip_review, repredictions, versions
from apps.notices.models import Notice
from apps.projects.models import Label, Project
from apps.registry import queries as registry
from apps.registry.models import Deployment, ModelVersion
from tests.feedback import complaints
from tests.learning.teach import add_item, add_items, resolve
from tests.learning.test_train_end_to_end import trained

State = Ticket.State
TEXT = "the shop says my plastic was swallowed by the machine"


def pool_predicted(version: ModelVersion) -> None:
    while bridge.repredict(version.pk):
        pass


def complain(project: Project, version: ModelVersion) -> tuple[Ticket, Label]:
    """Somebody says the model is wrong about a text; what they want is another label than was said."""
    item = add_item(project, TEXT)
    repredictions.want(version, pool=True)
    pool_predicted(version)
    said = Prediction.objects.get(version=version, item=item).label
    wanted = project.labels.exclude(pk=said.pk if said else 0).first()
    assert said
    assert wanted
    for number in range(4):  # so that a model that knows nothing says what was said
        resolve(add_item(project, f"another text about something else {number}"), said)
    ticket = complaints.ticket(project, 1, TEXT, predicted=said, wanted=wanted, item=item)
    complaints.signal(project, TEXT, ticket=ticket, version=version, predicted=said, item=item)
    return ticket, wanted


def test_from_a_thumb_to_a_test_that_the_next_model_must_pass(
    project: Project, alice: User, bob: User, dana: User
) -> None:
    add_items(project, 8)
    add_items(project, 6, split="holdout")
    first = trained(project, alice)
    versions.promote(project, first, by=alice)
    ticket, wanted = complain(project, first)

    # the manager accepts, the annotator is asked at once and without the model's answer
    tickets.accept(ticket, dana)
    lease = claim(project, bob)[0]
    assert lease.task.item_id == ticket.item_id
    assert not lease.shown
    submit(project, bob, Answer(token=lease.token, key=uuid4(), label=wanted.pk))
    loop.follow(project)
    ticket.refresh_from_db()
    assert ticket.state == State.CONFIRMED
    case = RegressionCase.objects.get()
    assert (case.label, list(case.failed.all())) == (wanted, [first])

    # the next version has learnt it
    second = trained(project, alice)
    assert Prediction.objects.filter(version=second, item=case.item_id).exists()  # asked right after training
    versions.promote(project, second, by=alice)
    ticket.refresh_from_db()
    assert (ticket.state, ticket.fixed_in) == (State.FIXED, second)
    pool_predicted(second)
    reviews = [flip_review.send(pk) for pk in flip_review.due()]
    assert [review.deployment.version for review in reviews] == [second]

    # a third one, made bad on purpose, is refused by the gate and forced through
    third = trained(project, alice, options={"c": 1e-6})
    found = outcomes.changes(third, second)
    assert found
    assert found.broken == (case.pk,)
    with pytest.raises(InvalidInput, match="v3 breaks 1 pinned regression case"):
        versions.promote(project, third, by=alice)
    assert registry.live_version(project) == second
    ticket.refresh_from_db()
    assert ticket.state == State.FIXED
    versions.promote(project, third, by=alice, why="a test of the alarm")
    ticket.refresh_from_db()
    assert ticket.state == State.REGRESSED
    notice = Notice.objects.get(kind="regressed")
    assert (notice.user, notice.title) == (dana, "Ticket 1 came back with v3")
    latest = Deployment.objects.order_by("-sequence").first()
    assert latest
    assert latest.why == "a test of the alarm"
    assert latest.verdict["cases"]["broken"] == [case.pk]

    # going back mends it again
    versions.roll_back(project, second, by=alice)
    ticket.refresh_from_db()
    assert (ticket.state, ticket.fixed_in) == (State.FIXED, second)
