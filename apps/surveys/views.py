"""Making surveys. Every step is a plain form post; with htmx the same posts swap the builder."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.forms import add_refusal, whole
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.surveys import queries, services
from apps.surveys.forms import QuestionForm, SurveyForm, question_form
from apps.surveys.models import Question, Survey
from apps.surveys.wording import CHINESE, ENGLISH, ask, intro, languages, title


@login_required
@require_GET
def surveys(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    language = get_language() or ENGLISH
    rows = [(row, title(row, language)) for row in queries.surveys(project)]
    return render(request, "surveys/surveys.html", {"project": project, "rows": rows})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def survey_new(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    form = SurveyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create(project, by=request.user, **form.cleaned_data)
        except InvalidInput as refusal:
            add_refusal(form, refusal)
        else:
            return redirect("survey", slug, made.pk)
    context = {"project": project, "form": form}
    return render(request, "surveys/new.html", context, status=422 if form.errors else 200)


@login_required
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "HEAD", "POST"])
def survey(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    """The builder. A POST changes title, quota and rules; `?edit=<id>` opens a question."""
    project, found = _survey(request, slug, pk)
    if request.method != "POST":
        return _builder(request, project, found)
    form = SurveyForm(request.POST, instance=Survey.objects.get(pk=found.pk))
    if form.is_valid():
        try:
            services.change(found, **form.cleaned_data)
        except InvalidInput as refusal:
            add_refusal(form, refusal)
        else:
            return _done(request, project, found, _("Saved."))
    return _builder(request, project, found, form=form)


@login_required
@require_POST
@vary_on_headers("HX-Request")
def question_add(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project, found = _survey(request, slug, pk)
    form = QuestionForm(request.POST, instance=Question(survey=found))
    if form.is_valid():
        try:
            services.add_question(found, **form.fields_given())
        except InvalidInput as refusal:
            _shown_at(form, refusal)
        else:
            return _done(request, project, found, _("Question added."))
    return _builder(request, project, found, adding=form)


@login_required
@require_POST
@vary_on_headers("HX-Request")
def question_change(request: UserRequest, slug: str, pk: int, question: int) -> HttpResponse:
    project, found, asked = _question(request, slug, pk, question)
    form = QuestionForm(request.POST, instance=asked, auto_id=f"id_{asked.pk}_%s")
    if form.is_valid():
        try:
            services.change_question(asked, **form.fields_given())
        except InvalidInput as refusal:
            _shown_at(form, refusal)
        else:
            return _done(request, project, found, _("Saved."))
    return _builder(request, project, found, editing=(asked.pk, form))


def _shown_at(form: QuestionForm, refusal: InvalidInput) -> None:
    refusal.field = "options_en" if refusal.field == "options" else refusal.field
    add_refusal(form, refusal)


@login_required
@require_POST
@vary_on_headers("HX-Request")
def question_move(request: UserRequest, slug: str, pk: int, question: int) -> HttpResponse:
    project, found, asked = _question(request, slug, pk, question)
    services.move_question(asked, -1 if request.POST.get("step") == "up" else 1)
    return _done(request, project, found, _("Moved."))


@login_required
@require_POST
@vary_on_headers("HX-Request")
def question_remove(request: UserRequest, slug: str, pk: int, question: int) -> HttpResponse:
    project, found, asked = _question(request, slug, pk, question)
    services.remove_question(asked)
    return _done(request, project, found, _("Question removed."))


@login_required
@require_POST
def survey_open(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    return _act(request, slug, pk, services.open_survey, _("The survey is open. Its link works now."))


@login_required
@require_POST
def survey_close(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    return _act(request, slug, pk, services.close, _("The survey is closed. What was answered stays."))


@login_required
@require_POST
def survey_copy(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project, found = _survey(request, slug, pk)
    made = services.copy(found, by=request.user)
    messages.success(request, _("This is the copy. It can be changed until it is opened."))
    return redirect("survey", project.slug, made.pk)


@login_required
@require_POST
def survey_delete(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project, found = _survey(request, slug, pk)
    services.delete(found)
    messages.success(request, _("The draft is deleted."))
    return redirect("surveys", project.slug)


def _act(request: UserRequest, slug: str, pk: int, act: Callable[[Survey], Survey], said: str) -> HttpResponse:
    project, found = _survey(request, slug, pk)
    act(found)
    messages.success(request, said)
    return redirect("survey", project.slug, pk)


def _survey(request: UserRequest, slug: str, pk: int) -> tuple[Project, Survey]:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    return project, get_object_or_404(queries.surveys(project), pk=pk)


def _question(request: UserRequest, slug: str, pk: int, question: int) -> tuple[Project, Survey, Question]:
    project, found = _survey(request, slug, pk)
    return project, found, get_object_or_404(found.questions.select_related("survey"), pk=question)


def _done(request: UserRequest, project: Project, found: Survey, said: str) -> HttpResponse:
    if not request.htmx:
        messages.success(request, said)
        return redirect("survey", project.slug, found.pk)
    response = _builder(request, project, queries.surveys(project).get(pk=found.pk))
    response["HX-Trigger"] = _announce(said)
    return response


def _announce(said: str) -> str:
    from json import dumps

    return dumps({"announce": said})  # json escapes everything beyond ASCII, as a header must


def _builder(
    request: UserRequest,
    project: Project,
    found: Survey,
    *,
    form: SurveyForm | None = None,
    adding: QuestionForm | None = None,
    editing: tuple[int, QuestionForm] | None = None,
) -> HttpResponse:
    questions = queries.questions(found)
    wanted = whole(request.GET.get("edit", ""))
    if editing is None:
        editing = next(((one.pk, question_form(one)) for one in questions if one.pk == wanted), None)
    refused = any(each is not None and each.errors for each in (form, adding, editing[1] if editing else None))
    context: dict[str, Any] = {
        "project": project,
        "survey": found,
        "title": title(found, get_language() or ENGLISH),
        "draft": found.state == Survey.State.DRAFT,
        "form": form or SurveyForm(instance=found),
        "questions": questions,
        "adding": adding or QuestionForm(),
        "editing": editing[0] if editing else None,
        "edit_form": editing[1] if editing else None,
        "link": request.build_absolute_uri(reverse("survey_page", args=[found.token])),
        "script": request.build_absolute_uri(f"{settings.STATIC_URL}widget/survey.js"),
        "previews": [
            (code, title(found, code), intro(found, code), ask(questions, code))
            for code in (ENGLISH, CHINESE)
            if code in languages(found, questions)
        ],
    }
    template = "surveys/_builder.html" if request.htmx else "surveys/survey.html"
    return render(request, template, context, status=422 if refused else 200)
