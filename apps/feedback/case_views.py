"""Regression cases: texts with the answer that every new version must give."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.pagination import page_after
from apps.feedback import triage_pages
from apps.feedback.models import RegressionCase
from apps.feedback.services import cases as services
from apps.feedback.services import outcomes
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.registry import queries as registry
from apps.registry.models import ModelVersion

VERSIONS, ROWS = 5, 50


class CaseFilter(forms.Form):
    STATES = (("", gettext_lazy("in force")), ("pinned", gettext_lazy("pinned")), ("retired", gettext_lazy("retired")))

    q = forms.CharField(label=gettext_lazy("Text contains"), required=False, max_length=200)
    state = forms.ChoiceField(label=gettext_lazy("State"), required=False, choices=STATES)

    @property
    def where(self) -> Q:
        data = self.cleaned_data
        found = Q(retired_at__isnull=data["state"] != "retired")
        if data["state"] == "pinned":
            found &= Q(pinned=True)
        return found & Q(item__text__icontains=data["q"]) if data["q"] else found


@login_required
@require_GET
@vary_on_headers("HX-Request")
def cases(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    form = CaseFilter(request.GET, auto_id="by-%s")
    found: QuerySet[RegressionCase] = RegressionCase.objects.none()
    if form.is_valid():
        found = RegressionCase.objects.filter(form.where, project=project)
    found = found.select_related("item", "label", "ticket", "project").prefetch_related("failed")
    page = page_after(found, request.GET.get("after", "")[:60], limit=ROWS, newest_first=True)
    versions = list(registry.versions(project).order_by("-number")[:VERSIONS])
    live = registry.live_version(project)
    if live and live not in versions:
        versions = [*versions[: VERSIONS - 1], live]
    context = {
        "project": project,
        "form": form,
        "filtered": any(request.GET.get(name) for name in form.fields),
        "rows": _rows(page.rows, versions),
        "versions": versions,
        "live": live,
        "next": page.next,
        "any": bool(page.rows) or project.regression_cases.exists(),
        "tabs": triage_pages.tabs(project, "cases"),
    }
    return render(request, "feedback/cases.html", context, status=422 if form.errors else 200)


def _rows(shown: list[RegressionCase], versions: list[ModelVersion]) -> list[dict[str, Any]]:
    """Each case with what the versions say to it, in their order."""
    by_version = [outcomes.results(version, shown) for version in versions]
    born = [{version.pk for version in case.failed.all()} for case in shown]
    return [
        {
            "case": case,
            "results": [
                (version, results[place], version.pk in born[place])
                for version, results in zip(versions, by_version, strict=True)
            ],
        }
        for place, case in enumerate(shown)
    ]


@login_required
@require_POST
def case_change(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.TRIAGE)
    case = get_object_or_404(RegressionCase.objects.select_related("project"), project=project, pk=pk)
    action = request.POST.get("action", "")
    if action in {"pin", "unpin"}:
        services.pin(case, request.user, pinned=action == "pin")
        sentence = (
            _("Pinned: it counts at the gate.") if action == "pin" else _("Not pinned any more: it is only shown.")
        )
    elif action == "retire":
        services.retire(case, request.user)
        sentence = _("Retired. New versions are not asked about it any more.")
    else:
        raise InvalidInput(_("There is no such move."), field="action")
    messages.success(request, sentence)
    return redirect(_back(project, request))


def _back(project: Project, request: UserRequest) -> str:
    query = request.GET.urlencode()
    return reverse("cases", args=[project.slug]) + (f"?{query}" if query else "")
