"""The explorer for machines: thin twins of its pages over the same queries and services."""

from collections.abc import Mapping
from typing import Any, cast

from django.http import QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.annotation.models import Audience
from apps.common.errors import InvalidInput
from apps.common.pagination import LIMIT, PageQuery
from apps.content.models import Item, Split
from apps.explore import list_queries, saved_queries
from apps.explore.bulk_forms import ACTS
from apps.explore.list_forms import ItemFilter
from apps.explore.services import bulk
from apps.explore.services import views as kept
from apps.projects.access import Capability, capabilities, project_for
from apps.projects.models import Project

_FILTERS = [
    OpenApiParameter(name, str, description=str(field.label or name)) for name, field in ItemFilter.base_fields.items()
]


class Said(serializers.Serializer[Any]):
    label = serializers.IntegerField(allow_null=True)  # type: ignore[assignment]
    value = serializers.JSONField(allow_null=True)


class TruthOut(Said):
    how = serializers.CharField()
    agreement = serializers.FloatField(allow_null=True)
    changed_at = serializers.DateTimeField()


class PredictedOut(Said):
    version = serializers.IntegerField()
    confidence = serializers.FloatField()
    margin = serializers.FloatField()


class ItemOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    external_id = serializers.CharField()
    text = serializers.CharField()
    split = serializers.ChoiceField(choices=Split.choices)
    language = serializers.CharField()
    meta = serializers.JSONField()
    archived_at = serializers.DateTimeField(allow_null=True)
    truth = TruthOut(allow_null=True)
    predicted = PredictedOut(allow_null=True, help_text="null too where a hold-out item has no truth yet")


class Paging(PageQuery):
    after = serializers.CharField(required=False, default="", max_length=80, help_text="The `next` of the page before.")


class Items(APIView):
    """Items with the same filters and orders as the page's, and what the version meant says about each."""

    @extend_schema(
        operation_id="explore_items",
        parameters=[Paging, *_FILTERS],
        responses=inline_serializer(
            "ExploredPage", {"results": ItemOut(many=True), "next": serializers.CharField(allow_null=True)}
        ),
    )
    def get(self, request: Request, slug: str) -> Response:
        project, user = _project(request, slug, Capability.VIEW)
        paging = Paging(data=request.query_params)
        paging.is_valid(raise_exception=True)
        form = _filter(project, user, request.query_params)
        given = paging.validated_data
        page = list_queries.page(project, form.listing, given.get("after", ""), limit=given.get("limit", LIMIT))
        said = list_queries.predictions_of(project, page.rows, form.shown_version)
        review = Capability.REVIEW in capabilities(user, project)
        rows = [_row(item, said.get(item.pk), form, review=review) for item in page.rows]
        return Response({"results": rows, "next": page.next or None})


class Amount(APIView):
    """How many items match the filters: exact where that is quick, else about."""

    @extend_schema(
        operation_id="explore_amount",
        parameters=_FILTERS,
        responses=inline_serializer(
            "ExploredAmount", {"n": serializers.IntegerField(), "about": serializers.BooleanField()}
        ),
    )
    def get(self, request: Request, slug: str) -> Response:
        project, user = _project(request, slug, Capability.VIEW)
        found = list_queries.amount(project, _filter(project, user, request.query_params).listing)
        return Response({"n": found.n, "about": found.about})


class ChosenIn(serializers.Serializer[Any]):
    items = serializers.ListField(child=serializers.IntegerField(min_value=1), required=False, max_length=10_000)
    filters = serializers.DictField(child=serializers.CharField(), required=False, help_text="as in the address")


class OutlookOut(serializers.Serializer[Any]):
    n = serializers.IntegerField()
    archived = serializers.IntegerField(help_text="these come back")
    free = serializers.IntegerField(help_text="neither archived nor gold: these can be sent to the queue or archived")
    waiting = serializers.IntegerField(help_text="of the free: in the queue")
    held_out = serializers.IntegerField(help_text="of the free")
    pool = serializers.IntegerField(help_text="of the free: these can be labelled")
    labelled = serializers.IntegerField(help_text="of those")


class BulkPreview(APIView):
    """Of the items named, or all that match the filters, how many each act reaches, and what it finds there."""

    scopes = {"POST": "read"}

    @extend_schema(operation_id="explore_bulk_preview", request=ChosenIn, responses=OutlookOut)
    def post(self, request: Request, slug: str) -> Response:
        project, user = _project(request, slug, Capability.REVIEW)
        given = ChosenIn(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(OutlookOut(bulk.outlook(project, _chosen(project, user, given.validated_data))).data)


class BulkIn(ChosenIn):
    act = serializers.ChoiceField(choices=list(ACTS))
    wanted = serializers.IntegerField(required=False, min_value=1, max_value=20)
    front = serializers.BooleanField(default=False)
    audience = serializers.CharField(default="", allow_blank=True, help_text="name of a group")
    label = serializers.IntegerField(required=False, allow_null=True)  # type: ignore[assignment]
    labels = serializers.ListField(child=serializers.IntegerField(), required=False)


class Bulk(APIView):
    """One act on many items: those named, or all that match the filters. Undone through changes."""

    scopes = {"POST": "annotate"}

    @extend_schema(
        operation_id="explore_bulk",
        request=BulkIn,
        responses=inline_serializer(
            "BulkDone",
            {
                "change": serializers.IntegerField(),
                "n": serializers.IntegerField(),
                "left_out": serializers.IntegerField(),
            },
        ),
    )
    def post(self, request: Request, slug: str) -> Response:
        project, user = _project(request, slug, Capability.REVIEW)
        given = BulkIn(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = dict(given.validated_data)
        ids = _chosen(project, user, wanted)
        wish = bulk.Wish(
            act=wanted["act"],
            wanted=wanted.get("wanted") or project.wanted,
            front=wanted["front"],
            audience=_audience(project, wanted["audience"]),
            label=wanted.get("label"),
            labels=tuple(wanted.get("labels", ())),
        )
        change = bulk.act(project, user, ids, wish)
        return Response({"change": change.pk, "n": change.n, "left_out": bulk.left_out(change)})


def _chosen(project: Project, user: User, wanted: Mapping[str, Any]) -> list[int]:
    if ("items" in wanted) == ("filters" in wanted):
        raise InvalidInput(_("Name either items or filters."), field="items")
    if "items" in wanted:
        return bulk.among(project, wanted["items"])
    return bulk.all_that_match(project, _filter(project, user, wanted["filters"]).listing)


class ViewIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    filters = serializers.DictField(child=serializers.CharField(), help_text="as in the address")
    shared = serializers.BooleanField(default=False)


class ViewOut(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    name = serializers.CharField()
    query = serializers.CharField()
    shared = serializers.BooleanField()
    url = serializers.SerializerMethodField()

    def get_url(self, view: Any) -> str:
        return reverse("saved_view", args=[view.project.slug, view.pk])


class Views(APIView):
    """Filters under a name: one's own, and those that others share."""

    scopes = {"POST": "annotate"}

    @extend_schema(operation_id="explore_views", responses=ViewOut(many=True))
    def get(self, request: Request, slug: str) -> Response:
        project, user = _project(request, slug, Capability.VIEW)
        return Response(ViewOut(saved_queries.views(project, user).select_related("project"), many=True).data)

    @extend_schema(operation_id="explore_view_save", request=ViewIn, responses=ViewOut)
    def post(self, request: Request, slug: str) -> Response:
        project, user = _project(request, slug, Capability.VIEW)
        given = ViewIn(data=request.data)
        given.is_valid(raise_exception=True)
        form = _filter(project, user, given.validated_data["filters"])
        name, shared = given.validated_data["name"], given.validated_data["shared"]
        view = kept.save(project, user, name=name, query=form.query, shared=shared)
        return Response(ViewOut(view).data)


class View(APIView):
    scopes = {"DELETE": "annotate"}

    @extend_schema(operation_id="explore_view_delete", responses={204: None})
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        """One's own, or a shared one for those who manage the project."""
        project, user = _project(request, slug, Capability.VIEW)
        kept.delete(get_object_or_404(saved_queries.views(project, user), pk=pk), user)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _project(request: Request, slug: str, need: Capability) -> tuple[Project, User]:
    user = cast(User, request.user)
    return project_for(user, slug, need=need), user


def _filter(project: Project, user: User, given: Any) -> ItemFilter:
    if not isinstance(given, QueryDict):
        asked = QueryDict(mutable=True)
        asked.update(given)
        given = asked
    form = ItemFilter(project, capabilities(user, project), given)
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        raise InvalidInput(str(errors[0]), field=field)
    return form


def _audience(project: Project, name: str) -> Audience | None:
    if not name:
        return None
    found = Audience.objects.filter(project=project, name=name).first()
    if found is None:
        raise InvalidInput(_("This project has no such group."), field="audience")
    return found


def _row(item: Item, said: Any, form: ItemFilter, *, review: bool) -> dict[str, Any]:
    truth = getattr(item, "resolution", None)
    names = ("id", "external_id", "text", "split", "language", "meta", "archived_at")
    row = {name: getattr(item, name) for name in names} | {"truth": None, "predicted": None}
    if truth:
        # which items measure people is for reviewers
        how = "adjudicated" if truth.how == "gold" and not review else truth.how
        row["truth"] = {
            **{"label": truth.label_id, "value": truth.value, "how": how},
            **{"agreement": truth.agreement, "changed_at": truth.changed_at},
        }
    if said:
        number = next(version.number for version in form.versions if version.pk == form.shown_version)
        row["predicted"] = {
            **{"version": number, "label": said.label_id, "value": said.value},
            **{"confidence": said.confidence, "margin": said.margin},
        }
    return row
