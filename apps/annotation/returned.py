"""A plain form that was refused: its text again, as the person left it. With scripts nothing of this happens."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from django.http import QueryDict

from apps.accounts.models import User
from apps.annotation import queries
from apps.annotation.cards import Card, Ticked, cards_of, cards_of_answers
from apps.annotation.forms import AnswerForm
from apps.annotation.models import Lease, Task
from apps.common.forms import whole
from apps.projects.models import Project


def card(project: Project, user: User, form: AnswerForm, waiting: Sequence[Card]) -> Card | None:
    """The card that the form was about, with what it said. None when it was about none of this person's texts."""
    about = _about(project, user, form.cleaned_data, waiting)
    return replace(about, **_said(project, form)) if about else None


def _about(project: Project, user: User, good: Mapping[str, Any], waiting: Sequence[Card]) -> Card | None:
    if item := good.get("item"):
        answer = queries.newest_answer(project, user, item_id=item)
        return cards_of_answers([answer], project)[0] if answer else None
    token = good.get("token")
    if token is None:
        return None
    return next((card for card in waiting if card.token == str(token)), None) or _let_go(project, user, token)


def _let_go(project: Project, user: User, token: UUID) -> Card | None:
    """A lease may have run out meanwhile: its answer is still taken."""
    mine = Lease.objects.filter(token=token, annotator=user, task__project=project)
    lease = mine.select_related("task__item").first()
    if lease is None:
        return None
    if lease.task.reason == Task.Reason.GOLD:
        lease.task.reason = Task.Reason.RANDOM
    return cards_of([lease], project)[0]


def _said(project: Project, form: AnswerForm) -> dict[str, Any]:
    """As it was sent: what is wrong with it is the person's to mend, not ours to drop. Spans need scripts."""
    sent = cast(QueryDict, form.data)
    said: dict[str, Any] = {
        "base": form.cleaned_data.get("base") or 0,
        "undecided": sent.get("undecided", ""),
        "note": sent.get("note", ""),
        "flagged": "flagged" in sent,
    }
    if project.task_kind == Project.TaskKind.SPANS:
        return said
    several = project.task_kind == Project.TaskKind.MULTI
    names = ("labels",) if several else ("other", "label")
    labels = [pk for name in names for label in sent.getlist(name) if (pk := whole(label)) is not None]
    answer = {"labels": labels} if several else next(iter(labels), None)
    return said | {"answer": answer, "ticked": Ticked(frozenset(labels), none="none" in sent)}
