from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.common.errors import DomainError
from apps.common.forms import whole
from apps.common.pagination import page_after
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.surveys import exports, queries, results, services
from apps.surveys.models import Question, Survey
from apps.surveys.wording import ENGLISH, options, title, wording

SHOWN = 20  # written answers at first


@login_required
@require_GET
@vary_on_headers("HX-Request")
def results_page(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    """`?where=<question>:<answer>` looks at those who gave that answer; `?texts=<question>&after=` goes on reading."""
    project, survey = found(request, slug, pk)
    language = get_language() or ENGLISH
    where = where_of(survey, request.GET.get("where", ""))
    asked = request.GET.get("where", "") if where else ""
    reading = whole(request.GET.get("texts", ""))
    if request.htmx and reading is not None:
        question = get_object_or_404(survey.questions, pk=reading)
        context = _texts(question, where, request.GET.get("after", "")) | {"project": project, "where": asked}
        return render(request, "surveys/_texts.html", context | {"survey": survey})
    chosen = results.results(survey, language, where)
    texts = {
        one.question.pk: _texts(one.question, where, _after(request, one.question))
        for one in chosen.results
        if one.question.kind == Question.Kind.TEXT
    }
    context = {
        "project": project,
        "survey": survey,
        "title": title(survey, language),
        "results": chosen,
        "rows": [(one, texts.get(one.question.pk)) for one in chosen.results],
        "where": asked,
        "where_words": _words(where, language) if where else "",
    }
    return render(request, "surveys/results.html", context)


def _after(request: UserRequest, question: Question) -> str:
    return request.GET.get("after", "") if request.GET.get("texts") == str(question.pk) else ""


def _texts(question: Question, where: results.Where, after: str) -> dict[str, object]:
    page = page_after(queries.texts(question, where), after, limit=SHOWN, newest_first=True)
    waiting = queries.texts(question).filter(item=None).count() if not after else 0
    return {"texts": page.rows, "next": page.next, "question": question, "waiting": waiting}


def where_of(survey: Survey, asked: str) -> results.Where:
    """A filter that names nothing here filters nothing."""
    question, _colon, value = asked.partition(":")
    answer = whole(value, 99)
    one = survey.questions.filter(pk=whole(question) or 0).exclude(kind=Question.Kind.TEXT).first()
    return (one, answer) if one and answer is not None else None


def _words(where: tuple[Question, int], language: str) -> str:
    question, value = where
    words = options(question, language)
    answer = str(value) if question.kind in Question.SCALES else words[value] if value < len(words) else ""
    return _("“%(answer)s” to “%(question)s”") % {"answer": answer, "question": wording(question, language)}


@login_required
@require_GET
def export(request: UserRequest, slug: str, pk: int) -> HttpResponseBase:
    _project, survey = found(request, slug, pk)
    return file_of(survey, request.GET.get("format", "csv"))


def file_of(survey: Survey, kind: str) -> StreamingHttpResponse:
    lines, content_type = (
        (exports.json_lines(survey), "application/x-ndjson")
        if kind == "jsonl"
        else (exports.csv_rows(survey), "text/csv; charset=utf-8")
    )
    response = StreamingHttpResponse(lines, content_type=content_type)
    ending = "jsonl" if kind == "jsonl" else "csv"
    response["Content-Disposition"] = f'attachment; filename="survey-{survey.pk}.{ending}"'
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def items(request: UserRequest, slug: str, pk: int, question: int) -> HttpResponse:
    project, survey = found(request, slug, pk)
    asked = get_object_or_404(survey.questions.select_related("survey__project"), pk=question)
    if asked.kind != Question.Kind.TEXT:
        raise DomainError(_("Only written answers can become items."))
    done = services.make_items(asked)
    said = ngettext("%(n)d item added.", "%(n)d items added.", done.added) % {"n": done.added}
    if done.rejected:
        said += " " + _("%(n)d could not: %(why)s") % {"n": len(done.rejected), "why": done.rejected[0].reason}
    messages.success(request, said)
    return redirect("survey_results", project.slug, survey.pk)


def found(request: UserRequest, slug: str, pk: int) -> tuple[Project, Survey]:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    return project, get_object_or_404(queries.surveys(project), pk=pk)
