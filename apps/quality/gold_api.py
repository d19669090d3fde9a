"""Gold items for machines: thin twins of their page over the same queries and services."""

import json
from typing import Any, cast

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.annotation.models import Gold
from apps.annotation.services.golds import make_gold, retire
from apps.common.errors import InvalidInput
from apps.common.forms import LARGEST
from apps.content.models import Item
from apps.content.uploads import refuse_too_large
from apps.projects.access import Capability, project_for
from apps.projects.models import Membership, Project
from apps.quality import gold_file
from apps.quality import gold_queries as queries
from apps.quality.services import golds as services
from apps.quality.services import watch
from apps.quality.suspect_api import ShareOutput, answer


class GoldOut(serializers.Serializer[Any]):
    item = serializers.IntegerField(source="gold.item_id")
    external_id = serializers.CharField(source="gold.item.external_id")
    text = serializers.CharField(source="gold.item.text")
    label = serializers.IntegerField(source="gold.label_id", allow_null=True)  # type: ignore[assignment]
    value = serializers.JSONField(source="gold.value", allow_null=True)
    explanation = serializers.CharField(source="gold.explanation")
    by = serializers.IntegerField(source="gold.by_id", allow_null=True, help_text="user id")
    created_at = serializers.DateTimeField(source="gold.created_at")
    answers = ShareOutput(source="accuracy", help_text="of the people who met it")
    doubted = serializers.BooleanField(help_text="most people miss it: perhaps it is wrong itself")


class GoldPersonOut(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="member.pk", help_text="to name this person in gold/people/{id}/")
    user = serializers.IntegerField(source="member.user_id")
    name = serializers.CharField(source="member.user")
    answers = ShareOutput(source="accuracy", help_text="since they were last let go on")
    seen = serializers.IntegerField(help_text="gold items answered in whatever way")
    in_training = serializers.BooleanField()
    wanted = serializers.IntegerField(help_text="gold items that a newcomer begins with; 0: no training here")
    paused_at = serializers.DateTimeField(source="member.paused_at", allow_null=True)


class GoldStandingOut(serializers.ModelSerializer[Membership]):
    class Meta:
        model = Membership
        fields = ["id", "paused_at", "trained_at"]
        read_only_fields = fields


class GoldCandidateOut(serializers.Serializer[Any]):
    item = serializers.IntegerField(source="item_id")
    text = serializers.CharField(source="item.text")
    label = serializers.IntegerField(source="label_id", allow_null=True)  # type: ignore[assignment]
    value = serializers.JSONField(allow_null=True)
    by = serializers.IntegerField(source="by_id", allow_null=True, help_text="user id")
    changed_at = serializers.DateTimeField()


class GoldIn(serializers.Serializer[Any]):
    item = serializers.IntegerField(min_value=1, max_value=LARGEST)
    label = serializers.IntegerField(  # type: ignore[assignment]  # also an attribute of Field
        required=False, min_value=1, max_value=LARGEST, help_text="the right answer: a label's id"
    )
    value = serializers.JSONField(required=False, help_text="the right answer: several labels, or spans")
    as_it_is = serializers.BooleanField(default=False, help_text="instead: the truth that the item has")
    explanation = serializers.CharField(default="", allow_blank=True, max_length=2_000)


class GoldFileIn(serializers.Serializer[Any]):
    file = serializers.FileField(required=False, help_text="as multipart/form-data: CSV or JSON Lines")
    rows = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        min_length=1,
        max_length=gold_file.MOST,
        help_text="instead of a file: {external_id or text, label or labels or spans, explanation}, labels by name",
    )


class GoldRefusedOut(serializers.Serializer[Any]):
    line = serializers.IntegerField(help_text="of the file; of rows the place, from 1")
    why = serializers.CharField()
    excerpt = serializers.CharField()


class GoldBroughtOut(serializers.Serializer[Any]):
    made = serializers.IntegerField()
    new_items = serializers.IntegerField(help_text="texts that were not here before")
    refused = GoldRefusedOut(many=True)


class GoldPersonIn(serializers.Serializer[Any]):
    act = serializers.ChoiceField(choices=["go_on", "pause", "let_off"])


def _project(request: Request, slug: str, need: Capability = Capability.REVIEW) -> Project:
    return project_for(cast(User, request.user), slug, need=need)


def _shown(project: Project, item: int) -> Any:
    told = [one for one in queries.told(project) if one.item == item]
    row = next((row for row in queries.items(project, told) if row.gold.pk == item), None)
    if row is None:
        raise Http404
    return GoldOut(row).data


class Golds(APIView):
    """Items whose truth is beyond doubt, those that most people miss first."""

    @extend_schema(operation_id="golds", responses=inline_serializer("GoldList", {"results": GoldOut(many=True)}))
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug)
        rows = queries.items(project, queries.told(project))
        return Response({"results": GoldOut(rows, many=True).data})

    @extend_schema(operation_id="gold_make", request=GoldIn, responses={201: GoldOut})
    def post(self, request: Request, slug: str) -> Response:
        """The item is gold from now on. Said again, answer and explanation are replaced."""
        project, user = _project(request, slug), cast(User, request.user)
        given = GoldIn(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        item = get_object_or_404(Item, project=project, pk=wanted["item"])
        if wanted["as_it_is"]:
            services.as_it_is(project, item, user, wanted["explanation"])
        else:
            make_gold(project, item, user, **answer(project, wanted), explanation=wanted["explanation"])
        return Response(_shown(project, item.pk), status=status.HTTP_201_CREATED)


class GoldItem(APIView):
    @extend_schema(operation_id="gold", responses=GoldOut)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """`id` is the item's."""
        return Response(_shown(_project(request, slug), pk))

    @extend_schema(operation_id="gold_retire", responses={204: None})
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        """It measures nobody any more; its answer stays as the item's truth."""
        project = _project(request, slug)
        retire(get_object_or_404(Gold, project=project, pk=pk), cast(User, request.user))
        return Response(status=status.HTTP_204_NO_CONTENT)


class GoldImport(APIView):
    """Items are found by their id or their words; a text that is not here yet becomes one of the pool."""

    parser_classes = [MultiPartParser, JSONParser]

    @extend_schema(operation_id="gold_import", request=GoldFileIn, responses=GoldBroughtOut)
    def post(self, request: Request, slug: str) -> Response:
        """What is good goes in, what is not is named with its reason."""
        project = _project(request, slug)
        given = GoldFileIn(data=request.data)
        refuse_too_large(request._request)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        if ("file" in wanted) == ("rows" in wanted):
            raise InvalidInput(_("Send a file, or rows."), field="file")
        raw = wanted["file"].read() if "file" in wanted else _lines(wanted["rows"])
        return Response(GoldBroughtOut(services.bring_in(project, cast(User, request.user), raw)).data)


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


class GoldCandidates(APIView):
    """What a reviewer decided and is no gold yet, newest first; at most 100."""

    @extend_schema(
        operation_id="gold_candidates",
        responses=inline_serializer("GoldCandidateList", {"results": GoldCandidateOut(many=True)}),
    )
    def get(self, request: Request, slug: str) -> Response:
        found = queries.candidates(_project(request, slug))[:100]
        return Response({"results": GoldCandidateOut(found, many=True).data})


class GoldPeople(APIView):
    """How often each annotator says what the gold items say, who is in training, who is paused."""

    @extend_schema(
        operation_id="gold_people", responses=inline_serializer("GoldPersonList", {"results": GoldPersonOut(many=True)})
    )
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug)
        people = queries.annotators(project, queries.told(project))
        return Response({"results": GoldPersonOut(people, many=True).data})


class GoldPerson(APIView):
    @extend_schema(operation_id="gold_person", request=GoldPersonIn, responses=GoldStandingOut)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        """`go_on` ends a pause, `pause` begins one, `let_off` ends the training. `id` is the membership's."""
        project = _project(request, slug, Capability.MANAGE)
        member = get_object_or_404(Membership.objects.select_related("user"), project=project, pk=pk)
        given = GoldPersonIn(data=request.data)
        given.is_valid(raise_exception=True)
        watch.act(project, member, given.validated_data["act"], cast(User, request.user))
        member.refresh_from_db()
        return Response(GoldStandingOut(member).data)


class GoldLetOff(APIView):
    @extend_schema(
        operation_id="gold_let_off",
        request=None,
        responses=inline_serializer("GoldLetOffOut", {"n": serializers.IntegerField()}),
    )
    def post(self, request: Request, slug: str) -> Response:
        """Everybody who is here today needs no training."""
        return Response({"n": watch.let_off(_project(request, slug, Capability.MANAGE))})
