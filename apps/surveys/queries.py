from django.db.models import Count, Max, QuerySet

from apps.projects.models import Project
from apps.surveys.models import Given, Question, Response, Survey


def surveys(project: Project) -> QuerySet[Survey]:
    rows = Survey.objects.filter(project=project).order_by("-pk")
    return rows.annotate(n_responses=Count("responses"), last_at=Max("responses__at"))


def by_token(token: str) -> Survey | None:
    """One that people outside may see; a draft does not exist for them."""
    rows = Survey.objects.select_related("project").exclude(state=Survey.State.DRAFT)
    return rows.filter(token=token, project__archived_at=None).first()


def has_answered(survey: Survey, person: str) -> bool:
    return bool(person) and survey.responses.filter(person=person).exists()


def questions(survey: Survey) -> list[Question]:
    return list(survey.questions.all())


def responses(survey: Survey, where: "tuple[Question, int] | None" = None) -> QuerySet[Response]:
    """Of everybody, or of those who gave one answer."""
    rows = Response.objects.filter(survey=survey)
    if where is None:
        return rows
    question, value = where
    answered = Given.objects.filter(question=question)
    scale = question.kind in Question.SCALES
    answered = answered.filter(number=value) if scale else answered.filter(places__contains=value)
    return rows.filter(pk__in=answered.values("response"))


def texts(question: Question, where: "tuple[Question, int] | None" = None) -> QuerySet[Given]:
    rows = Given.objects.filter(question=question).exclude(text="").select_related("question", "response", "item")
    return rows if where is None else rows.filter(response__in=responses(question.survey, where))
