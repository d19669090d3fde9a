"""What looks over every app: my projects, one project at a glance, and what stands where there is nothing."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.defaults import page_not_found

from apps.accounts.http import UserRequest
from apps.annotation import queries as annotation
from apps.config.overview import Figures, figures
from apps.learning import queries as learning
from apps.learning.models import CurvePoint
from apps.projects import access
from apps.projects import queries as projects
from apps.projects.access import CAN, Capability
from apps.projects.models import Project, Role
from apps.registry import queries as registry

SHOWN = 200


@dataclass(frozen=True)
class Row:
    project: Project
    role: str
    figures: Figures


@login_required
@require_safe
def home(request: UserRequest) -> HttpResponse:
    mine = list(access.projects_of(request.user).order_by("name")[:SHOWN])
    counted = figures([project.pk for project in mine])
    roles = dict(request.user.memberships.values_list("project_id", "role"))
    rows = [
        Row(project, str(Role(roles.get(project.pk, Role.ADMINISTRATOR)).label), counted[project.pk])
        for project in mine
    ]
    return render(request, "projects/home.html", {"rows": rows})


@dataclass(frozen=True)
class Step:
    """The one thing to do next, for this person."""

    words: str
    why: str
    url: str
    does: str


@login_required
@require_safe
def project(request: UserRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug, need=Capability.VIEW)
    role = access.role_in(request.user, project)
    may = CAN[role] if role else frozenset()
    progress = annotation.count_progress(project)
    live = registry.live_version(project)
    context = {
        "project": project,
        "role": role.label if role else "",
        "progress": progress,
        "live": live,
        "point": CurvePoint.objects.filter(project=project).order_by("-revision").first(),
        "encoding": learning.encoding_progress(project),
        "labels": list(projects.labels(project)),
        "step": _next_step(project, may, progress, has_live=live is not None),
    }
    return render(request, "projects/project.html", context)


def _next_step(project: Project, may: frozenset[Capability], progress: annotation.Progress, *, has_live: bool) -> Step:
    if not progress.items.n:
        return _without_content(project, may)
    if Capability.MANAGE in may and not projects.labels(project).exists():
        why = _("People choose from them. Paste a list, one name a line.")
        return Step(
            _("Say which labels there are"), why, reverse("project_labels", args=[project.slug]), _("Add labels")
        )
    enough = progress.holdout_labelled >= progress.holdout_target
    if Capability.ANNOTATE in may and progress.open.n and not (Capability.MANAGE in may and enough and not has_live):
        why = _("The queue puts first what teaches the model most.")
        return Step(_("Label what is waiting"), why, reverse("label", args=[project.slug]), _("Start labelling"))
    if Capability.MANAGE in may:
        why = _("See how good the model is, train another, compare, promote.")
        return Step(_("Look at the model"), why, reverse("train", args=[project.slug]), _("Open the model page"))
    why = _("Read the texts and what people said about them.")
    return Step(_("Look around"), why, reverse("items", args=[project.slug]), _("Explore"))


def _without_content(project: Project, may: frozenset[Capability]) -> Step:
    if Capability.MANAGE not in may:
        return Step(_("Nothing to do yet"), _("The project has no content. Its administrator brings it in."), "", "")
    why = _("A CSV, TSV or JSONL file with one text a row. You see it before anything is stored.")
    return Step(_("Bring in content"), why, reverse("content", args=[project.slug]), _("Import a file"))


def not_here(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A script gets what it can read."""
    if request.path.startswith("/api/"):
        return JsonResponse(
            {"detail": _("There is nothing at this address. The list is at /api/v1/schema/.")}, status=404
        )
    return page_not_found(request, exception)
