from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.forms import first_error
from apps.content.spreadsheet import csv_lines, defused
from apps.projects.access import Capability, capabilities, project_for
from apps.trends import opinions, trend_pages
from apps.trends.forms import RowsForm, SentimentForm, TrendForm
from apps.trends.services import sentiments
from apps.trends.trend_queries import rows_behind, table

ROWS = 50


@login_required
@require_GET
def trends(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.VIEW)
    form = TrendForm(request.GET)
    asked = form.asked
    shown = TrendForm(initial={"measure": asked.measure, "by": asked.by, "step": asked.step, "days": str(asked.days)})
    context = {"project": project, "form": shown, "asked": asked, **trend_pages.page(project, asked)}
    return render(request, "trends/trends.html", context)


@login_required
@require_GET
def trends_csv(request: UserRequest, slug: str) -> StreamingHttpResponse:
    project = project_for(request.user, slug, need=Capability.VIEW)
    found = table(project, TrendForm(request.GET).asked)
    header, rows = trend_pages.cells(found)
    lines = csv_lines([defused(cell) for cell in header], rows)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-trends-{date.today():%Y-%m-%d}.csv"'
    return response


@login_required
@require_GET
def trend_rows(request: UserRequest, slug: str) -> HttpResponse:
    """What one point of a chart counts."""
    project = project_for(request.user, slug, need=Capability.VIEW)
    form = RowsForm(request.GET)
    if not form.is_valid():
        raise InvalidInput(first_error(form))
    data = form.cleaned_data
    found = rows_behind(project, form.asked, data["key"], data["first"], data["length"])
    if data["before"]:
        found = found.filter(moment__lt=data["before"])
    rows = list(found[: ROWS + 1])
    names = {label.pk: label for label in project.labels.all()}
    # whoever sent feedback did not write for everybody in the project
    words = form.asked.measure != "signals" or Capability.TRIAGE in capabilities(request.user, project)
    context: dict[str, Any] = {
        "project": project,
        "asked": form.asked,
        "first": data["first"],
        "length": data["length"],
        "rows": [(row, names.get(row.said)) for row in rows[:ROWS]],
        "words": words,
        "older": _older(request, rows[ROWS - 1].moment) if len(rows) > ROWS else "",
    }
    return render(request, "trends/rows.html", context)


def _older(request: UserRequest, before: datetime) -> str:
    given = {name: value for name, value in request.GET.items() if name != "before"}
    return urlencode(given | {"before": before.isoformat()})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def opinion(request: UserRequest, slug: str) -> HttpResponse:
    need = Capability.TRIAGE if request.method == "POST" else Capability.VIEW
    project = project_for(request.user, slug, need=need)
    if request.method == "POST":
        form = SentimentForm(project, request.POST)
        if form.is_valid():
            sentiments.say(project, **{name: [int(pk) for pk in pks] for name, pks in form.cleaned_data.items()})
            messages.success(request, _("Saved."))
            return redirect("opinion", slug)
        messages.error(request, first_error(form))
    found = opinions.opinion(project)
    known = found.sentiment
    may = capabilities(request.user, project)
    context = {
        "project": project,
        "opinion": found,
        "labels": {label.pk: label for label in project.labels.all()},
        "form": SentimentForm(
            project, initial={"negative": [*map(str, known.negative)], "positive": [*map(str, known.positive)]}
        ),
        "may_say": Capability.TRIAGE in may,
        "words": found.kind == "labels" or Capability.TRIAGE in may,
    }
    return render(request, "trends/opinion.html", context)
