"""The queue for machines: thin twins of the label page over the same services."""

from typing import Any, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.annotation import queries, services
from apps.annotation.models import Annotation, Lease, Prediction, Resolution, Task
from apps.annotation.services import Answer, Conflict
from apps.common.forms import LARGEST
from apps.common.pagination import PageQuery, page_after, page_body
from apps.content.models import Item, Split
from apps.projects.access import Capability, capabilities, project_for
from apps.projects.models import Project

ANNOTATE = {"POST": "annotate"}
MOST_AHEAD = 20


def _project(request: Request, slug: str, need: Capability) -> Project:
    return project_for(cast(User, request.user), slug, need=need)


def _given(shape: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    given = shape(data=data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


class LeaseOut(serializers.ModelSerializer[Lease]):
    task = serializers.IntegerField(source="task_id")
    item = serializers.IntegerField(source="task.item_id")
    external_id = serializers.CharField(source="task.item.external_id")
    text = serializers.CharField(source="task.item.text")
    language = serializers.CharField(source="task.item.language")
    subject = serializers.CharField(source="task.item.subject")
    meta = serializers.JSONField(source="task.item.meta")
    reason = serializers.ChoiceField(choices=Task.Reason.choices, source="task.reason")
    score = serializers.FloatField(source="task.score", allow_null=True)
    suggestion = serializers.JSONField(source="shown", allow_null=True)

    class Meta:
        model = Lease
        fields = [
            *("token", "state", "expires_at", "task", "item", "external_id", "text", "language", "subject", "meta"),
            *("reason", "score", "suggestion"),
        ]
        read_only_fields = fields


class AnnotationOut(serializers.ModelSerializer[Annotation]):
    item = serializers.IntegerField(source="item_id")
    task = serializers.IntegerField(source="task_id", allow_null=True)
    annotator = serializers.IntegerField(source="annotator_id")
    label = serializers.IntegerField(source="label_id", allow_null=True)  # type: ignore[assignment]

    class Meta:
        model = Annotation
        fields = [
            *("id", "item", "task", "annotator", "key", "revision", "retracted", "label", "value", "undecided"),
            *("note", "flagged", "outcome", "shown", "hidden", "seconds", "late", "created_at"),
        ]
        read_only_fields = fields


class ResolutionOut(serializers.ModelSerializer[Resolution]):
    item = serializers.IntegerField(source="item_id")
    label = serializers.IntegerField(source="label_id", allow_null=True)  # type: ignore[assignment]
    by = serializers.IntegerField(source="by_id", allow_null=True)

    class Meta:
        model = Resolution
        fields = ["item", "split", "label", "value", "how", "by", "agreement", "certainty", "changed_at"]
        read_only_fields = fields

    def to_representation(self, instance: Resolution) -> dict[str, Any]:
        """Who labels is not told which items measure them."""
        shown: dict[str, Any] = super().to_representation(instance)
        if shown["how"] == Resolution.How.GOLD and not self.context.get("sees_gold"):
            shown["how"] = str(Resolution.How.ADJUDICATED)
        return shown


class TaskOut(serializers.ModelSerializer[Task]):
    item = serializers.IntegerField(source="item_id")

    class Meta:
        model = Task
        fields = ["id", "item", "split", "reason", "score", "wanted", "taken", "state", "created_at", "closed_at"]
        read_only_fields = fields


class PredictionOut(serializers.ModelSerializer[Prediction]):
    version = serializers.IntegerField(source="version.number")
    label = serializers.IntegerField(source="label_id", allow_null=True)  # type: ignore[assignment]

    class Meta:
        model = Prediction
        fields = ["version", "label", "value", "confidence", "margin"]
        read_only_fields = fields


_LEASES = inline_serializer("Leases", {"leases": LeaseOut(many=True)})


def _leases(found: list[Lease]) -> Response:
    return Response({"leases": LeaseOut(found, many=True).data})


class ClaimIn(serializers.Serializer[Any]):
    ahead = serializers.IntegerField(default=services.AHEAD, min_value=1, max_value=MOST_AHEAD)


class Claim(APIView):
    """The items this person holds, topped up to `ahead` from the head of the queue."""

    scopes = ANNOTATE

    @extend_schema(operation_id="claim", request=ClaimIn, responses=_LEASES)
    def post(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.ANNOTATE)
        given = _given(ClaimIn, request.data)
        return _leases(services.claim(project, cast(User, request.user), ahead=given["ahead"]))


class Said(serializers.Serializer[Any]):
    """What somebody says about a text: one label, or a value, or why they cannot decide."""

    key = serializers.UUIDField(help_text="made by the client, one per answer")
    label = serializers.IntegerField(default=None, allow_null=True, min_value=1, max_value=LARGEST)  # type: ignore[assignment]
    value = serializers.JSONField(
        default=None,
        allow_null=True,
        help_text='several labels: {"labels": [id …]}; spans: {"spans": [{"start", "end", "label", "quote"} …], '
        '"text_hash"}, in code points, with the quotes or the SHA-256 of the text',
    )
    undecided = serializers.CharField(default="", allow_blank=True, max_length=120, help_text="one of the reasons")
    base = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=0,
        max_value=2**31 - 1,
        help_text="revision of your own answer that this one was made from, 0 for none; another one now: 409",
    )


class SubmitIn(Said):
    token = serializers.UUIDField(help_text="of the lease")
    note = serializers.CharField(default="", allow_blank=True, max_length=2000)
    flagged = serializers.BooleanField(default=False)
    seconds = serializers.FloatField(default=None, allow_null=True, min_value=0, max_value=86_400)


class ReviseIn(Said):
    item = serializers.IntegerField(min_value=1, max_value=LARGEST)
    note = serializers.CharField(default=None, allow_null=True, allow_blank=True, max_length=2000)
    flagged = serializers.BooleanField(default=None, allow_null=True)


_CONFLICT = inline_serializer("Conflict", {"detail": serializers.CharField(), "stored": AnnotationOut()})


def _conflict(error: Conflict) -> Response:
    return Response({"detail": str(error), "stored": AnnotationOut(error.stored).data}, status=error.status)


class Submit(APIView):
    """Stores an answer and hands out the next items. Sending it again with the same key changes nothing."""

    scopes = ANNOTATE

    @extend_schema(
        operation_id="submit",
        request=SubmitIn,
        responses={
            200: inline_serializer(
                "Submitted",
                {
                    "annotation": AnnotationOut(),
                    "kept_as": serializers.ChoiceField(choices=["answer", "repeat", "late"]),
                    "next": LeaseOut(many=True),
                },
            ),
            409: _CONFLICT,
        },
    )
    def post(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.ANNOTATE)
        answer = Answer(**_given(SubmitIn, request.data))
        try:
            done = services.submit(project, cast(User, request.user), answer)
        except Conflict as error:
            return _conflict(error)
        said, following = AnnotationOut(done.annotation).data, LeaseOut(done.next, many=True).data
        return Response({"annotation": said, "kept_as": done.kept_as, "next": following})


class Revise(APIView):
    """Changes your own earlier answer on an item: a new revision."""

    scopes = ANNOTATE

    @extend_schema(operation_id="revise", request=ReviseIn, responses={200: AnnotationOut, 409: _CONFLICT})
    def post(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.ANNOTATE)
        given = _given(ReviseIn, request.data)
        try:
            said = services.revise(project, cast(User, request.user), given.pop("item"), given.pop("key"), **given)
        except Conflict as error:
            return _conflict(error)
        return Response(AnnotationOut(said).data)


class SkipIn(serializers.Serializer[Any]):
    token = serializers.UUIDField()


class Skip(APIView):
    """Puts an item back for others; this person does not meet it again."""

    scopes = ANNOTATE

    @extend_schema(operation_id="skip", request=SkipIn, responses=_LEASES)
    def post(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.ANNOTATE)
        given = _given(SkipIn, request.data)
        return _leases(services.skip(project, cast(User, request.user), given["token"]))


class UndoIn(serializers.Serializer[Any]):
    of = serializers.UUIDField(default=None, allow_null=True, help_text="key of the answer; makes a retry harmless")


class Undo(APIView):
    """Takes back this person's newest answer and hands its item out to them again."""

    scopes = ANNOTATE

    @extend_schema(
        operation_id="undo",
        request=UndoIn,
        responses=inline_serializer("Undone", {"lease": LeaseOut(allow_null=True)}),
    )
    def post(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.ANNOTATE)
        given = _given(UndoIn, request.data)
        lease = services.undo(project, cast(User, request.user), of=given["of"])
        return Response({"lease": LeaseOut(lease).data if lease else None})


class RenewIn(serializers.Serializer[Any]):
    tokens = serializers.ListField(child=serializers.UUIDField(), max_length=MOST_AHEAD)


class Renew(APIView):
    """Keeps leases alive while somebody is reading."""

    scopes = ANNOTATE

    @extend_schema(
        operation_id="renew",
        request=RenewIn,
        responses=inline_serializer("Renewed", {"renewed": serializers.IntegerField()}),
    )
    def post(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.ANNOTATE)
        given = _given(RenewIn, request.data)
        return Response({"renewed": services.renew(project, cast(User, request.user), given["tokens"])})


def _page(name: str, shape: type[serializers.ModelSerializer[Any]]) -> serializers.Serializer[Any]:
    return inline_serializer(name, {"results": shape(many=True), "next": serializers.CharField(allow_null=True)})


class ByItem(PageQuery):
    item = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST)


class TaskQuery(ByItem):
    state = serializers.ChoiceField(choices=Task.State.choices, required=False)


class Tasks(APIView):
    @extend_schema(operation_id="tasks_list", parameters=[TaskQuery], responses=_page("TaskPage", TaskOut))
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.VIEW)
        given = _given(TaskQuery, request.query_params)
        found = _of_item(project.tasks.all(), given)
        if not _seen(request, project)["sees_gold"]:
            found = found.exclude(reason=Task.Reason.GOLD)  # whom it measures should not know
        if "state" in given:
            found = found.filter(state=given.pop("state"))
        return Response(page_body(page_after(found, **given), lambda task: TaskOut(task).data))


class Annotations(APIView):
    """Every revision of every opinion, in the order they were given."""

    @extend_schema(
        operation_id="annotations_list", parameters=[ByItem], responses=_page("AnnotationPage", AnnotationOut)
    )
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.VIEW)
        given = _given(ByItem, request.query_params)
        found = _of_item(project.annotations.all(), given)
        return Response(page_body(page_after(found, **given), lambda said: AnnotationOut(said).data))


class Resolutions(APIView):
    """The current truths, in the order of their items."""

    @extend_schema(
        operation_id="resolutions_list", parameters=[ByItem], responses=_page("ResolutionPage", ResolutionOut)
    )
    def get(self, request: Request, slug: str) -> Response:
        project = _project(request, slug, Capability.VIEW)
        given = _given(ByItem, request.query_params)
        found = _of_item(Resolution.objects.filter(project=project), given)
        seen = _seen(request, project)
        return Response(page_body(page_after(found, **given), lambda truth: ResolutionOut(truth, context=seen).data))


def _of_item(found: QuerySet[Any], given: dict[str, Any]) -> QuerySet[Any]:
    return found.filter(item=given.pop("item")) if "item" in given else found


class ItemHistory(APIView):
    """All that people and models said about one item."""

    @extend_schema(
        operation_id="item_history",
        responses=inline_serializer(
            "ItemHistory",
            {
                "id": serializers.IntegerField(),
                "external_id": serializers.CharField(),
                "text": serializers.CharField(),
                "split": serializers.ChoiceField(choices=Split.choices),
                "resolution": ResolutionOut(allow_null=True),
                "annotations": AnnotationOut(many=True),
                "predictions": PredictionOut(many=True),
                "tasks": TaskOut(many=True),
            },
        ),
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        project = _project(request, slug, Capability.VIEW)
        item = get_object_or_404(Item, project=project, pk=pk)
        history = queries.item_history(item)
        seen = _seen(request, project)
        tasks = [task for task in history.tasks if seen["sees_gold"] or task.reason != Task.Reason.GOLD]
        return Response(
            {
                "id": item.pk,
                "external_id": item.external_id,
                "text": item.text,
                "split": item.split,
                "resolution": ResolutionOut(history.resolution, context=seen).data if history.resolution else None,
                "annotations": AnnotationOut(history.annotations, many=True).data,
                "predictions": PredictionOut(history.predictions, many=True).data,
                "tasks": TaskOut(tasks, many=True).data,
            }
        )


def _seen(request: Request, project: Project) -> dict[str, bool]:
    return {"sees_gold": Capability.REVIEW in capabilities(cast(User, request.user), project)}
