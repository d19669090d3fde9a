from typing import Any, cast

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.pagination import page_after, page_body
from apps.common.wake import wake_on_commit
from apps.learning import card, families, headlines
from apps.learning.services import evaluation, versions
from apps.projects import access
from apps.projects.access import Capability
from apps.projects.models import Project
from apps.registry import queries as registry
from apps.registry.models import Deployment, ModelVersion

AFTER = OpenApiParameter("after", str, description="The `next` of the page before.")


def _project(request: Request, slug: str, need: Capability) -> Project:
    return access.project_for(cast(User, request.user), slug, need=need)


def _version(project: Project, number: int) -> ModelVersion:
    return get_object_or_404(registry.versions(project).select_related("project", "parent"), number=number)


class VersionOutput(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ModelVersion.Kind.choices)
    task = serializers.CharField(help_text="single, multi or spans")
    encoder = serializers.CharField()
    encoder_digest = serializers.CharField()
    thresholds = serializers.ListField(
        child=serializers.FloatField(), help_text="Several labels: each is said from this probability on."
    )
    label_order = serializers.ListField(child=serializers.ListField())
    snapshot_hash = serializers.CharField()
    seed = serializers.IntegerField()
    config = serializers.DictField()
    metrics = serializers.DictField(help_text="What training itself reported.")
    parent = serializers.IntegerField(allow_null=True)  # type: ignore[assignment]  # every field has a .parent too
    digest = serializers.CharField(help_text="SHA-256 of the weights.")
    created_at = serializers.DateTimeField()
    live = serializers.BooleanField()
    evaluation = serializers.DictField(allow_null=True, help_text="On the labelled hold-out, as last measured.")


def _version_body(version: ModelVersion, live: ModelVersion | None) -> dict[str, Any]:
    measured = evaluation.latest(version)
    body = versions.manifest(version) | {
        "number": version.number,
        "created_at": version.created_at,
        "live": version == live,
        "evaluation": {"n": measured.n, "at": measured.at.isoformat()} | measured.metrics if measured else None,
    }
    return dict(VersionOutput(body).data)


class VersionPage(serializers.Serializer[Any]):
    results = VersionOutput(many=True)
    next = serializers.CharField(allow_null=True)


class VersionsApi(APIView):
    """Model versions, newest first. They never change."""

    @extend_schema(operation_id="versions_list", parameters=[AFTER], responses=VersionPage)
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.VIEW)
        live = registry.live_version(project)
        found = registry.versions(project).select_related("parent")
        page = page_after(found, request.query_params.get("after", ""), newest_first=True, limit=20)
        return Response(page_body(page, lambda version: _version_body(version, live)))


class VersionApi(APIView):
    @extend_schema(operation_id="versions_retrieve", responses=VersionOutput)
    def get(self, request: Request, slug: str, number: int) -> Response:
        project = _project(request, slug, Capability.VIEW)
        return Response(_version_body(_version(project, number), registry.live_version(project)))


class CardApi(APIView):
    """What a version is, what it learnt from, how good it is and where it should not be trusted."""

    @extend_schema(operation_id="versions_card", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, slug: str, number: int) -> Response:
        project = _project(request, slug, Capability.VIEW)
        return Response(card.facts(card.card(_version(project, number))))


class FamilyApi(APIView):
    """A version beside those that it was made of and that were made of it."""

    class Output(serializers.Serializer[Any]):
        number = serializers.IntegerField()
        kind = serializers.ChoiceField(choices=ModelVersion.Kind.choices)
        made_by = serializers.CharField(help_text="Kind of the run that made it.")
        parents = serializers.ListField(child=serializers.IntegerField())
        size_bytes = serializers.IntegerField(allow_null=True)
        latency_ms = serializers.FloatField(allow_null=True, help_text="One short text, median, on a CPU.")
        metric = serializers.CharField(allow_null=True)
        value = serializers.FloatField(allow_null=True)
        low = serializers.FloatField(allow_null=True)
        high = serializers.FloatField(allow_null=True)
        parity = serializers.DictField(allow_null=True, help_text="Its answers against those of its first parent.")

    @extend_schema(operation_id="versions_family", responses=Output(many=True))
    def get(self, request: Request, slug: str, number: int) -> Response:
        project = _project(request, slug, Capability.VIEW)
        found = _version(project, number)
        kin = [row.version for row in families.of(found)] or [found]
        return Response(self.Output([_kin_body(version) for version in kin], many=True).data)


def _kin_body(version: ModelVersion) -> dict[str, Any]:
    measured = evaluation.latest(version)
    head = headlines.of(measured) if measured else None
    return {
        "number": version.number,
        "kind": version.kind,
        "made_by": version.config.get("made_by", version.kind),
        "parents": families.sources(version),
        "size_bytes": version.metrics.get("size_bytes"),
        "latency_ms": version.metrics.get("latency_ms"),
        "metric": head.metric if head else None,
        "value": head.value if head else None,
        "low": head.low if head else None,
        "high": head.high if head else None,
        "parity": version.metrics.get("parity"),
    }


class CasesOutput(serializers.Serializer[Any]):
    """Ids of regression cases, by what the version does to them against the other."""

    fixed = serializers.ListField(child=serializers.IntegerField())
    broken = serializers.ListField(child=serializers.IntegerField())
    failing = serializers.ListField(child=serializers.IntegerField(), help_text="Both get them wrong.")
    passing = serializers.ListField(child=serializers.IntegerField(), help_text="Both get them right.")
    unasked = serializers.ListField(child=serializers.IntegerField(), help_text="Not put to both versions yet.")
    pinned_broken = serializers.IntegerField()
    pinned_unasked = serializers.IntegerField()
    allowed = serializers.IntegerField(help_text="Pinned cases that a version may break; more need a reason.")


class CompareApi(APIView):
    """A version against the live one, or against another, on the same labelled hold-out items."""

    class Query(serializers.Serializer[Any]):
        against = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)

    class Output(serializers.Serializer[Any]):
        kind = serializers.ChoiceField(
            choices=["better", "worse", "not_worse", "cannot_tell", "first", "unmeasured"],
        )
        sentence = serializers.CharField()
        difference = serializers.FloatField(allow_null=True)
        low = serializers.FloatField(allow_null=True)
        high = serializers.FloatField(allow_null=True)
        n = serializers.IntegerField()
        more_needed = serializers.IntegerField(allow_null=True)
        fixes = serializers.ListField(child=serializers.IntegerField())
        breaks = serializers.ListField(child=serializers.IntegerField())
        metric = serializers.CharField(help_text="What the difference is about: accuracy, micro_f1 or strict_f1.")
        cases = CasesOutput(allow_null=True, help_text="Null where the project has no regression case.")

    @extend_schema(operation_id="versions_compare", parameters=[Query], responses=Output)
    def get(self, request: Request, slug: str, number: int) -> Response:
        project = _project(request, slug, Capability.VIEW)
        given = self.Query(data=request.query_params)
        given.is_valid(raise_exception=True)
        against = given.validated_data.get("against")
        other = _version(project, against) if against else registry.live_version(project)
        return Response(self.Output(evaluation.compare(_version(project, number), other).as_dict()).data)


class DecisionInput(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    why = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    seen = serializers.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        help_text="Sequence number of the deployment that the decision is based on; refused when a newer one exists.",
    )


class DeploymentOutput(serializers.Serializer[Any]):
    sequence = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=Deployment.Kind.choices)
    version = serializers.IntegerField(source="version.number")
    previous = serializers.IntegerField(source="previous.number", allow_null=True, default=None)
    why = serializers.CharField()
    verdict = serializers.DictField()
    at = serializers.DateTimeField()


class PromoteApi(APIView):
    """Let a version serve. A worse one, or one that breaks too many regression cases, needs a reason."""

    scopes = {"POST": "manage"}

    @extend_schema(operation_id="promote", request=DecisionInput, responses={201: DeploymentOutput})
    def post(self, request: Request, slug: str) -> Response:
        return _decide(request, slug, versions.promote)


class RollbackApi(APIView):
    """Let a version serve again that served before."""

    scopes = {"POST": "manage"}

    @extend_schema(operation_id="rollback", request=DecisionInput, responses={201: DeploymentOutput})
    def post(self, request: Request, slug: str) -> Response:
        return _decide(request, slug, versions.roll_back)


def _decide(request: Request, slug: str, decide: Any) -> Response:
    project = _project(request, slug, Capability.MANAGE)
    given = DecisionInput(data=request.data)
    given.is_valid(raise_exception=True)
    data = given.validated_data
    version = _version(project, data["version"])
    deployment = decide(project, version, by=cast(User, request.user), why=data["why"], seen=data.get("seen"))
    wake_on_commit("learning.repredict", version.pk)
    return Response(DeploymentOutput(deployment).data, status=status.HTTP_201_CREATED)


class DeploymentsApi(APIView):
    """What served when, newest first; the first one serves now."""

    class Output(serializers.Serializer[Any]):
        results = DeploymentOutput(many=True)
        next = serializers.CharField(allow_null=True)

    @extend_schema(operation_id="deployments_list", parameters=[AFTER], responses=Output)
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.VIEW)
        page = page_after(registry.deployments(project), request.query_params.get("after", ""), newest_first=True)
        return Response(page_body(page, lambda row: dict(DeploymentOutput(row).data)))
