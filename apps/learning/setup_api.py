from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.wake import wake_on_commit
from apps.learning import setup_pages
from apps.learning.services import setup, stopping
from apps.projects import access
from apps.projects.access import Capability
from apps.projects.models import Project
from workers.learning import sampling


class StrategyOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    description = serializers.CharField()
    current = serializers.BooleanField()


class RecommendationOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    reason = serializers.CharField()


class SetupOutput(serializers.Serializer[Any]):
    strategy = serializers.CharField()
    strategies = StrategyOutput(many=True)
    encoder = serializers.CharField()
    encoder_runtime = serializers.ChoiceField(choices=Project.EncoderRuntime.choices, help_text="What was asked for.")
    runtime = serializers.CharField(help_text="What computes the vectors now.")
    parity = serializers.CharField(help_text="How its answers compare with the plain model's on this machine.")
    recommendation = RecommendationOutput(allow_null=True, help_text="Another encoder that suits the texts better.")


def _body(project: Project) -> dict[str, Any]:
    found = setup_pages.page(project)
    reading = found["reading"]
    body = {
        "strategy": found["strategy"],
        "strategies": found["strategies"],
        "encoder": project.encoder,
        "encoder_runtime": project.encoder_runtime,
        "runtime": reading.runtime if reading else "",
        "parity": reading.parity if reading else "",
        "recommendation": found["recommendation"],
    }
    return dict(SetupOutput(body).data)


class SetupApi(APIView):
    """How items are chosen and texts are read. Another encoder is taken up in the background."""

    scopes = {"GET": "read", "PATCH": "manage"}

    class Input(serializers.Serializer[Any]):
        strategy = serializers.ChoiceField(choices=list(sampling.STRATEGIES), required=False)
        encoder = serializers.CharField(max_length=300, required=False)
        encoder_runtime = serializers.ChoiceField(choices=Project.EncoderRuntime.choices, required=False)

    @extend_schema(operation_id="setup", responses=SetupOutput)
    def get(self, request: Request, slug: str) -> Response:
        return Response(_body(access.project_for(cast(User, request.user), slug, need=Capability.VIEW)))

    @extend_schema(operation_id="setup_change", request=Input, responses=SetupOutput)
    def patch(self, request: Request, slug: str) -> Response:
        project = access.project_for(cast(User, request.user), slug, need=Capability.MANAGE)
        given = self.Input(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        anew = setup.change(
            project,
            strategy=data.get("strategy", ""),
            encoder=data.get("encoder", ""),
            runtime=data.get("encoder_runtime", ""),
        )
        if anew:
            wake_on_commit("learning.encode", project.pk)
        return Response(_body(project))


class StoppingApi(APIView):
    """Whether more labels are worth their while: advice with its uncertainty, never a stop."""

    class Output(serializers.Serializer[Any]):
        stop = serializers.BooleanField()
        reason = serializers.CharField()
        sentence = serializers.CharField()
        stability = serializers.FloatField(allow_null=True)
        gain = serializers.FloatField(allow_null=True, help_text="Score expected from the next labels.")
        gain_interval = serializers.DictField(child=serializers.FloatField(), allow_null=True, help_text="90 %")
        next_labels = serializers.IntegerField()

    @extend_schema(operation_id="stopping", responses={200: Output, 204: None})
    def get(self, request: Request, slug: str) -> Response:
        project = access.project_for(cast(User, request.user), slug, need=Capability.VIEW)
        found = stopping.advice(project)
        if found is None:
            return Response(status=204)
        return Response(self.Output(found.as_dict() | {"sentence": stopping.sentence(found)}).data)
