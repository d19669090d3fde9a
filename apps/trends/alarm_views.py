from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.http import UserRequest
from apps.common.errors import DomainError, InvalidInput
from apps.common.forms import add_refusal, first_error
from apps.common.pagination import page_after
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.trends import alarm_queries as queries
from apps.trends import charts, wording
from apps.trends.forms import RuleForm, SnoozeForm
from apps.trends.models import Alarm, AlarmRule
from apps.trends.services import alarms as services


def told(alarm: Alarm) -> dict[str, Any]:
    return {"alarm": alarm, "title": wording.title(alarm), "sentence": wording.sentence(alarm)}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def alarms(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    form = RuleForm(project, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.make_rule(project, request.user, **form.cleaned_data)
        except InvalidInput as refusal:
            add_refusal(form, refusal)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("Watched from now on."))
            return redirect("alarms", slug)
    closed = queries.alarms(project).filter(state=Alarm.State.CLOSED)
    page = page_after(closed, request.GET.get("after", ""), limit=25, newest_first=True)
    context = {
        "project": project,
        "open": [told(alarm) for alarm in queries.open_alarms(project)],
        "page": page,
        "closed": [told(alarm) for alarm in page.rows],
        "rules": queries.rules(project),
        "form": form,
    }
    return render(request, "trends/alarms.html", context, status=422 if form.errors else 200)


def _alarm(request: UserRequest, slug: str, pk: int) -> Alarm:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    return get_object_or_404(queries.alarms(project), pk=pk)


@login_required
@require_GET
def alarm(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    row = _alarm(request, slug, pk)
    context: dict[str, Any] = {"project": row.project, "moves": queries.moves(row), "snooze": SnoozeForm(), **told(row)}
    if "n" in row.evidence:
        context |= _evidence(row)
    context["rows_url"] = _rows_url(row.project, row)
    return render(request, "trends/alarm.html", context)


def _evidence(row: Alarm) -> dict[str, Any]:
    first = datetime.fromisoformat(row.evidence["first"])
    times = [timezone.localtime(first + timedelta(hours=at)) for at in range(len(row.evidence["n"]))]
    onset = int((row.onset - first).total_seconds() // 3600)
    kept = row.evidence
    columns = [kept[name] if name in kept else [None] * len(times) for name in ("n", "k", "expected", "score")]
    table = list(zip(times, *columns, strict=True))
    drawing = charts.evidence(kept, [date_format(time, "MONTH_DAY_FORMAT") for time in times], onset)
    return {"evidence": drawing, "table": table[::-1], "shares": "k" in kept}


def _rows_url(project: Project, row: Alarm) -> str:
    """What is said most plainly by the rows themselves."""
    rule, day = row.rule, timezone.localdate(row.onset)
    query: dict[str, Any] = {"first": day.isoformat(), "length": min(7, (timezone.localdate(row.hour) - day).days + 1)}
    if rule.stream in {AlarmRule.Stream.LABEL, AlarmRule.Stream.EACH_LABEL}:
        query |= {"measure": "served", "by": "label", "key": row.label_id}
    elif rule.stream == AlarmRule.Stream.NEGATIVE:
        query |= {"measure": "served", "by": "sentiment", "key": "negative"}
    elif rule.stream == AlarmRule.Stream.COMPLAINTS:
        query |= {"measure": "signals", "by": "sentiment", "key": "negative"}
    else:
        return ""
    return f"{reverse('trend_rows', args=[project.slug])}?{urlencode(query)}"


@login_required
@require_POST
def alarm_acknowledge(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    services.acknowledge(_alarm(request, slug, pk), request.user)
    return redirect("alarm", slug, pk)


@login_required
@require_POST
def alarm_snooze(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    row, form = _alarm(request, slug, pk), SnoozeForm(request.POST)
    if not form.is_valid():
        raise InvalidInput(first_error(form), field="hours")
    services.snooze(row, request.user, hours=form.cleaned_data["hours"])
    return redirect("alarm", slug, pk)


@login_required
@require_POST
def alarm_close(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    services.close(_alarm(request, slug, pk), request.user, note=request.POST.get("note", "").strip())
    messages.success(request, _("Closed. The chart begins anew from here."))
    return redirect("alarms", slug)


@login_required
@require_POST
def alarm_rule_remove(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    services.remove_rule(get_object_or_404(queries.rules(project), pk=pk), request.user)
    messages.success(request, _("Removed."))
    return redirect("alarms", slug)
