"""Imports and items for machines: thin twins of the pages over the same services."""

from typing import IO, Any, cast

import orjson
from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.common.pagination import LIMIT, page_after, page_body
from apps.content import queries, services, tasks
from apps.content.detect import FORMATS
from apps.content.guess import guess_mapping
from apps.content.models import ImportJob, Item, RejectedRow, Split
from apps.content.uploads import refuse_too_large
from apps.projects.access import Capability, project_for
from apps.projects.models import Project

MOST_ROWS = 10_000
AFTER = OpenApiParameter("after", str, description="`next` of the page before")
MOST = OpenApiParameter("limit", int, description="rows per page, 50 unless said, at most 500")


def _project(request: Request, slug: str, need: Capability) -> Project:
    return project_for(cast(User, request.user), slug, need=need)


def _refuse_large_body(request: Request, most: int) -> None:
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > most and "json" in (request.content_type or ""):
        raise InvalidInput(_("The body is larger than %(most)d MB.") % {"most": most // 1024**2})


class PageInput(serializers.Serializer[Any]):
    after = serializers.CharField(default="", max_length=60)
    limit = serializers.IntegerField(default=LIMIT, min_value=1, max_value=500)


def _page_of(request: Request) -> dict[str, Any]:
    given = PageInput(data=request.query_params)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


class ImportOutput(serializers.Serializer[ImportJob]):
    id = serializers.IntegerField()
    filename = serializers.CharField()
    state = serializers.ChoiceField(choices=ImportJob.State.choices)
    format = serializers.ChoiceField(choices=FORMATS)
    columns = serializers.ListField(child=serializers.CharField())
    guess = serializers.DictField(required=False, help_text="only while the import waits for its mapping")
    mapping = serializers.DictField()
    total_bytes = serializers.IntegerField()
    done_bytes = serializers.IntegerField()
    percent = serializers.IntegerField()
    rows_read = serializers.IntegerField()
    rows_added = serializers.IntegerField()
    rows_known = serializers.IntegerField(help_text="already here with the same text")
    rows_skipped = serializers.IntegerField()
    seconds_left = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


_AS_THEY_ARE = (
    *("filename", "state", "mapping", "total_bytes", "done_bytes", "rows_read", "rows_added", "rows_known"),
    *("rows_skipped", "error", "created_at", "finished_at"),
)


def _import(job: ImportJob) -> dict[str, Any]:
    progress = queries.progress(job)
    return (
        {"id": job.pk, "format": job.format["kind"], "columns": job.format["columns"]}
        | {name: getattr(job, name) for name in _AS_THEY_ARE}
        | {
            "percent": progress.percent,
            "seconds_left": progress.seconds_left,
        }
    )


class Imports(APIView):
    scopes = {"GET": "read", "POST": "import"}
    parser_classes = [MultiPartParser, JSONParser]

    class Input(serializers.Serializer[Any]):
        file = serializers.FileField(required=False, help_text="as multipart/form-data")
        rows = serializers.ListField(
            child=serializers.DictField(),
            required=False,
            max_length=MOST_ROWS,
            min_length=1,
            help_text="instead of a file",
        )
        filename = serializers.CharField(required=False, max_length=200)
        format = serializers.ChoiceField(
            choices=FORMATS, required=False, help_text="of the file; found by its content when absent"
        )
        mapping = serializers.JSONField(
            required=False, help_text="field → column; given, the import starts at once; “guess” maps by the names"
        )

    class Page(serializers.Serializer[Any]):
        results = ImportOutput(many=True)
        next = serializers.CharField(allow_null=True)

    @extend_schema(operation_id="imports_list", parameters=[AFTER, MOST], responses=Page)
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.MANAGE)
        page = page_after(queries.imports(project), newest_first=True, **_page_of(request))
        return Response(page_body(page, _import))

    @extend_schema(operation_id="imports_create", request=Input, responses={201: ImportOutput})
    def post(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.MANAGE)
        _refuse_large_body(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE * 4)
        given = self.Input(data=request.data)
        refuse_too_large(request._request)
        given.is_valid(raise_exception=True)
        job = _received(project, cast(User, request.user), given.validated_data)
        look = services.preview(job)
        guess = guess_mapping(look.format.columns, look.rows, project.task_kind)
        mapping = given.validated_data.get("mapping")
        if mapping is not None:
            _start(job, guess if mapping == "guess" else mapping)
            job.refresh_from_db()
        return Response(_import(job) | {"guess": guess}, status=201)


def _received(project: Project, user: User, given: dict[str, Any]) -> ImportJob:
    if "file" in given:
        return services.receive(project, user, given["file"], given.get("format", ""))
    if "rows" not in given:
        raise InvalidInput(_("Send a file, or rows."), field="file")

    def write(out: IO[bytes]) -> None:
        out.writelines(orjson.dumps(row) + b"\n" for row in given["rows"])

    try:
        return services.receive_rows(project, user, given.get("filename", _("rows")), write)
    except TypeError as error:
        raise InvalidInput(_("The rows hold a number that is too large for JSON Lines."), field="rows") from error


def _start(job: ImportJob, mapping: Any) -> None:
    if not isinstance(mapping, dict):
        raise InvalidInput(_("The mapping is an object: field → column."), field="mapping")
    services.start(job, mapping)
    tasks.import_file.delay_on_commit(job.pk)


class _OneImport(APIView):
    def job(self, request: Request, slug: str, pk: int) -> ImportJob:
        project = _project(request, slug, Capability.MANAGE)
        return get_object_or_404(queries.imports(project), pk=pk)


class Import(_OneImport):
    scopes = {"GET": "read"}

    @extend_schema(operation_id="imports_get", responses=ImportOutput)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(_import(self.job(request, slug, pk)))


class ImportStart(_OneImport):
    scopes = {"POST": "import"}

    class Input(serializers.Serializer[Any]):
        mapping = serializers.DictField()

    @extend_schema(operation_id="imports_start", request=Input, responses=ImportOutput)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        job = self.job(request, slug, pk)
        given = self.Input(data=request.data)
        given.is_valid(raise_exception=True)
        _start(job, given.validated_data["mapping"])
        job.refresh_from_db()
        return Response(_import(job))


class ImportCancel(_OneImport):
    scopes = {"POST": "import"}

    @extend_schema(operation_id="imports_cancel", request=None, responses=ImportOutput)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        return Response(_import(services.cancel(self.job(request, slug, pk))))


class ImportRejected(_OneImport):
    scopes = {"GET": "read"}

    class Page(serializers.Serializer[Any]):
        class Row(serializers.Serializer[RejectedRow]):
            line = serializers.IntegerField()
            reason = serializers.CharField()
            excerpt = serializers.CharField()

        results = Row(many=True)
        next = serializers.CharField(allow_null=True)

    @extend_schema(operation_id="imports_rejected", parameters=[AFTER, MOST], responses=Page)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        page = page_after(self.job(request, slug, pk).rejected.all(), **_page_of(request))
        return Response(page_body(page, lambda row: {"line": row.line, "reason": row.reason, "excerpt": row.excerpt}))


class Items(APIView):
    scopes = {"GET": "read", "POST": "import"}

    class Input(serializers.Serializer[Any]):
        class One(serializers.Serializer[Any]):
            """Checked by the same rules as a row of a file, so that one bad item does not refuse the others."""

            text = serializers.CharField(trim_whitespace=False)
            external_id = serializers.CharField(required=False)
            label = serializers.CharField(required=False)  # type: ignore[assignment]  # also an attribute of Field
            labels = serializers.ListField(
                child=serializers.CharField(), required=False, help_text="several labels a text; []: none fits"
            )
            spans = serializers.ListField(
                child=serializers.DictField(), required=False, help_text="[{start, end, label, quote?}], code points"
            )
            split = serializers.CharField(required=False, help_text="pool or holdout; drawn when absent")
            language = serializers.CharField(required=False)
            subject = serializers.CharField(required=False)
            thread = serializers.CharField(required=False, help_text="one conversation, in order of id")
            url = serializers.CharField(required=False, help_text="http or https")
            prediction = serializers.CharField(required=False)
            score = serializers.FloatField(required=False)
            meta = serializers.DictField(required=False)

        items = One(many=True)

    class Output(serializers.Serializer[Any]):
        class Refused(serializers.Serializer[Any]):
            index = serializers.IntegerField(help_text="place in the call, from 0")
            reason = serializers.CharField()

        added = serializers.IntegerField()
        known = serializers.IntegerField()
        rejected = Refused(many=True)
        ids = serializers.DictField(child=serializers.IntegerField(), help_text="external id → id")

    class Page(serializers.Serializer[Any]):
        class Row(serializers.Serializer[Item]):
            id = serializers.IntegerField()
            external_id = serializers.CharField()
            text = serializers.CharField()
            split = serializers.ChoiceField(choices=Split.choices)
            language = serializers.CharField()
            subject = serializers.CharField()
            thread = serializers.CharField()
            url = serializers.CharField()
            meta = serializers.DictField()
            created_at = serializers.DateTimeField()

        results = Row(many=True)
        next = serializers.CharField(allow_null=True)

    class Filter(PageInput):
        split = serializers.ChoiceField(choices=Split.choices, required=False)
        external_id = serializers.CharField(required=False, max_length=200)

    @extend_schema(operation_id="items_list", parameters=[Filter], responses=Page)
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.VIEW)
        given = self.Filter(data=request.query_params)
        given.is_valid(raise_exception=True)
        wanted = dict(given.validated_data)
        items = queries.items(project)
        if "split" in wanted:
            items = items.filter(split=wanted["split"])
        if "external_id" in wanted:
            items = items.filter(external_id=wanted["external_id"])
        page = page_after(items, wanted["after"], limit=wanted["limit"])
        return Response(page_body(page, _item))

    @extend_schema(operation_id="items_create", request=Input, responses=Output)
    def post(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.MANAGE)
        _refuse_large_body(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE * 4)
        done = services.add_items(project, _items(request.data))
        return Response(
            {
                "added": done.added,
                "known": done.known,
                "rejected": [{"index": row.line, "reason": row.reason} for row in done.rejected],
                "ids": done.items,
            }
        )


_OF_AN_ITEM = ("id", "external_id", "text", "split", "language", "subject", "thread", "url", "meta", "created_at")


def _item(item: Item) -> dict[str, Any]:
    return {name: getattr(item, name) for name in _OF_AN_ITEM}


def _items(body: Any) -> list[dict[str, Any]]:
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InvalidInput(_("Send {“items”: [{“text”: …}, …]}."), field="items")
    return items
