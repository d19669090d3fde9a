from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.pagination import page_after
from apps.content.spreadsheet import csv_lines
from apps.feedback import reward_queries as queries
from apps.feedback.models import RewardEntry, RewardRule, Signal
from apps.feedback.services import rewards as services
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.projects.subjects import MOST_CHARACTERS, pseudonym

COLUMNS = ("id", "at", "subject", "kind", "outcome", "points", "why", "event", "ticket")
WORTH = ("sent", "right", "fixed", "per_day")


@login_required
@require_GET
@vary_on_headers("HX-Request")
def rewards(request: UserRequest, slug: str) -> HttpResponse:
    """`?who=<the host's key>` or `?subject=<pseudonym>` looks at one person."""
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    who = request.GET.get("who", "").strip()[:MOST_CHARACTERS]
    subject = pseudonym(project, who) if who else request.GET.get("subject", "")[:64]
    page = page_after(queries.entries(project, subject), request.GET.get("after", ""), newest_first=True)
    context: dict[str, Any] = {"project": project, "page": page, "subject": subject}
    if request.htmx:
        return render(request, "feedback/_reward_entries.html", context)
    return render(request, "feedback/rewards.html", context | _around(project, subject) | {"who": who})


def _around(project: Project, subject: str) -> dict[str, Any]:
    return {
        "on": queries.is_on(project),
        "totals": queries.totals(project),
        "balances": [] if subject else queries.balances(project),
        "person": queries.balance(project, subject) if subject else None,
        "worth": [
            (Signal.Kind(kind), one, kind in services.WITHOUT_TICKET) for kind, one in services.worth(project).items()
        ],
        "outcomes": RewardRule.Outcome.choices,
    }


class WorthForm(forms.Form):
    sent = forms.IntegerField(min_value=0, max_value=services.MOST_POINTS)
    right = forms.IntegerField(min_value=0, max_value=services.MOST_POINTS, required=False)
    fixed = forms.IntegerField(min_value=0, max_value=services.MOST_POINTS, required=False)
    per_day = forms.IntegerField(min_value=1, max_value=services.MOST_A_DAY)


@login_required
@require_POST
def reward_rules(request: UserRequest, slug: str) -> HttpResponse:
    """`switch=on|off`, or the whole table of points."""
    project = project_for(request.user, slug, need=Capability.MANAGE)
    if wanted := request.POST.get("switch"):
        services.switch(project, wanted == "on")
        messages.success(request, _("Points are given.") if wanted == "on" else _("Points are not given any more."))
    else:
        services.set_rules(project, {kind: _worth(request, kind) for kind in services.KINDS})
        messages.success(request, _("Saved."))
    return redirect("rewards", slug)


def _worth(request: HttpRequest, kind: str) -> services.Worth:
    form = WorthForm({name: request.POST.get(f"{kind}-{name}", "") for name in WORTH})
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        name = Signal.Kind(kind).label
        raise InvalidInput(_("“%(kind)s”: %(why)s") % {"kind": name, "why": errors[0]}, field=f"{kind}-{field}")
    return services.Worth(**{name: form.cleaned_data[name] or 0 for name in WORTH})


@login_required
@require_GET
def rewards_export(request: UserRequest, slug: str) -> StreamingHttpResponse:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    return csv_of(project)


def csv_of(project: Project) -> StreamingHttpResponse:
    response = StreamingHttpResponse(csv_lines(COLUMNS, _cells(project)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-rewards.csv"'
    response["Cache-Control"] = "no-store"
    return response


def _cells(project: Project) -> Iterator[list[Any]]:
    for entry in queries.entries(project).order_by("pk").iterator(chunk_size=2_000):
        yield list(row_of(entry).values())


def row_of(entry: RewardEntry) -> dict[str, Any]:
    signal, ticket = entry.signal, entry.ticket
    return {
        "id": entry.pk,
        "at": entry.at.isoformat(),
        "subject": entry.subject,
        "kind": signal.kind if signal else "",
        "outcome": entry.outcome,
        "points": entry.points,
        "why": entry.why,
        "event": signal.event if signal else "",
        "ticket": ticket.number if ticket else None,
    }
