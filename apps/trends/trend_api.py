from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.projects.access import Capability, project_for
from apps.trends import forms, opinions, trend_pages
from apps.trends.services import sentiments
from apps.trends.trend_queries import Asked, table


class TrendQuery(serializers.Serializer[Any]):
    measure = serializers.ChoiceField(choices=[name for name, _words in forms.MEASURES], default="served")
    by = serializers.ChoiceField(choices=[name for name, _words in forms.WAYS], default="all")
    step = serializers.ChoiceField(choices=[name for name, _words in forms.STEPS], default="day")
    days = serializers.IntegerField(min_value=1, max_value=364, default=28)


class SeriesOut(serializers.Serializer[Any]):
    key = serializers.CharField()
    name = serializers.CharField()
    counts = serializers.ListField(child=serializers.IntegerField())


class ReleaseOut(serializers.Serializer[Any]):
    day = serializers.DateField()
    version = serializers.CharField()


class TrendOut(serializers.Serializer[Any]):
    measure = serializers.CharField()
    by = serializers.CharField()
    step = serializers.CharField()
    periods = serializers.ListField(child=serializers.DateField())
    series = SeriesOut(many=True)
    releases = ReleaseOut(many=True)


class TrendsApi(APIView):
    """Counts over time, split as asked; the seventh largest part and what follows is one series, “others”."""

    @extend_schema(operation_id="trends", parameters=[TrendQuery], responses=TrendOut)
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.VIEW)
        given = TrendQuery(data=request.query_params)
        given.is_valid(raise_exception=True)
        return Response(TrendOut(trend_pages.as_dict(table(project, Asked(**given.validated_data)))).data)


class ShareOut(serializers.Serializer[Any]):
    negative = serializers.IntegerField()
    of = serializers.IntegerField()
    share = serializers.FloatField()
    low = serializers.FloatField(help_text="95 % interval")
    high = serializers.FloatField()


class TopicOut(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    words = serializers.ListField(child=serializers.CharField())
    now = ShareOut()
    before = ShareOut()


class RisingOut(serializers.Serializer[Any]):
    phrase = serializers.CharField()
    recent = serializers.IntegerField(help_text="Negative texts of the last seven days with it.")
    before = serializers.IntegerField()
    times = serializers.FloatField()


class OpinionOut(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=["labels", "complaints"])
    since = serializers.DateTimeField()
    now = ShareOut()
    before = ShareOut()
    topics = TopicOut(many=True)
    rising = RisingOut(many=True)


class OpinionApi(APIView):
    """How much is negative, about what, and which phrases are on the rise."""

    class Input(serializers.Serializer[Any]):
        negative = serializers.ListField(child=serializers.IntegerField(), help_text="Ids of labels.")
        positive = serializers.ListField(child=serializers.IntegerField(), default=list)

    @extend_schema(operation_id="opinion", responses=OpinionOut)
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.VIEW)
        return Response(OpinionOut(opinions.as_dict(opinions.opinion(project))).data)

    @extend_schema(operation_id="opinion_labels", request=Input, responses=OpinionOut)
    def put(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.TRIAGE)
        given = self.Input(data=request.data)
        given.is_valid(raise_exception=True)
        sentiments.say(project, **given.validated_data)
        return Response(OpinionOut(opinions.as_dict(opinions.opinion(project))).data)
