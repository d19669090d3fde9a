from dataclasses import asdict
from typing import Any, cast

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.pagination import page_after, page_body
from apps.common.wake import wake_on_commit
from apps.learning import parallel, queries, run_pages
from apps.learning.models import TrainingRun
from apps.learning.services import runs, wishes
from apps.learning.services.wishes import Wish
from apps.projects import access
from apps.projects.access import Capability
from apps.projects.models import Project
from workers.learning.finetune.config import METHODS

AFTER = OpenApiParameter("after", str, description="The `next` of the page before.")


def _project(request: Request, slug: str, need: Capability) -> Project:
    return access.project_for(cast(User, request.user), slug, need=need)


class RunOutput(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=TrainingRun.Kind.choices)
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
        kind = serializers.ChoiceField(
            choices=TrainingRun.Kind.choices, required=False, help_text="What suits the data, if it is not given."
        )
        method = serializers.ChoiceField(
            choices=METHODS, required=False, help_text="Of fine-tuning; what suits the data by default."
        )
        encoder = serializers.CharField(max_length=300, required=False, help_text="The project's own by default.")
        epochs = serializers.IntegerField(min_value=1, max_value=100, required=False)
        learning_rate = serializers.FloatField(min_value=1e-7, max_value=1, required=False)
        options = serializers.DictField(
            required=False,
            default=dict,
            help_text="Any other setting by name, such as rank or balance; for derived kinds int8, share or student.",
        )
        parents = serializers.ListField(
            child=serializers.IntegerField(min_value=1, max_value=2**31 - 1),
            required=False,
            default=list,
            max_length=wishes.MOST_PARENTS,
            help_text="Numbers of the versions to go on from, to derive from or to join.",
        )
        trials = serializers.IntegerField(
            min_value=wishes.TRIALS[0], max_value=wishes.TRIALS[1], required=False, help_text="Of a search."
        )
        seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
        leave_out = serializers.BooleanField(default=False, help_text="Leave labels without an example out.")
        weak_labels = serializers.BooleanField(
            required=False,
            help_text="Learn from what users said, too, down-weighted by how often they proved right and only as far "
            "as it helps on the labels of your people. By default as the project's feedback settings say.",
        )

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
        run = runs.create(project, cast(User, request.user), _wish(project, given.validated_data))
        wake_on_commit("learning.train", run.pk)
        return Response(_run_body(run), status=status.HTTP_201_CREATED)


def _wish(project: Project, data: dict[str, Any]) -> Wish:
    encoder = data.get("encoder", "")
    kind = data.get("kind") or ("transformer" if data.get("method") else wishes.suggestion(project, encoder).kind)
    return Wish(
        kind=kind,
        encoder=encoder,
        seed=data["seed"],
        epochs=data.get("epochs"),
        learning_rate=data.get("learning_rate"),
        leave_out=data["leave_out"],
        method=data.get("method", ""),
        options=data["options"],
        parents=tuple(data["parents"]),
        trials=data.get("trials"),
        weak_labels=data.get("weak_labels"),
    )


class SuggestionApi(APIView):
    """What a run would be on the labels as they stand, every setting that was chosen with its reason."""

    class Query(serializers.Serializer[Any]):
        encoder = serializers.CharField(max_length=300, required=False, default="")

    class Output(serializers.Serializer[Any]):
        kind = serializers.ChoiceField(choices=["head", "transformer"])
        method = serializers.ChoiceField(choices=METHODS)
        settings = serializers.DictField(help_text="All settings of fine-tuning as they would be.")
        reasons = serializers.DictField(child=serializers.CharField())

    @extend_schema(operation_id="runs_suggestion", parameters=[Query], responses=Output)
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.VIEW)
        given = self.Query(data=request.query_params)
        given.is_valid(raise_exception=True)
        choice = wishes.suggestion(project, given.validated_data["encoder"])
        settings = asdict(choice.config)
        body = {"kind": choice.kind, "method": settings["method"], "settings": settings, "reasons": choice.reasons}
        return Response(self.Output(body).data)


class RunApi(APIView):
    """One run, live: ask again every second or two."""

    @extend_schema(operation_id="runs_retrieve", responses=RunOutput)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        project = _project(request, slug, Capability.VIEW)
        return Response(_run_body(get_object_or_404(queries.runs(project), pk=pk)))


class TrialsApi(APIView):
    """The trials of a search, in the order in which they were made."""

    class Output(serializers.Serializer[Any]):
        number = serializers.IntegerField()
        params = serializers.DictField()
        value = serializers.FloatField(allow_null=True, help_text="Score on examples kept back, not on the hold-out.")
        state = serializers.CharField(help_text="running, complete, pruned or failed")
        seconds = serializers.FloatField(allow_null=True)
        best = serializers.BooleanField()

    @extend_schema(operation_id="runs_trials", responses=Output(many=True))
    def get(self, request: Request, slug: str, pk: int) -> Response:
        project = _project(request, slug, Capability.VIEW)
        trials = run_pages.trials(get_object_or_404(queries.runs(project), pk=pk))
        best = parallel.best_of(trials)
        rows = [asdict(trial) | {"best": trial.number == best} for trial in trials]
        return Response(self.Output(rows, many=True).data)


class RunCancelApi(APIView):
    """Stop a run; it ends within five seconds."""

    scopes = {"POST": "manage"}

    @extend_schema(operation_id="runs_cancel", request=None, responses=RunOutput)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        project = _project(request, slug, Capability.MANAGE)
        return Response(_run_body(runs.cancel(get_object_or_404(queries.runs(project), pk=pk))))
