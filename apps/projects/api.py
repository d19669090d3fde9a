from typing import Any, cast

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.forms import LARGEST
from apps.common.pagination import PageQuery, page_after, page_body
from apps.projects import access, queries
from apps.projects.access import Capability
from apps.projects.models import Label, Membership, Project, Role
from apps.projects.services import labels as label_services
from apps.projects.services import projects as services

_OPEN = ("name", "language", "guidelines", "labels_closed", "encoder", "wanted", "random_share", "holdout_share")
_FIELDS = (*_OPEN, "holdout_target", "holdout_fraction", "holdout_cap", "lease_seconds", "seed")


def _user(request: Request) -> User:
    return cast(User, request.user)


class ProjectOut(serializers.ModelSerializer[Project]):
    class Meta:
        model = Project
        fields = ["slug", "task_kind", *_FIELDS, "created_at"]
        read_only_fields = fields


class ProjectIn(serializers.ModelSerializer[Project]):
    class Meta:
        model = Project
        fields = list(_FIELDS)
        extra_kwargs = {"encoder": {"required": False}}


class NewProject(ProjectIn):
    labels = serializers.ListField(
        child=serializers.CharField(max_length=120), required=False, default=list, max_length=label_services.MOST_LABELS
    )

    class Meta(ProjectIn.Meta):
        fields = ["task_kind", *_FIELDS, "labels"]


class Projects(APIView):
    @extend_schema(
        operation_id="projects_list",
        parameters=[PageQuery],
        responses=inline_serializer(
            "ProjectPage",
            {"results": ProjectOut(many=True), "next": serializers.CharField(allow_null=True)},
        ),
    )
    def get(self, request: Request) -> Response:
        query = PageQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        page = page_after(access.projects_of(_user(request)), **query.validated_data)
        return Response(page_body(page, lambda project: ProjectOut(project).data))

    @extend_schema(operation_id="projects_create", request=NewProject, responses={201: ProjectOut})
    def post(self, request: Request) -> Response:
        if not _user(request).is_superuser:
            self.permission_denied(request, message="Only superusers may create projects.")
        given = NewProject(data=request.data)
        given.is_valid(raise_exception=True)
        fields: dict[str, Any] = dict(given.validated_data)
        names = fields.pop("labels")
        project = services.create_project(by=_user(request), **fields)
        label_services.add_labels(project, names)
        return Response(ProjectOut(project).data, status=status.HTTP_201_CREATED)


class ProjectDetail(APIView):
    @extend_schema(operation_id="projects_read", responses=ProjectOut)
    def get(self, request: Request, slug: str) -> Response:
        project = access.project_for(_user(request), slug, need=Capability.VIEW)
        return Response(ProjectOut(project).data)

    @extend_schema(operation_id="projects_change", request=ProjectIn(partial=True), responses=ProjectOut)
    def patch(self, request: Request, slug: str) -> Response:
        project = access.project_for(_user(request), slug, need=Capability.MANAGE)
        given = ProjectIn(project, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        return Response(ProjectOut(given.save()).data)


class LabelOut(serializers.ModelSerializer[Label]):
    archived = serializers.SerializerMethodField()

    class Meta:
        model = Label
        fields = [
            "id",
            "name",
            "group",
            "description",
            "examples",
            "color",
            "hotkey",
            "position",
            "archived",
            "merged_into",
        ]
        read_only_fields = fields

    def get_archived(self, label: Label) -> bool:
        return label.archived_at is not None


class LabelIn(serializers.Serializer[Label]):
    name = serializers.CharField(max_length=120)
    group = serializers.CharField(required=False, allow_blank=True, max_length=120)
    description = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    examples = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    color = serializers.IntegerField(required=False, min_value=1, max_value=12)
    hotkey = serializers.CharField(required=False, allow_blank=True, max_length=1)


class LabelChange(LabelIn):
    name = serializers.CharField(max_length=120, required=False)
    place = serializers.IntegerField(required=False, min_value=1, max_value=100_000)
    archived = serializers.BooleanField(required=False)


class Labels(APIView):
    """All labels of a project in their order, archived ones last."""

    @extend_schema(
        operation_id="labels_list",
        responses=inline_serializer(
            "LabelList", {"results": LabelOut(many=True), "next": serializers.CharField(allow_null=True)}
        ),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.project_for(_user(request), slug, need=Capability.VIEW)
        rows = [*queries.labels(project), *queries.archived_labels(project)]
        return Response({"results": LabelOut(rows, many=True).data, "next": None})

    @extend_schema(operation_id="labels_create", request=LabelIn, responses={201: LabelOut})
    def post(self, request: Request, slug: str) -> Response:
        project = access.project_for(_user(request), slug, need=Capability.MANAGE)
        given = LabelIn(data=request.data)
        given.is_valid(raise_exception=True)
        label = label_services.add_label(project, **given.validated_data)
        return Response(LabelOut(label).data, status=status.HTTP_201_CREATED)


class LabelDetail(APIView):
    @extend_schema(operation_id="labels_change", request=LabelChange, responses=LabelOut)
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        project = access.project_for(_user(request), slug, need=Capability.MANAGE)
        label = get_object_or_404(Label.objects.filter(project=project), pk=_storable(pk))
        given = LabelChange(data=request.data)
        given.is_valid(raise_exception=True)
        fields: dict[str, Any] = dict(given.validated_data)
        archived = fields.pop("archived", None)
        if fields:
            label_services.change_label(project, label, by=_user(request), **fields)
        if archived is not None:
            act = label_services.archive_label if archived else label_services.restore_label
            act(project, label, by=_user(request))
        label.refresh_from_db()
        return Response(LabelOut(label).data)


def _storable(pk: int) -> int:
    if pk > LARGEST:  # an address may hold any number of digits, a row may not
        raise Http404
    return pk


class MemberOut(serializers.ModelSerializer[Membership]):
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")
    role = serializers.ChoiceField(choices=Role.choices)

    class Meta:
        model = Membership
        fields = ["id", "email", "name", "role", "joined_at"]
        read_only_fields = fields


class Members(APIView):
    @extend_schema(
        operation_id="members_list",
        responses=inline_serializer(
            "MemberList", {"results": MemberOut(many=True), "next": serializers.CharField(allow_null=True)}
        ),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.project_for(_user(request), slug, need=Capability.MANAGE)
        return Response({"results": MemberOut(queries.members(project), many=True).data, "next": None})
