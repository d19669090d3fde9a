"""The map of the content: a canvas that its points are sent to, the same as a table, and one point read out."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.annotation.models import Prediction, Resolution
from apps.common.errors import DomainError, InvalidInput
from apps.common.forms import whole
from apps.common.wake import wake_on_commit
from apps.content.models import Item, Split
from apps.explore import map_files, map_points, map_queries, map_table
from apps.explore.map_words import map_words
from apps.explore.models import Projection
from apps.explore.services import drawing, projection
from apps.projects.access import Capability, capabilities, project_for
from apps.projects.models import Project
from apps.registry import queries as registry

EXCERPT = 300  # characters


@login_required
@require_GET
@vary_on_headers("HX-Request")
def map_page(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.VIEW)
    context = _standing(project) | {"may_draw": Capability.REVIEW in capabilities(request.user, project)}
    if request.htmx and request.htmx.target == "map-state":
        response = render(request, "explore/_map_state.html", context)
        if request.GET.get("seen", "") != str(context["shown"].pk if context["shown"] else ""):
            response["HX-Refresh"] = "true"  # another map is there
        return response
    as_table = request.GET.get("as") == "table"
    if as_table and context["shown"]:
        context["parts"] = map_table.parts(project, context["shown"])
    return render(request, "explore/map_table.html" if as_table else "explore/map.html", context)


def _standing(project: Project) -> dict[str, Any]:
    shown, tried = map_queries.newest(project), map_queries.latest_try(project)
    vectors = map_queries.encoding(project)
    if shown is not None and not _is_there(shown):
        shown = None
    return {
        "project": project,
        "shown": shown,
        "job": tried if tried and tried.state in {Projection.State.QUEUED, Projection.State.RUNNING} else None,
        "failed": tried if tried and tried.state == Projection.State.FAILED else None,
        "vectors": vectors,
        "enough": vectors is not None and vectors.done >= projection.LEAST,
        "least": projection.LEAST,
        "most": drawing.MOST,
        "newer": max(0, vectors.done - shown.total) if shown and vectors else 0,
        "map_words": map_words(),
        "other_encoder": bool(shown and vectors and shown.encoder_digest != vectors.encoder_digest),
    }


def _is_there(shown: Projection) -> bool:
    try:
        map_files.read(shown.file)
    except OSError:
        return False
    return True


@login_required
@require_GET
@vary_on_headers("Accept-Encoding")
def map_points_file(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.VIEW)
    shown = _shown(project)
    raw = map_points.packed(project, shown)
    response = HttpResponse(content_type="application/octet-stream")
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        raw = map_points.compressed(raw)
        response["Content-Encoding"] = "gzip"
    response.content = raw
    response["Cache-Control"] = "private, no-store"  # truths change with every answer
    return response


def _shown(project: Project) -> Projection:
    shown = map_queries.newest(project)
    if shown is None or not _is_there(shown):
        raise DomainError(_("No map of this project has been drawn yet."))
    return shown


@login_required
@require_GET
def map_point(request: UserRequest, slug: str) -> HttpResponse:
    """One text with what is known about it, to read beside the map."""
    project = project_for(request.user, slug, need=Capability.VIEW)
    given = whole(request.GET.get("item", ""))
    if given is None:
        raise InvalidInput(_("Name the text by its number."), field="item")
    item = get_object_or_404(Item, project=project, pk=given)
    truth = Resolution.objects.filter(item=item).select_related("label").first()
    context = {
        "project": project,
        "item": item,
        "excerpt": item.text[:EXCERPT],
        "cut": len(item.text) > EXCERPT,
        "truth": truth,
        "said": _prediction(project, item) if item.split == Split.POOL or truth else None,
        "may_label": Capability.ANNOTATE in capabilities(request.user, project) and item.split == Split.POOL,
    }
    return render(request, "explore/_map_point.html", context)


def _prediction(project: Project, item: Item) -> Prediction | None:
    version = registry.live_version(project)
    found = Prediction.objects.filter(item=item, version=version) if version else Prediction.objects.none()
    return found.select_related("label", "version").first()


@login_required
@require_POST
def map_draw(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    try:
        wake_on_commit("explore.draw", projection.ask(project, request.user).pk)
    except DomainError as refusal:
        context = _standing(project) | {"may_draw": True, "refusal": str(refusal)}
        return render(request, "explore/map.html", context, status=refusal.status)
    return redirect("map", slug)
