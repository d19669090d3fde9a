"""Taking in one person's answers. The survey's row lock makes quota and once-only hold under any rush."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.errors import DomainError, InvalidInput
from apps.feedback.models import Signal
from apps.feedback.services import intake
from apps.surveys.models import Given, Question, Response, Survey

LONGEST_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Answers:
    """What one person sent. `values` by question id: a number, a list of places, or words."""

    values: Mapping[int, Any]
    key: str
    source: str
    person: str = ""  # who may answer once; nobody known: ""
    subject: str = ""  # pseudonym
    language: str = ""
    consent: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    response: Response
    new: bool


class Refused(InvalidInput):
    """Several fields may be wrong at once; `fields` holds a sentence for each question id, or "consent"."""

    def __init__(self, fields: dict[int | str, str]) -> None:
        first = next(iter(fields))
        super().__init__(fields[first], field=str(first))
        self.fields = fields


def answer(survey: Survey, sent: Answers) -> Sent:
    """Stored once, however often it is sent. DomainError in words when the survey is closed, full or answered."""
    given = _checked(survey, sent)
    with transaction.atomic():
        locked = Survey.objects.select_for_update().select_related("project").get(pk=survey.pk)
        known = Response.objects.filter(survey=locked, key=sent.key).first()
        if known:
            return Sent(known, new=False)
        _refuse(locked, sent.person)
        response = Response.objects.create(
            survey=locked,
            key=sent.key,
            person=sent.person if locked.once and sent.person else None,
            subject=sent.subject,
            source=sent.source,
            language=sent.language,
            consent=sent.consent,
        )
        for one in given:
            one.response, one.consent = response, sent.consent
        Given.objects.bulk_create(given)
        _tell_feedback(locked, response, given)
        _close_when_full(locked)
    return Sent(response, new=True)


def _tell_feedback(survey: Survey, response: Response, given: list[Given]) -> None:
    """Words are signals too: they show in feedback and its trends beside everything else that people say."""
    for one in given:
        if one.text:
            intake.record(
                survey.project,
                event=f"survey-{survey.pk}-{one.pk}",
                kind=Signal.Kind.ANSWER,
                value={"survey": survey.pk, "question": one.question_id, "answer": one.text},
                comment=one.text,
                subject=response.subject,
                language=response.language,
                source="survey",
            )


def refuse_if_over(survey: Survey, person: str = "") -> None:
    """What the page and the widget say before anybody has written a word."""
    _refuse(survey, person)


def _refuse(survey: Survey, person: str) -> None:
    if survey.state != Survey.State.OPEN:
        raise DomainError(_("This survey is closed. Thank you for coming."))
    if survey.quota is not None and survey.responses.count() >= survey.quota:
        raise DomainError(_("This survey has all the responses it needs. Thank you for coming."))
    if survey.once and person and survey.responses.filter(person=person).exists():
        raise DomainError(_("You have answered this survey already. Thank you."))


def _close_when_full(survey: Survey) -> None:
    if survey.quota is not None and survey.responses.count() >= survey.quota:
        survey.state, survey.closed_at = Survey.State.CLOSED, timezone.now()
        survey.save(update_fields=["state", "closed_at"])


def _checked(survey: Survey, sent: Answers) -> list[Given]:
    questions = list(survey.questions.all())
    wrong: dict[int | str, str] = {}
    given = []
    unknown = set(sent.values) - {question.pk for question in questions}
    if unknown:
        raise InvalidInput(_("This survey has no question %(id)s.") % {"id": min(unknown)}, field=str(min(unknown)))
    for question in questions:
        try:
            one = _given(question, sent.values.get(question.pk))
        except ValueError as refusal:
            wrong[question.pk] = str(refusal)
            continue
        if one:
            given.append(one)
        elif question.required:
            wrong[question.pk] = _("Please answer this one.")
    if any(one.text for one in given) and not sent.consent:
        wrong["consent"] = _("You wrote something: tick this so that it may be kept, or clear the text.")
    if not given and not wrong:
        wrong[questions[0].pk] = _("Please answer one question at least.")
    if wrong:
        raise Refused(wrong)
    return given


def _given(question: Question, value: Any) -> Given | None:
    if value is None or value in ("", []):
        return None
    if question.kind in Question.SCALES:
        return Given(question=question, number=_number(question, value))
    if question.kind in Question.CHOICES:
        return Given(question=question, places=_places(question, value))
    text = value.replace("\r\n", "\n").replace("\r", "\n").strip() if isinstance(value, str) else None
    if text is None or "\0" in text:
        raise ValueError(_("Please answer in words."))
    if len(text) > LONGEST_TEXT:
        raise ValueError(_("At most %(n)d characters fit here.") % {"n": LONGEST_TEXT})
    return Given(question=question, text=text) if text else None


def _number(question: Question, value: Any) -> int:
    first, last = Question.SCALES[Question.Kind(question.kind)]
    if not isinstance(value, int) or isinstance(value, bool) or not first <= value <= last:
        raise ValueError(_("Please choose a number from %(first)d to %(last)d.") % {"first": first, "last": last})
    return value


def _places(question: Question, value: Any) -> list[int]:
    places = value if isinstance(value, list) else [value]
    known = range(len(question.options))
    if any(not isinstance(place, int) or isinstance(place, bool) or place not in known for place in places):
        raise ValueError(_("Please choose from the answers given."))
    if question.kind == Question.Kind.SINGLE and len(places) != 1:
        raise ValueError(_("Please choose one answer."))
    return sorted(set(places))
