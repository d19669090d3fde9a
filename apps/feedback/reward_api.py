from typing import Any, cast

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.common.pagination import PageQuery, page_after, page_body
from apps.feedback import reward_queries as queries
from apps.feedback.reward_views import row_of
from apps.projects.access import Capability, project_for
from apps.projects.subjects import MOST_CHARACTERS, pseudonym

NEWEST = 50


class RewardOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    subject = serializers.CharField()
    kind = serializers.CharField()
    outcome = serializers.CharField()
    points = serializers.IntegerField()
    why = serializers.CharField()
    event = serializers.CharField(help_text="The id that the host gave the contribution.")
    ticket = serializers.IntegerField(allow_null=True)


class Rewards(APIView):
    """The ledger, oldest first: go on from `next` to book each entry once."""

    @extend_schema(
        operation_id="rewards_list",
        parameters=[PageQuery],
        responses=inline_serializer(
            "RewardPage", {"results": RewardOut(many=True), "next": serializers.CharField(allow_null=True)}
        ),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.TRIAGE)
        query = PageQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        return Response(page_body(page_after(queries.entries(project), **query.validated_data), row_of))


class RewardsOf(APIView):
    """One person's points. `subject` in the address is the host's own key; it is hashed here and never stored."""

    class Output(serializers.Serializer[Any]):
        subject = serializers.CharField(help_text="The pseudonym, as in webhooks and exports.")
        balance = serializers.IntegerField()
        granted = serializers.IntegerField()
        taken_back = serializers.IntegerField()

        def get_fields(self) -> dict[str, Any]:
            return {**super().get_fields(), "newest": RewardOut(many=True)}

    @extend_schema(operation_id="rewards_of", responses=Output)
    def get(self, request: Request, slug: str, subject: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.TRIAGE)
        if len(subject) > MOST_CHARACTERS or "\0" in subject:
            raise InvalidInput(f"A subject has {MOST_CHARACTERS} characters at most.", field="subject")
        found = queries.balance(project, pseudonym(project, subject))
        newest = queries.entries(project, found.subject).order_by("-pk")[:NEWEST]
        body = {name: getattr(found, name) for name in ("subject", "balance", "granted", "taken_back")}
        return Response(body | {"newest": [row_of(entry) for entry in newest]})
