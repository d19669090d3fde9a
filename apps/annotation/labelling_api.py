"""Settings of labelling and groups of people, for machines."""

from typing import Any, cast

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.annotation.labelling_forms import MOST_REASONS, REASON_LENGTH, AudienceForm
from apps.annotation.models import Audience
from apps.common.errors import InvalidInput
from apps.projects.access import Capability, project_for
from apps.projects.models import Project


def _project(request: Request, slug: str) -> Project:
    return project_for(cast(User, request.user), slug, need=Capability.MANAGE)


class LabellingSettings(serializers.ModelSerializer[Project]):
    undecided_reasons = serializers.ListField(
        child=serializers.CharField(max_length=REASON_LENGTH), max_length=MOST_REASONS, required=False
    )

    class Meta:
        model = Project
        fields = [
            *("overlap_share", "overlap_wanted", "blind_share", "consensus", "adjudicate_below"),
            *("gold_share", "training_items", "gold_floor", "overlapping", "ranking_shown", "undecided_reasons"),
        ]


class Labelling(APIView):
    """How people label here, and how their answers become one."""

    @extend_schema(operation_id="labelling_read", responses=LabellingSettings)
    def get(self, request: Request, slug: str) -> Response:
        return Response(LabellingSettings(_project(request, slug)).data)

    @extend_schema(
        operation_id="labelling_change", request=LabellingSettings(partial=True), responses=LabellingSettings
    )
    def patch(self, request: Request, slug: str) -> Response:
        given = LabellingSettings(_project(request, slug), data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        return Response(LabellingSettings(given.save()).data)


class AudienceOut(serializers.ModelSerializer[Audience]):
    people = serializers.SerializerMethodField()

    class Meta:
        model = Audience
        fields = ["id", "name", "people", "created_at"]
        read_only_fields = fields

    def get_people(self, audience: Audience) -> list[str]:
        return sorted(user.email for user in audience.people.all())


class AudienceIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    people = serializers.ListField(
        child=serializers.EmailField(), min_length=1, max_length=1000, help_text="e-mail addresses of members"
    )


class Audiences(APIView):
    """Named groups of people that tasks can be for."""

    @extend_schema(
        operation_id="audiences_list", responses=inline_serializer("AudienceList", {"results": AudienceOut(many=True)})
    )
    def get(self, request: Request, slug: str) -> Response:
        found = Audience.objects.filter(project=_project(request, slug)).exclude(name="").order_by("name")
        return Response({"results": AudienceOut(found.prefetch_related("people"), many=True).data})

    @extend_schema(operation_id="audiences_create", request=AudienceIn, responses={201: AudienceOut})
    def post(self, request: Request, slug: str) -> Response:
        made = _saved(_project(request, slug), None, request.data)
        return Response(AudienceOut(made).data, status=status.HTTP_201_CREATED)


class AudienceDetail(APIView):
    @extend_schema(operation_id="audiences_change", request=AudienceIn, responses=AudienceOut)
    def put(self, request: Request, slug: str, pk: int) -> Response:
        project = _project(request, slug)
        return Response(AudienceOut(_saved(project, _named(project, pk), request.data)).data)

    @extend_schema(operation_id="audiences_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        """What waited for the group is for everybody afterwards."""
        _named(_project(request, slug), pk).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


def _named(project: Project, pk: int) -> Audience:
    return get_object_or_404(Audience.objects.exclude(name=""), project=project, pk=pk)


def _saved(project: Project, before: Audience | None, data: Any) -> Audience:
    """Through the page's form, with people named by their addresses."""
    given = AudienceIn(data=data)
    given.is_valid(raise_exception=True)
    asked = {email.lower() for email in given.validated_data["people"]}
    people = {
        user.email.lower(): user.pk for user in User.objects.filter(memberships__project=project, email__in=asked)
    }
    if missing := sorted(asked - set(people)):
        raise InvalidInput(_("%(who)s cannot label in this project.") % {"who": missing[0]}, field="people")
    form = AudienceForm(
        project, {"name": given.validated_data["name"], "people": list(people.values())}, instance=before
    )
    if not form.is_valid():
        name, errors = next(iter(form.errors.items()))
        raise InvalidInput(str(errors[0]), field=str(name))
    saved: Audience = form.save()
    return saved
