from typing import Any, cast

from django.conf import settings
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.pagination import page_after, page_body
from apps.common.wake import wake_on_commit
from apps.learning import queries
from apps.learning.models import TrainingRun
from apps.learning.services import evaluation, runs, versions
from apps.learning.services.runs import Wish
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


class RunOutput(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ModelVersion.Kind.choices)
    state = serializers.ChoiceField(choices=TrainingRun.State.choices)
    config = serializers.DictField()
    seed = serializers.IntegerField()
    attempt = serializers.IntegerField()
    progress = serializers.FloatField()
    curve = serializers.ListField(child=serializers.DictField())
    log_tail = serializers.CharField()
    error = serializers.CharField()
    version = serializers.IntegerField(
        source="version.number", default=None, allow_null=True, help_text="Number of the version it made."
    )
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


def _run_body(run: TrainingRun) -> dict[str, Any]:
    return dict(RunOutput(run).data)


class RunPage(serializers.Serializer[Any]):
    results = RunOutput(many=True)
    next = serializers.CharField(allow_null=True)


class RunsApi(APIView):
    """Training runs, newest first. A new one is refused in words before any work is done."""

    scopes = {"GET": "read", "POST": "manage"}

    class Input(serializers.Serializer[Any]):
        kind = serializers.ChoiceField(choices=ModelVersion.Kind.choices)
        encoder = serializers.CharField(max_length=300, required=False, help_text="The project's own by default.")
        epochs = serializers.IntegerField(min_value=1, max_value=100, required=False)
        learning_rate = serializers.FloatField(min_value=1e-7, max_value=1, required=False)
        seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
        leave_out = serializers.BooleanField(default=False, help_text="Leave labels without an example out.")

    @extend_schema(operation_id="runs_list", parameters=[AFTER], responses=RunPage)
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.VIEW)
        page = page_after(queries.runs(project), request.query_params.get("after", ""), newest_first=True)
        return Response(page_body(page, _run_body))

    @extend_schema(operation_id="runs_create", request=Input, responses={201: RunOutput})
    def post(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.MANAGE)
        given = self.Input(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        wish = Wish(
            kind=ModelVersion.Kind(data["kind"]),
            encoder=data.get("encoder") or project.encoder or settings.DEFAULT_ENCODER,
            seed=data["seed"],
            epochs=data.get("epochs"),
            learning_rate=data.get("learning_rate"),
            leave_out=data["leave_out"],
        )
        run = runs.create(project, cast(User, request.user), wish)
        wake_on_commit("learning.train", run.pk)
        return Response(_run_body(run), status=status.HTTP_201_CREATED)


class RunApi(APIView):
    """One run, live: ask again every second or two."""

    @extend_schema(operation_id="runs_retrieve", responses=RunOutput)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        project = _project(request, slug, Capability.VIEW)
        return Response(_run_body(get_object_or_404(queries.runs(project), pk=pk)))


class RunCancelApi(APIView):
    """Stop a run; it ends within five seconds."""

    scopes = {"POST": "manage"}

    @extend_schema(operation_id="runs_cancel", request=None, responses=RunOutput)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        project = _project(request, slug, Capability.MANAGE)
        return Response(_run_body(runs.cancel(get_object_or_404(queries.runs(project), pk=pk))))


class VersionOutput(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=ModelVersion.Kind.choices)
    encoder = serializers.CharField()
    encoder_digest = serializers.CharField()
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
    """Let a version serve. A worse one needs a reason."""

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
