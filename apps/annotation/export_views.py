from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.accounts.http import UserRequest
from apps.annotation import exports
from apps.annotation.export_forms import ExportForm
from apps.annotation.models import Resolution
from apps.content.queries import totals
from apps.projects.access import Capability, project_for
from apps.projects.models import Project


@login_required
@require_GET
def export(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    return _page(request, project, ExportForm(task_kind=project.task_kind))


@login_required
@require_GET
def export_download(request: UserRequest, slug: str) -> HttpResponseBase:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    form = ExportForm(request.GET, task_kind=project.task_kind)
    if not form.is_valid():
        return _page(request, project, form)
    return file_of(project, form.choice())


def _page(request: UserRequest, project: Project, form: ExportForm) -> HttpResponse:
    context = {
        "project": project,
        "form": form,
        "totals": totals(project),
        "labelled": Resolution.objects.filter(project=project).count(),
    }
    return render(request, "annotation/export.html", context, status=422 if form.errors else 200)


def file_of(project: Project, choice: exports.Choice) -> StreamingHttpResponse:
    response = StreamingHttpResponse(exports.stream(project, choice), content_type=choice.content_type)
    response["Content-Disposition"] = f'attachment; filename="{exports.file_name(project, choice)}"'
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response
