from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.views.decorators.http import require_GET

from apps.accounts.http import UserRequest
from apps.content.spreadsheet import csv_lines
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.quality import people_queries as queries
from apps.quality import review_queries
from apps.quality.people_forms import PeriodForm
from apps.quality.people_queries import Period, Work

COLUMNS = (
    *("name", "email", "from", "to", "items", "labelled_at_once", "hours", "median_seconds"),
    *("agreement", "agreement_on", "gold_right", "gold_answers", "approved", "reviewed"),
)


@login_required
@require_GET
def people_work(request: UserRequest, slug: str) -> HttpResponse:
    """`?start=&end=`: whole days, both included; this month without."""
    project = project_for(request.user, slug, need=Capability.MANAGE)
    form = PeriodForm(request.GET)
    period = form.period()
    context = _about(project, period) | {"form": _filled(form, period), "rows": queries.work(project, period)}
    return render(request, "quality/people_work.html", context, status=422 if form.errors else 200)


def _about(project: Project, period: Period) -> dict[str, Any]:
    days = {
        "first": date_format(period.first, "SHORT_DATE_FORMAT"),
        "last": date_format(period.last, "SHORT_DATE_FORMAT"),
    }
    return {"project": project, "period": period, "days": days, "longest": round(queries.LONGEST / 60)}


def _filled(form: PeriodForm, period: Period) -> PeriodForm:
    """The form with the days that are shown, so that they can be changed."""
    if form.errors:
        return form
    return PeriodForm({"start": period.first.isoformat(), "end": period.last.isoformat()})


@login_required
@require_GET
def people_work_csv(request: UserRequest, slug: str) -> HttpResponse | StreamingHttpResponse:
    project = project_for(request.user, slug, need=Capability.MANAGE)
    form = PeriodForm(request.GET)
    if not form.is_valid():
        return people_work(request, slug)
    period = form.period()
    response = StreamingHttpResponse(
        csv_lines(COLUMNS, _cells(project, period)), content_type="text/csv; charset=utf-8"
    )
    name = f"{project.slug}-work-{period.first.isoformat()}-{period.last.isoformat()}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _cells(project: Project, period: Period) -> Iterator[list[Any]]:
    for one in queries.work(project, period):
        yield list(row_of(one, period).values())


def row_of(one: Work, period: Period) -> dict[str, Any]:
    """A row of the file and of the API."""
    return dict(
        zip(
            COLUMNS,
            (
                one.user.name,
                one.user.email,
                period.first.isoformat(),
                period.last.isoformat(),
                one.items,
                one.at_once,
                round(one.hours, 2),
                None if one.median is None else round(one.median, 1),
                None if one.agreement.mean is None else round(one.agreement.mean, 4),
                one.agreement.n,
                one.gold.right,
                one.gold.n,
                one.reviewed.right,
                one.reviewed.n,
            ),
            strict=True,
        )
    )


@login_required
@require_GET
def my_work(request: UserRequest, slug: str) -> HttpResponse:
    """One's own figures; those of others only where the lead wants everybody to see them."""
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    form = PeriodForm(request.GET)
    period = form.period()
    everybody = queries.work(project, period) if project.ranking_shown else []
    mine = next((one for one in everybody if one.user == request.user), None)
    context = _about(project, period) | {
        "form": _filled(form, period),
        "mine": mine or queries.work(project, period, user=request.user)[0],
        "everybody": everybody,
        "sent_back": review_queries.sent_back(project, request.user).count(),
        "me": request.user,
    }
    return render(request, "quality/people_me.html", context, status=422 if form.errors else 200)
