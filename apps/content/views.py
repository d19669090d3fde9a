"""Content pages: upload, mapping, the running import, what was rejected."""

from typing import Any

import orjson
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import trigger_client_event

from apps.accounts.http import UserRequest
from apps.common.errors import InvalidInput
from apps.common.numbers import listed
from apps.common.pagination import page_after
from apps.content import queries, services, tasks
from apps.content.detect import Look
from apps.content.formats import KINDS
from apps.content.forms import FormatForm, MappingForm, UploadForm
from apps.content.guess import fields_of, guess_mapping
from apps.content.models import ImportJob
from apps.content.spreadsheet import csv_lines
from apps.content.uploads import refuse_too_large
from apps.projects.access import Capability, project_for
from apps.projects.models import Project

IMPORTS_SHOWN = 20


@login_required
@require_http_methods(["GET", "POST"])
def content(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.MANAGE)
    form = UploadForm()
    if request.method == "POST":
        try:
            return redirect("import_detail", slug, _received(request, project).pk)
        except InvalidInput as refusal:
            form = UploadForm(request.POST, request.FILES)
            form.errors.clear()
            form.add_error("file", str(refusal))
    page = page_after(queries.imports(project), request.GET.get("after", ""), limit=IMPORTS_SHOWN, newest_first=True)
    context = {
        "project": project,
        "form": form,
        "page": page,
        "totals": queries.totals(project),
        "most_bytes": settings.UPLOAD_MAX_BYTES,
    }
    return render(request, "content/content.html", context, status=422 if form.errors else 200)


def _received(request: UserRequest, project: Project) -> ImportJob:
    refuse_too_large(request)
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        raise InvalidInput(str(form.errors["file"][0]), field="file")
    return services.receive(project, request.user, form.cleaned_data["file"])


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
@vary_on_headers("HX-Request")
def import_detail(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project, job = _job(request, slug, pk)
    if request.method == "POST":
        return _start(request, project, job)
    if job.state == ImportJob.State.DRAFT:
        return _mapping_page(request, project, job)
    context = _job_context(project, job)
    if not (request.htmx and request.htmx.target == "import"):
        return render(request, "content/import.html", context)
    piece = render(request, "content/_import.html", context)
    if not context["live"]:
        trigger_client_event(piece, "announce", {"value": f"{job.filename}: {job.get_state_display()}"})
    return piece


def _job(request: UserRequest, slug: str, pk: int) -> tuple[Project, ImportJob]:
    project = project_for(request.user, slug, need=Capability.MANAGE)
    return project, get_object_or_404(queries.imports(project), pk=pk)


def _job_context(project: Project, job: ImportJob) -> dict[str, Any]:
    return {
        "project": project,
        "job": job,
        "progress": queries.progress(job),
        "live": job.state in {ImportJob.State.QUEUED, ImportJob.State.RUNNING},
        "rejected": queries.first_rejected(job) if job.rows_skipped else [],
        "counted": (kind := KINDS.get(job.format["kind"])) is not None and kind.counted,
    }


def _start(request: UserRequest, project: Project, job: ImportJob) -> HttpResponse:
    form = MappingForm(request.POST, columns=job.format["columns"], task_kind=project.task_kind)
    if not form.is_valid():
        return _mapping_page(request, project, job, form)
    try:
        services.start(job, form.cleaned_data)
    except InvalidInput as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        return _mapping_page(request, project, job, form)
    tasks.import_file.delay_on_commit(job.pk)
    return redirect("import_detail", project.slug, job.pk)


def _mapping_page(
    request: UserRequest, project: Project, job: ImportJob, form: MappingForm | None = None, refusal: str = ""
) -> HttpResponse:
    look = services.preview(job)
    columns = look.format.columns
    if form is None:
        initial = guess_mapping(columns, look.rows, project.task_kind)
        form = MappingForm(columns=columns, task_kind=project.task_kind, initial=initial)
    names = fields_of(project.task_kind)
    chosen = {form[name].value(): form.fields[name].label for name in names}
    shown = _worth_showing(look)
    context = {
        "project": project,
        "job": job,
        "form": form,
        "selects": [form[name] for name in names],
        "format_form": FormatForm(initial=job.format),
        "refusal": refusal,
        "columns": [(columns[place], chosen.get(columns[place], "")) for place in shown],
        "rows": [[_cell(row[place]) if place < len(row) else "" for place in shown] for row in look.rows],
        "mapped": look.format.staged and not KINDS[look.format.kind].own_columns and not form.errors,
    }
    return render(request, "content/mapping.html", context, status=422 if form.errors or refusal else 200)


def _cell(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return listed(value)
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


def _worth_showing(look: Look) -> list[int]:
    """Places of the columns; a format of another tool speaks of more than most files say."""
    places = range(len(look.format.columns))
    if look.format.kind not in KINDS or KINDS[look.format.kind].own_columns:
        return list(places)
    return [place for place in places if any(row[place] not in (None, "") for row in look.rows)]


@login_required
@require_POST
def import_reread(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project, job = _job(request, slug, pk)
    form = FormatForm(request.POST)
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        raise InvalidInput(str(errors[0]), field=field)
    try:
        services.read_again(job, **form.cleaned_data)
    except InvalidInput as refusal:
        return _mapping_page(request, project, job, refusal=str(refusal))
    return redirect("import_detail", slug, pk)


@login_required
@require_POST
def import_cancel(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    _project, job = _job(request, slug, pk)
    services.cancel(job)
    return redirect("import_detail", slug, pk)


@login_required
@require_GET
def import_rejected(request: UserRequest, slug: str, pk: int) -> StreamingHttpResponse:
    _project, job = _job(request, slug, pk)
    rows = job.rejected.order_by("line").values_list("line", "reason", "excerpt").iterator(chunk_size=2000)
    response = StreamingHttpResponse(
        csv_lines(("line", "reason", "excerpt"), rows), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="rejected-{job.pk}.csv"'
    return response
