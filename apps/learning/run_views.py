from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.common.errors import DomainError, InvalidInput
from apps.common.wake import wake_on_commit
from apps.learning import pages, queries, run_pages
from apps.learning.forms import RunForm
from apps.learning.models import TrainingRun
from apps.learning.services import runs
from apps.projects import access
from apps.projects.access import Capability
from apps.projects.models import Project


def _managed_by(request: UserRequest, slug: str) -> Project:
    return access.project_for(request.user, slug, need=Capability.MANAGE)


def _run(project: Project, pk: int) -> TrainingRun:
    return get_object_or_404(queries.runs(project).select_related("project", "snapshot"), pk=pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def run_new(request: UserRequest, slug: str) -> HttpResponse:
    """The form; as a piece what is chosen for the way and the encoder that are looked at."""
    project = _managed_by(request, slug)
    data, versions = pages.data(project), run_pages.offered_versions(project)
    more: dict[str, Any] = {"project": project, "versions": versions, "missing": len(data.missing)}
    more["listens"] = queries.listens_to_users(project)
    status, refusal = 200, ""
    if request.method == "POST":
        form, status = RunForm(request.POST, **more), 422
        if form.is_valid():
            try:
                run = runs.create(project, request.user, form.wish())
                wake_on_commit("learning.train", run.pk)
                return redirect("run", slug, run.pk)
            except InvalidInput as error:
                form.add_refusal(error)
            except DomainError as error:
                refusal, status = str(error), error.status
        looked_at = request.POST
    else:
        looked_at = request.GET
        form = RunForm(initial=_kept(looked_at), **more)
    context = run_pages.form(project, form, looked_at.get("way", ""), looked_at.get("encoder", ""))
    context |= {"data": data, "refusal": refusal, "opened": bool(looked_at.get("way"))}
    template = "learning/_way.html" if request.htmx else "learning/run_new.html"
    return render(request, template, context, status=status)


def _kept(given: QueryDict) -> dict[str, Any]:
    """What was filled in before another way was looked at."""
    kept = given.dict() | {"versions": given.getlist("versions")}
    boxes = {name: name in given for name in ("leave_out", "weak_labels")}
    return kept | boxes if "seed" in given else kept


@login_required
@require_safe
@vary_on_headers("HX-Request")
def run(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = access.project_for(request.user, slug, need=Capability.VIEW)
    context = run_pages.run(_run(project, pk)) | {"may_act": _may_act(request, project)}
    pieces = {"run-log": "learning/_run_log.html", "run-state": "learning/_run.html"}
    piece = pieces.get(str(request.htmx.target)) if request.htmx else None
    return render(request, piece or "learning/run.html", context)


def _may_act(request: UserRequest, project: Project) -> bool:
    return Capability.MANAGE in access.capabilities(request.user, project)


@login_required
@require_POST
def run_cancel(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = _managed_by(request, slug)
    found = runs.cancel(_run(project, pk))
    if request.htmx:
        return render(request, "learning/_run.html", run_pages.run(found) | {"may_act": True})
    return redirect("run", slug, pk)
