"""An item's thread for machines."""

from typing import Any, cast

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.annotation.models import Comment
from apps.annotation.queries import comments_on
from apps.annotation.services import comments
from apps.content.models import Item
from apps.projects.access import Capability, project_for


class CommentOut(serializers.ModelSerializer[Comment]):
    by = serializers.IntegerField(source="by_id")
    name = serializers.SerializerMethodField()
    mentions = serializers.PrimaryKeyRelatedField(many=True, read_only=True)  # type: ignore[var-annotated]

    class Meta:
        model = Comment
        fields = ["id", "by", "name", "text", "mentions", "created_at"]
        read_only_fields = fields

    def get_name(self, comment: Comment) -> str:
        return comments.handle(comment.by)


class CommentIn(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=comments.MOST)


class ItemComment(APIView):
    scopes = {"DELETE": "annotate"}

    @extend_schema(operation_id="item_comment_remove", responses={204: None})
    def delete(self, request: Request, slug: str, pk: int, comment: int) -> Response:
        """Its author takes it back, or somebody who reviews."""
        user = cast(User, request.user)
        project = project_for(user, slug, need=Capability.ANNOTATE)
        said = get_object_or_404(Comment.objects.select_related("item"), item__project=project, item=pk, pk=comment)
        comments.remove(project, said, user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ItemComments(APIView):
    """What people say to each other about one item. `@name` tells that person."""

    scopes = {"GET": "read", "POST": "annotate"}

    @extend_schema(
        operation_id="item_comments",
        responses=inline_serializer("Comments", {"comments": CommentOut(many=True)}),
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.VIEW)
        item = get_object_or_404(Item, project=project, pk=pk)
        return Response({"comments": CommentOut(comments_on(item), many=True).data})

    @extend_schema(operation_id="item_comment", request=CommentIn, responses={201: CommentOut})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.ANNOTATE)
        item = get_object_or_404(Item, project=project, pk=pk)
        given = CommentIn(data=request.data)
        given.is_valid(raise_exception=True)
        said = comments.comment(project, item, cast(User, request.user), given.validated_data["text"])
        return Response(CommentOut(said).data, status=status.HTTP_201_CREATED)
