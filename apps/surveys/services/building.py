"""Making a survey. Its questions are fixed once it has been open; a copy can be changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.projects.models import Project
from apps.surveys.models import Question, Survey

MOST_QUESTIONS, MOST_OPTIONS, LONGEST_OPTION = 20, 20, 120
State = Survey.State
FIELDS = ("title_en", "title_zh", "intro_en", "intro_zh", "quota", "once")


@transaction.atomic
def create(project: Project, *, by: User, questions: Sequence[Mapping[str, Any]] = (), **fields: Any) -> Survey:
    _check(fields)
    survey = Survey.objects.create(project=project, by=by, **fields)
    for given in questions:
        add_question(survey, **given)
    return survey


@transaction.atomic
def change(survey: Survey, **fields: Any) -> Survey:
    """Words, quota and the once-only rule; the words stay what they were once people have read them."""
    locked = _lock(survey)
    for name, value in fields.items():
        setattr(locked, name, value)
    _check({name: getattr(locked, name) for name in FIELDS})
    changed = sorted(set(fields) - {"quota"})
    if locked.state != State.DRAFT and changed and _differs(survey, locked, changed):
        raise _not_a_draft()
    locked.save(update_fields=list(fields))
    return locked


def _differs(before: Survey, after: Survey, names: Sequence[str]) -> bool:
    return any(getattr(before, name) != getattr(after, name) for name in names)


@transaction.atomic
def add_question(survey: Survey, *, kind: str, **fields: Any) -> Question:
    _lock(survey, drafts_only=True)
    if survey.questions.count() >= MOST_QUESTIONS:
        raise DomainError(_("A survey asks at most %(n)d questions. Short ones are answered.") % {"n": MOST_QUESTIONS})
    last = survey.questions.order_by("-position").values_list("position", flat=True).first() or 0
    question = Question(survey=survey, position=last + 1, kind=kind, **fields)
    _check_question(question)
    question.save()
    return question


@transaction.atomic
def change_question(question: Question, **fields: Any) -> Question:
    _lock(question.survey, drafts_only=True)
    for name, value in fields.items():
        setattr(question, name, value)
    _check_question(question)
    question.save(update_fields=[*fields, "options"])
    return question


@transaction.atomic
def move_question(question: Question, step: int) -> None:
    _lock(question.survey, drafts_only=True)
    order = list(question.survey.questions.all())
    here = next(place for place, other in enumerate(order) if other.pk == question.pk)
    order.insert(max(0, min(here + step, len(order) - 1)), order.pop(here))
    for position, other in enumerate(order, start=1):
        other.position = position
    Question.objects.bulk_update(order, ["position"])


@transaction.atomic
def remove_question(question: Question) -> None:
    _lock(question.survey, drafts_only=True)
    question.delete()


@transaction.atomic
def open_survey(survey: Survey) -> Survey:
    """For the first time, or again after it was closed."""
    locked = _lock(survey)
    if locked.state == State.OPEN:
        raise DomainError(_("This survey is open already."))
    if not locked.questions.exists():
        raise DomainError(_("Ask at least one question before you open the survey."))
    if locked.quota is not None and locked.responses.count() >= locked.quota:
        raise DomainError(_("All %(n)d responses are there. Raise the number to open it again.") % {"n": locked.quota})
    locked.state, locked.closed_at = State.OPEN, None
    locked.opened_at = locked.opened_at or timezone.now()
    locked.save(update_fields=["state", "opened_at", "closed_at"])
    return locked


@transaction.atomic
def close(survey: Survey) -> Survey:
    locked = _lock(survey)
    if locked.state != State.OPEN:
        raise DomainError(_("This survey is not open."))
    locked.state, locked.closed_at = State.CLOSED, timezone.now()
    locked.save(update_fields=["state", "closed_at"])
    return locked


@transaction.atomic
def copy(survey: Survey, *, by: User) -> Survey:
    """A new draft with the same questions and no answers."""
    made = Survey.objects.create(project=survey.project, by=by, **{name: getattr(survey, name) for name in FIELDS})
    Question.objects.bulk_create(
        Question(
            survey=made,
            position=old.position,
            kind=old.kind,
            wording_en=old.wording_en,
            wording_zh=old.wording_zh,
            options=old.options,
            required=old.required,
        )
        for old in survey.questions.all()
    )
    return made


@transaction.atomic
def delete(survey: Survey) -> None:
    _lock(survey, drafts_only=True)
    survey.delete()


def _lock(survey: Survey, *, drafts_only: bool = False) -> Survey:
    locked = Survey.objects.select_for_update().get(pk=survey.pk)
    if drafts_only and locked.state != State.DRAFT:
        raise _not_a_draft()
    return locked


def _not_a_draft() -> DomainError:
    return DomainError(_("This survey has been open: people answered what it says. Make a copy and change that."))


def _check(fields: Mapping[str, Any]) -> None:
    if not (fields.get("title_en") or fields.get("title_zh")):
        raise InvalidInput(_("A survey needs a title in one language at least."), field="title_en")
    quota = fields.get("quota")
    if quota is not None and quota < 1:
        raise InvalidInput(_("The number of responses is at least 1; leave it empty for no limit."), field="quota")


def _check_question(question: Question) -> None:
    if not (question.wording_en or question.wording_zh):
        raise InvalidInput(_("A question needs words in one language at least."), field="wording_en")
    if question.kind not in Question.CHOICES:
        question.options = []
        return
    options = question.options
    if not 2 <= len(options) <= MOST_OPTIONS:
        sentence = _("Give 2 to %(n)d answers to choose from, one a line.") % {"n": MOST_OPTIONS}
        raise InvalidInput(sentence, field="options")
    for option in options:
        if not (option.get("en") or option.get("zh")):
            raise InvalidInput(_("An answer to choose from has no words."), field="options")
        if any(len(words) > LONGEST_OPTION for words in option.values()):
            sentence = _("An answer to choose from has at most %(n)d characters.") % {"n": LONGEST_OPTION}
            raise InvalidInput(sentence, field="options")
