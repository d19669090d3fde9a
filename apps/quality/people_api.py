from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.common.forms import first_error
from apps.projects.access import Capability, project_for
from apps.quality import people_queries as queries
from apps.quality.people_forms import PeriodForm
from apps.quality.people_views import row_of


class WorkQuery(serializers.Serializer[dict[str, Any]]):
    start = serializers.DateField(required=False, help_text="First day; the first of this month without.")
    end = serializers.DateField(required=False, help_text="Last day, included; today without.")


class WorkOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    email = serializers.EmailField()
    items = serializers.IntegerField(help_text="Answered for the first time in these days, and not taken back.")
    labelled_at_once = serializers.IntegerField(help_text="By one act on many items.")
    hours = serializers.FloatField(help_text="An answer counts five minutes at most.")
    median_seconds = serializers.FloatField(allow_null=True)
    agreement = serializers.FloatField(allow_null=True, help_text="With the consensus; spans: mean F1.")
    agreement_on = serializers.IntegerField()
    gold_right = serializers.IntegerField()
    gold_answers = serializers.IntegerField()
    approved = serializers.IntegerField()
    reviewed = serializers.IntegerField()

    def get_fields(self) -> dict[str, Any]:
        # “from” is no name that a class can hold
        return {**super().get_fields(), "from": serializers.DateField(), "to": serializers.DateField()}


class MyWorkOutput(serializers.Serializer[Any]):
    mine = WorkOutput()
    everybody = WorkOutput(many=True, help_text="only where the lead wants everybody to see it")


class MyWork(APIView):
    """One's own figures over whole days."""

    @extend_schema(operation_id="my_work", parameters=[WorkQuery], responses=MyWorkOutput)
    def get(self, request: Request, slug: str) -> Response:
        user = cast(User, request.user)
        project = project_for(user, slug, need=Capability.ANNOTATE)
        period = _period(request)
        everybody = queries.work(project, period) if project.ranking_shown else []
        mine = queries.work(project, period, user=user)[0]
        return Response({"mine": row_of(mine, period), "everybody": [row_of(one, period) for one in everybody]})


class PeopleWork(APIView):
    """The work of people over whole days, for pay and for a talk about it."""

    scopes = {"GET": "manage"}

    @extend_schema(operation_id="people_work", parameters=[WorkQuery], responses=WorkOutput(many=True))
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.MANAGE)
        period = _period(request)
        return Response([row_of(one, period) for one in queries.work(project, period)])


def _period(request: Request) -> queries.Period:
    form = PeriodForm(request.query_params)
    if not form.is_valid():
        raise InvalidInput(first_error(form), field=next(iter(form.errors)))
    return form.period()
