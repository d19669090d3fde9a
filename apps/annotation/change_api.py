"""The same acts for scripts."""

from typing import cast

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.annotation import change_queries, change_words
from apps.annotation.models import Change
from apps.annotation.services import changes as service
from apps.annotation.services import relabelling
from apps.common.forms import LARGEST
from apps.common.pagination import page_after
from apps.projects.access import Capability, project_for
from apps.projects.models import Label, Project

ROWS = 100


class ChangeOut(serializers.ModelSerializer[Change]):
    in_words = serializers.CharField(help_text="with the names as they were then")
    beside = serializers.SerializerMethodField(help_text="what it did not reach, in words")
    left = serializers.SerializerMethodField(help_text="of an undo: items that somebody has decided or answered since")

    class Meta:
        model = Change
        fields = ["id", "kind", "in_words", "beside", "by", "n", "left", "created_at", "undone_at"]
        read_only_fields = fields

    def get_beside(self, change: Change) -> str:
        return change_words.beside(change)

    def get_left(self, change: Change) -> int:
        return int(change.what.get("left", 0))


class MergeIn(serializers.Serializer[Change]):
    labels = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=LARGEST), max_length=2000)


class SplitIn(serializers.Serializer[Change]):
    names = serializers.ListField(child=serializers.CharField(max_length=120), max_length=200)
    keep = serializers.CharField(max_length=120, required=False, allow_blank=True)


class Changes(APIView):
    @extend_schema(
        operation_id="changes_list",
        responses=inline_serializer(
            "ChangeList", {"results": ChangeOut(many=True), "next": serializers.CharField(allow_null=True)}
        ),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(_user(request), slug, need=Capability.REVIEW)
        after = request.query_params.get("after", "")[:60]
        page = page_after(change_queries.changes(project), after, limit=ROWS, newest_first=True)
        return Response({"results": ChangeOut(page.rows, many=True).data, "next": page.next or None})


class TakeBack(APIView):
    @extend_schema(operation_id="changes_undo", request=None, responses={201: ChangeOut})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        user = _user(request)
        project = project_for(user, slug, need=Capability.REVIEW)
        change = get_object_or_404(Change, project=project, pk=min(pk, LARGEST))
        if change.kind in relabelling.KINDS:
            project_for(user, slug, need=Capability.MANAGE)
        return Response(ChangeOut(service.take_back(change, user)).data, status=status.HTTP_201_CREATED)


class Merge(APIView):
    @extend_schema(operation_id="labels_merge", request=MergeIn, responses={201: ChangeOut})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        user, project, label = _label(request, slug, pk)
        given = MergeIn(data=request.data)
        given.is_valid(raise_exception=True)
        sources = list(Label.objects.filter(project=project, pk__in=given.validated_data["labels"]))
        change = relabelling.merge(project, user, sources, label)
        return Response(ChangeOut(change).data, status=status.HTTP_201_CREATED)


class Split(APIView):
    @extend_schema(operation_id="labels_split", request=SplitIn, responses={201: ChangeOut})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        user, project, label = _label(request, slug, pk)
        given = SplitIn(data=request.data)
        given.is_valid(raise_exception=True)
        keep = given.validated_data.get("keep", "").strip()
        change = relabelling.split(project, user, label, given.validated_data["names"], keep=keep)
        return Response(ChangeOut(change).data, status=status.HTTP_201_CREATED)


def _user(request: Request) -> User:
    return cast(User, request.user)


def _label(request: Request, slug: str, pk: int) -> tuple[User, Project, Label]:
    user = _user(request)
    project = project_for(user, slug, need=Capability.MANAGE)
    return user, project, get_object_or_404(Label, project=project, pk=min(pk, LARGEST))
