"""Regression cases by hand: a text, its ticket, and the answer that people gave."""

from collections.abc import Sequence

from apps.content.models import Item
from apps.feedback.models import RegressionCase, Ticket
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from tests.feedback import complaints
from tests.learning.teach import add_item, predict

State = Ticket.State


def case(
    project: Project, number: int, *, state: State = State.CONFIRMED, pinned: bool = True, split: str = "pool"
) -> RegressionCase:
    """Ticket `number` about a text of its own; the second label is right, the first one was said."""
    said, wanted = project.labels.all()[:2]
    item = add_item(project, f"complaint {number}: which rate is it", split=split)
    ticket = complaints.ticket(
        project, number, item.text, item=item, predicted=said, wanted=wanted, state=state, reach=number
    )
    return RegressionCase.objects.create(project=project, ticket=ticket, item=item, label=wanted, pinned=pinned)


def answer(version: ModelVersion, passes: Sequence[RegressionCase], fails: Sequence[RegressionCase] = ()) -> None:
    """The version says what is expected of some cases, and what was complained about to others."""
    said = version.project.labels.all()[0]
    predict(version, {case.item_id: case.label_id or 0 for case in passes} | {case.item_id: said.pk for case in fails})


def state_of(case: RegressionCase) -> str:
    assert case.ticket
    case.ticket.refresh_from_db()
    return case.ticket.state


def pool(project: Project, n: int) -> list[Item]:
    return [add_item(project, f"pool text {number}") for number in range(n)]
