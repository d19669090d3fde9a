"""The manager's dashboard: one page over feedback, tickets and the model, and each block as a file."""

from collections.abc import Iterator

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.http import UserRequest
from apps.accounts.models import User
from apps.content.spreadsheet import csv_lines
from apps.projects.access import Capability, capabilities, project_for
from apps.projects.models import Project
from apps.trends import dashboard_queries as queries
from apps.trends.dashboard_blocks import BLOCKS, figures
from apps.trends.dashboard_cells import Block, Desk

PERIODS = (28, 90, 365)


def desk_of(user: User, project: Project, days: int) -> Desk:
    triage = Capability.TRIAGE in capabilities(user, project)
    return Desk(project, queries.period(days), triage, queries.releases(project))


def days_of(given: str) -> int:
    return int(given) if given in {str(days) for days in PERIODS} else PERIODS[0]


@login_required
@require_safe
def dashboard(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.VIEW)
    desk = desk_of(request.user, project, days_of(request.GET.get("days", "")))
    blocks = {key: make(desk) for key, make in BLOCKS.items()}
    standing = queries.standing(project)
    context = {
        "project": project,
        "days": desk.over.days,
        "periods": PERIODS,
        "blocks": blocks.values(),
        "figures": figures(desk, standing, blocks["volume"]),
        "empty": not standing.tickets and not blocks["volume"].rows and not project.signals.exists(),
        "may_manage": Capability.MANAGE in capabilities(request.user, project),
        "keys": desk.link("intake_keys"),
    }
    return render(request, "trends/dashboard.html", context)


@login_required
@require_safe
def dashboard_csv(request: UserRequest, slug: str, block: str) -> HttpResponseBase:
    project = project_for(request.user, slug, need=Capability.VIEW)
    if block not in BLOCKS:
        raise Http404
    days = days_of(request.GET.get("days", ""))
    made = BLOCKS[block](desk_of(request.user, project, days))
    response = StreamingHttpResponse(_lines(made), content_type="text/csv; charset=utf-8")
    name = f"{project.slug}-{block}-{timezone.localdate():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _lines(block: Block) -> Iterator[str]:
    return csv_lines([column.key for column in block.columns], ([cell.value for cell in row] for row in block.rows))
