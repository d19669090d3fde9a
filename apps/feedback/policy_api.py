from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.feedback import priority, transitions
from apps.feedback.models import FeedbackPolicy
from apps.feedback.services import policies
from apps.projects.access import Capability, project_for
from apps.projects.models import Project


class PolicyApi(APIView):
    """The rules of feedback in this project; with them the table of moves and the formula of priority, in words."""

    class Input(serializers.ModelSerializer[FeedbackPolicy]):
        person_cap = serializers.IntegerField(required=False, min_value=1, max_value=1_000)
        allowed_breaks = serializers.IntegerField(required=False, min_value=0, max_value=100_000)
        flip_review = serializers.IntegerField(required=False, min_value=0, max_value=10_000)

        class Meta:
            model = FeedbackPolicy
            fields = policies.FIELDS

    class Output(serializers.Serializer[Any]):
        person_cap = serializers.IntegerField()
        allowed_breaks = serializers.IntegerField()
        flip_review = serializers.IntegerField()
        weak_labels = serializers.BooleanField()
        rewards = serializers.BooleanField()
        moves = serializers.DictField(
            child=serializers.DictField(child=serializers.CharField()), help_text="State → action → state."
        )
        priority = serializers.ListField(child=serializers.CharField())

    @extend_schema(operation_id="feedback_policy", responses=Output)
    def get(self, request: Request, slug: str) -> Response:
        return self._shown(project_for(cast(User, request.user), slug, need=Capability.MANAGE))

    @extend_schema(operation_id="feedback_policy_change", request=Input, responses=Output)
    def patch(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.MANAGE)
        given = self.Input(data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        policies.change(project, **given.validated_data)
        return self._shown(project)

    def _shown(self, project: Project) -> Response:
        policy = policies.of(project)
        body = {name: getattr(policy, name) for name in policies.FIELDS} | {
            "moves": {
                str(state): {name: str(after) for name, after in moves.items()}
                for state, moves in transitions.ALLOWED.items()
            },
            "priority": list(priority.rules()),
        }
        return Response(self.Output(body).data)
