from typing import Any, cast

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.forms import LARGEST
from apps.common.pagination import PageQuery, page_after, page_body
from apps.notices import queries
from apps.notices.models import Delivery, Event, Notice, Webhook
from apps.notices.services import reading, webhooks
from apps.projects.access import Capability, project_for


class NoticeOut(serializers.ModelSerializer[Notice]):
    project = serializers.CharField(source="project.slug", allow_null=True, default=None)

    class Meta:
        model = Notice
        fields = ["id", "kind", "project", "title", "body", "url", "at", "read_at"]
        read_only_fields = fields


class WebhookOut(serializers.ModelSerializer[Webhook]):
    events = serializers.ListField(child=serializers.CharField())
    enabled = serializers.SerializerMethodField()

    class Meta:
        model = Webhook
        fields = ["id", "url", "events", "enabled", "disabled_why", "failing_since", "created_at"]
        read_only_fields = fields

    def get_enabled(self, row: Webhook) -> bool:
        return row.disabled_at is None


class DeliveryOut(serializers.ModelSerializer[Delivery]):
    state = serializers.ChoiceField(choices=Delivery.State.choices)

    class Meta:
        model = Delivery
        fields = [
            *("id", "uid", "event", "about", "payload", "state", "attempts", "due_at", "status", "error"),
            *("milliseconds", "created_at", "tried_at"),
        ]
        read_only_fields = fields


class SecretOut(WebhookOut):
    secret = serializers.CharField(read_only=True, help_text="Shown this one time.")

    class Meta(WebhookOut.Meta):
        fields = [*WebhookOut.Meta.fields, "secret"]
        read_only_fields = fields


def _list(name: str, shown: Any) -> Any:
    return inline_serializer(name, {"results": shown(many=True), "next": serializers.CharField(allow_null=True)})


def _page(request: Request) -> dict[str, Any]:
    asked = PageQuery(data=request.query_params)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


class NoticesApi(APIView):
    """The inbox of the token's owner, newest first."""

    @extend_schema(
        operation_id="notices", parameters=[PageQuery], responses=_list("NoticeList", NoticeOut), methods=["GET"]
    )
    def get(self, request: Request) -> Response:
        page = page_after(queries.inbox(cast(User, request.user)), **_page(request), newest_first=True)
        return Response(page_body(page, lambda row: dict(NoticeOut(row).data)))


class NoticesReadApi(APIView):
    class Input(serializers.Serializer[Any]):
        through = serializers.IntegerField(
            min_value=0, max_value=LARGEST, help_text="The newest notice that was seen; later ones stay unread."
        )

    class Output(serializers.Serializer[Any]):
        read = serializers.IntegerField()

    @extend_schema(operation_id="notices_read", request=Input, responses=Output)
    def post(self, request: Request) -> Response:
        given = self.Input(data=request.data)
        given.is_valid(raise_exception=True)
        done = reading.mark_all_read(cast(User, request.user), through=given.validated_data["through"])
        return Response({"read": done})


class WebhookIn(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=500)
    events = serializers.ListField(child=serializers.ChoiceField(choices=Event.choices), min_length=1)


class WebhookChange(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=500, required=False)
    events = serializers.ListField(child=serializers.ChoiceField(choices=Event.choices), min_length=1, required=False)
    enabled = serializers.BooleanField(required=False)


class _OfProject(APIView):
    scopes = {"GET": "manage"}

    def found(self, request: Request, slug: str, pk: int) -> Webhook:
        project = project_for(cast(User, request.user), slug, need=Capability.MANAGE)
        if pk > LARGEST:
            raise Http404
        return get_object_or_404(Webhook.objects.select_related("project"), project=project, pk=pk)


class WebhooksApi(_OfProject):
    """Endpoints of the host product."""

    @extend_schema(operation_id="webhooks", responses=_list("WebhookList", WebhookOut))
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.MANAGE)
        return Response({"results": WebhookOut(queries.webhooks(project), many=True).data, "next": None})

    @extend_schema(operation_id="webhooks_create", request=WebhookIn, responses={201: SecretOut})
    def post(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.MANAGE)
        given = WebhookIn(data=request.data)
        given.is_valid(raise_exception=True)
        row, secret = webhooks.make(project, cast(User, request.user), **given.validated_data)
        return Response(WebhookOut(row).data | {"secret": secret}, status=201)


class WebhookApi(_OfProject):
    @extend_schema(operation_id="webhook", responses=WebhookOut)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(WebhookOut(self.found(request, slug, pk)).data)

    @extend_schema(operation_id="webhook_change", request=WebhookChange, responses=WebhookOut)
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        row = self.found(request, slug, pk)
        given = WebhookChange(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        if "url" in data or "events" in data:
            webhooks.change(row, url=data.get("url", row.url), events=data.get("events", row.events))
        if "enabled" in data:
            webhooks.set_enabled(row, data["enabled"])
        return Response(WebhookOut(row).data)

    @extend_schema(operation_id="webhook_remove", responses={204: None})
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        webhooks.remove(self.found(request, slug, pk))
        return Response(status=204)


class WebhookRotateApi(_OfProject):
    @extend_schema(operation_id="webhook_rotate", request=None, responses=SecretOut)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        row = self.found(request, slug, pk)
        return Response(WebhookOut(row).data | {"secret": webhooks.rotate(row)})


class WebhookTestApi(_OfProject):
    @extend_schema(operation_id="webhook_test", request=None, responses={202: DeliveryOut})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        return Response(DeliveryOut(webhooks.try_out(self.found(request, slug, pk))).data, status=202)


class DeliveriesApi(_OfProject):
    """What was sent to an endpoint and how that ended, newest first."""

    @extend_schema(
        operation_id="webhook_deliveries",
        parameters=[PageQuery, OpenApiParameter("slug", str, "path"), OpenApiParameter("pk", int, "path")],
        responses=_list("DeliveryList", DeliveryOut),
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        page = page_after(queries.deliveries(self.found(request, slug, pk)), **_page(request), newest_first=True)
        return Response(page_body(page, lambda row: dict(DeliveryOut(row).data)))


class RedeliverApi(_OfProject):
    @extend_schema(operation_id="webhook_redeliver", request=None, responses={202: DeliveryOut})
    def post(self, request: Request, slug: str, pk: int, delivery: int) -> Response:
        webhook = self.found(request, slug, pk)
        if delivery > LARGEST:
            raise Http404
        row = get_object_or_404(queries.deliveries(webhook).select_related("webhook"), pk=delivery)
        return Response(DeliveryOut(webhooks.redeliver(row)).data, status=202)
