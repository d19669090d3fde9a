"""What the label page and its pieces are made of."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import uuid4

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.template.loader import get_template

from apps.accounts.http import UserRequest
from apps.annotation import cards, queries, returned
from apps.annotation.forms import AnswerForm
from apps.annotation.models import Annotation, Lease
from apps.annotation.services.golds import Lesson, lesson
from apps.annotation.services.values import checked
from apps.annotation.words import label_words
from apps.common.errors import InvalidInput
from apps.common.forms import whole
from apps.projects.access import capabilities
from apps.projects.models import Label, Project


def page(
    request: UserRequest,
    project: Project,
    leases: list[Lease],
    *,
    error: str = "",
    sent: AnswerForm | None = None,
    learned: Annotation | None = None,
) -> HttpResponse:
    """`sent`: a form that was refused because of `error`; what it said is there again. `learned`: an answer just given,
    whose lesson stands on top (without scripts)."""
    labels = cards.in_groups(list(project.labels.filter(archived_at=None)))
    shown = cards.cards_of(leases, project) if labels else []
    first = returned.card(project, request.user, sent, shown) if sent else _earlier_answer(request, project)
    card = first or (shown[0] if shown else None)
    newest = queries.newest_answer(project, request.user)
    standing = queries.standing(project, request.user)
    context = {
        "project": project,
        "can": partial(_can, project, request),
        "kind": project.task_kind,
        "several": project.task_kind == Project.TaskKind.MULTI,
        "card": card,
        "waiting": [other for other in shown if not card or other.token != card.token],
        "choices": cards.choices(labels, card),
        "grouped": any(label.group for label in labels),
        "explained": [label for label in labels if label.description or label.examples],
        "labels": [_label_json(label) for label in labels],
        "words": label_words(),
        "newest": newest,
        "progress": queries.progress(project),
        "has_items": bool(shown) or project.items.exists(),
        "standing": standing,
        "training": standing.training_left or 0,
        "lesson": _lesson(project, request, learned),
        "learned": learned,
        "sent_back_n": queries.sent_back(project, request.user),
        "key": uuid4(),
        "error": error,
    }
    return render(request, "annotation/label.html", context, status=422 if error else 200)


def piece(
    request: UserRequest,
    project: Project,
    leases: Sequence[Lease],
    *,
    have: str = "",
    stored: Annotation | None = None,
    before: Annotation | None = None,
    **context: Any,
) -> HttpResponse:
    """The cards that the browser does not have yet. Rendered without the frame's context: it is the hot path."""
    known = set(have.split(","))
    fresh = [lease for lease in leases if str(lease.token) not in known]
    shown = cards.cards_of(fresh, project, before=before)
    context |= {"cards": shown, "project": project, "can": partial(_can, project, request), "stored": stored}
    if project.training_items:
        context |= {
            "training": queries.standing(project, request.user).training_left or 0,
            "lesson": _lesson(project, request, stored),
            "learned": stored,
            "lesson_heading": "h1",  # while it is read, it is what the page is about
        }
    if not leases and context.get("kept_as") not in {"revision", "undo"}:
        standing = queries.standing(project, request.user)
        context |= {"empty": True, "standing": standing, "labels": True, "has_items": project.items.exists()}
    return HttpResponse(get_template("annotation/_cards.html").render(context))


def conflict(request: UserRequest, project: Project, form: AnswerForm, stored: Annotation) -> HttpResponse:
    """Both versions; nothing is stored or dropped until the person has chosen one."""
    said = form.said
    mine = Annotation(
        project=project, label_id=said["label"], undecided=said["undecided"], note=said["note"], flagged=said["flagged"]
    )
    try:
        mine.value = checked(project, stored.item.text, said["value"]) if said["value"] is not None else None
    except InvalidInput:
        mine.value = None
    context = {
        "project": project,
        "item": stored.item,
        "mine": mine,
        "stored": stored,
        "base": 0 if stored.retracted else stored.revision,
        "fields": _fields(request.POST),
    }
    template = "annotation/_conflict.html" if request.htmx else "annotation/conflict.html"
    return render(request, template, context, status=409)


def _fields(data: QueryDict) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, values in data.lists()
        for value in values
        if name not in {"base", "csrfmiddlewaretoken"}
    ]


def _can(project: Project, request: UserRequest) -> dict[str, bool]:
    """Called by the template where a card or the empty page has something for some only."""
    return dict.fromkeys(capabilities(request.user, project), True)


def _lesson(project: Project, request: UserRequest, answer: Annotation | None) -> Lesson | None:
    return lesson(project, request.user, answer) if answer is not None and project.training_items else None


def _earlier_answer(request: UserRequest, project: Project) -> cards.Card | None:
    """`?item=` opens one of my earlier answers to change it; how history works without JavaScript."""
    item = whole(request.GET.get("item", ""))
    answer = queries.newest_answer(project, request.user, item_id=item) if item is not None else None
    return cards.cards_of_answers([answer], project)[0] if answer else None


def _label_json(label: Label) -> dict[str, Any]:
    return {
        "id": label.pk,
        "name": label.name,
        "group": label.group,
        "about": label.description,
        "examples": [line for line in label.examples.splitlines() if line.strip()],
        "color": label.color,
        "key": label.hotkey,
    }
