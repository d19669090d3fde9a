from typing import Any, cast

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.common.forms import LARGEST, whole
from apps.content.models import Item
from apps.projects.access import Capability, project_for
from apps.projects.models import Label, Project
from apps.quality import adjudication_cards as cards
from apps.quality.models import Adjudication
from apps.quality.services import adjudication as services

MOST = 100


class SideOut(serializers.Serializer[Any]):
    answer = serializers.IntegerField(source="annotation", help_text="what to send to choose it")
    people = serializers.IntegerField()
    labels = serializers.SerializerMethodField()
    notes = serializers.ListField(child=serializers.CharField())

    def get_labels(self, side: cards.Side) -> list[dict[str, Any]]:
        return [
            {
                "label": mark.label.pk if mark.label else None,
                "start": mark.start,
                "end": mark.end,
                "differs": mark.differs,
            }
            for mark in side.marks
        ]


class AdjudicationOut(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    item = serializers.IntegerField(source="item_id")
    text = serializers.CharField(source="item.text")
    why = serializers.CharField()
    state = serializers.CharField()
    comment = serializers.CharField()
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class AdjudicationDetailOut(AdjudicationOut):
    sides = SideOut(many=True)


class DecideIn(serializers.Serializer[Any]):
    answer = serializers.IntegerField(
        required=False, max_value=LARGEST, help_text="the annotation whose answer is right"
    )
    label = serializers.IntegerField(  # type: ignore[assignment]  # also an attribute of Field
        required=False, min_value=1, max_value=LARGEST, help_text="an answer of your own: a label's id"
    )
    value = serializers.JSONField(required=False, help_text="an answer of your own: several labels, or spans")


class AskIn(serializers.Serializer[Any]):
    item = serializers.IntegerField(min_value=1, max_value=LARGEST)


class SendBackIn(serializers.Serializer[Any]):
    comment = serializers.CharField(max_length=2000)


def _project(request: Request, slug: str) -> Project:
    return project_for(cast(User, request.user), slug, need=Capability.REVIEW)


def _row(project: Project, pk: int) -> Adjudication:
    return get_object_or_404(Adjudication.objects.select_related("project", "item"), project=project, pk=pk)


class AdjudicationsApi(APIView):
    """Texts that wait for a reviewer, oldest first; at most 100, go on with `after`."""

    @extend_schema(
        operation_id="adjudications",
        parameters=[OpenApiParameter("after", int, description="The last id of the page before.")],
        responses=AdjudicationOut(many=True),
    )
    def get(self, request: Request, slug: str) -> Response:
        after = whole(request.query_params.get("after", ""))
        found = cards.waiting(_project(request, slug)).filter(pk__gt=after or 0)
        return Response(AdjudicationOut(found[:MOST], many=True).data)

    @extend_schema(operation_id="adjudication_ask", request=AskIn, responses={201: AdjudicationOut})
    def post(self, request: Request, slug: str) -> Response:
        """Puts a text before the reviewers, whatever the rule says of it."""
        project = _project(request, slug)
        given = AskIn(data=request.data)
        given.is_valid(raise_exception=True)
        item = get_object_or_404(Item, project=project, pk=given.validated_data["item"])
        return Response(AdjudicationOut(services.put_here(project, item, cast(User, request.user))).data, status=201)


class AdjudicationApi(APIView):
    @extend_schema(operation_id="adjudication", responses=AdjudicationDetailOut)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """The answers side by side, without their authors while it is open."""
        row = _row(_project(request, slug), pk)
        said = AdjudicationOut(row).data
        return Response(said | {"sides": SideOut(cards.card(row).sides, many=True).data})


class AdjudicationDecideApi(APIView):
    @extend_schema(operation_id="adjudication_decide", request=DecideIn, responses=AdjudicationOut)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        """One of the answers, or one of your own."""
        project = _project(request, slug)
        row = _row(project, pk)
        given = DecideIn(data=request.data)
        given.is_valid(raise_exception=True)
        done = services.decide(row, cast(User, request.user), **_answer(row, given.validated_data))
        return Response(AdjudicationOut(done).data)


def _answer(row: Adjudication, given: dict[str, Any]) -> dict[str, Any]:
    if "answer" in given:
        found = cards.answer_of(row, given["answer"])
        if found is None:
            raise DomainError(_("That answer has changed since. Load the page again."))
        return found
    if "value" in given:
        return {"value": given["value"]}
    label = Label.objects.filter(project=row.project, pk=given.get("label", 0)).first()
    if label is None:
        raise InvalidInput(_("Choose one of the project's labels."), field="label")
    return {"label": label}


class AdjudicationSendBackApi(APIView):
    @extend_schema(operation_id="adjudication_send_back", request=SendBackIn, responses=AdjudicationOut)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        """Those who answered are told why; somebody else is asked too."""
        project = _project(request, slug)
        given = SendBackIn(data=request.data)
        given.is_valid(raise_exception=True)
        row = _row(project, pk)
        return Response(
            AdjudicationOut(services.send_back(row, cast(User, request.user), given.validated_data["comment"])).data
        )


class AdjudicationUndoApi(APIView):
    @extend_schema(operation_id="adjudication_undo", request=None, responses=AdjudicationOut)
    def post(self, request: Request, slug: str) -> Response:
        """Takes back your last step."""
        row = services.undo(_project(request, slug), cast(User, request.user))
        if row is None:
            raise DomainError(_("There is no decision of yours to take back."))
        return Response(AdjudicationOut(row).data)
