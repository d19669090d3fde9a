"""Raw signals as they came in, those set aside included."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.forms import first_error, whole
from apps.common.pagination import page_after
from apps.content.spreadsheet import csv_lines
from apps.feedback import triage_pages
from apps.feedback.models import Signal
from apps.feedback.services import triage as services
from apps.feedback.triage_forms import SignalFilter
from apps.projects.access import Capability, project_for
from apps.projects.models import Project

ROWS, BLOCK = 50, 2_000
COLUMNS = (
    *("id", "event", "received_at", "occurred_at", "kind", "polarity", "state", "why_aside", "ticket", "version"),
    *("predicted", "confidence", "wanted", "value", "text", "comment", "language", "source", "subject"),
)


def _signals(project: Project) -> QuerySet[Signal]:
    return Signal.objects.filter(project=project).select_related("ticket", "version", "predicted", "wanted")


@login_required
@require_GET
@vary_on_headers("HX-Request")
def signals(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    form = SignalFilter(project, request.GET)
    found = _signals(project)
    found = found.filter(form.where) if form.is_valid() else found.none()
    page = page_after(found, request.GET.get("after", "")[:60], limit=ROWS, newest_first=True)
    context = {
        "project": project,
        "form": form,
        "rows": page.rows,
        "query": urlencode(form.chosen),
        "next": urlencode(form.chosen | {"after": page.next}) if page.next else "",
        "filtered": bool(form.chosen),
        "any": bool(page.rows) or project.signals.exists(),
        "aside": project.signals.filter(state=Signal.State.ASIDE).count(),
        "tabs": triage_pages.tabs(project, "signals"),
    }
    template = "feedback/_signal_rows.html" if request.htmx and form.is_valid() else "feedback/signals.html"
    return render(request, template, context, status=422 if form.errors else 200)


@login_required
@require_POST
def signals_back(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    given = request.POST.getlist("signal")[:500]
    pks = [pk for one in given if (pk := whole(one)) is not None]
    if not pks:
        raise InvalidInput(_("Tick the signals that should come back."), field="signal")
    n = services.bring_back(project, pks)
    messages.success(request, ngettext("%(n)d signal is back.", "%(n)d signals are back.", n) % {"n": n})
    query = request.GET.urlencode()
    return redirect(reverse("signals", args=[slug]) + (f"?{query}" if query else ""))


@login_required
@require_GET
def signals_export(request: UserRequest, slug: str) -> HttpResponseBase:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    form = SignalFilter(project, request.GET)
    if not form.is_valid():
        raise InvalidInput(first_error(form))
    found = _signals(project).filter(form.where).order_by("pk").iterator(chunk_size=BLOCK)
    lines = csv_lines(COLUMNS, (_values(signal) for signal in found))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"{project.slug}-signals-{timezone.localdate():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _values(signal: Signal) -> list[Any]:
    return [
        signal.pk,
        signal.event,
        signal.received_at.isoformat(),
        signal.occurred_at.isoformat(),
        signal.kind,
        signal.polarity,
        signal.state,
        signal.why_aside,
        signal.ticket.number if signal.ticket else "",
        signal.version.number if signal.version else "",
        signal.predicted.name if signal.predicted else "",
        signal.confidence,
        signal.wanted.name if signal.wanted else "",
        signal.value,
        signal.text,
        signal.comment,
        signal.language,
        signal.source,
        signal.subject,
    ]
