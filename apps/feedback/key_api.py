from typing import Any, cast

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.common.forms import first_error
from apps.feedback import key_queries as queries
from apps.feedback.intake_auth import forget_keys
from apps.feedback.key_forms import KeyForm
from apps.feedback.models import IntakeKey
from apps.feedback.services import erasing
from apps.feedback.services import keys as services
from apps.projects import access
from apps.projects.access import Capability


def _user(request: Request) -> User:
    return cast(User, request.user)


class IntakeKeys(APIView):
    """The keys that let a host product send feedback. A key itself is answered once, when it is made."""

    class Input(serializers.Serializer[dict[str, Any]]):
        name = serializers.CharField(max_length=80)
        kind = serializers.ChoiceField(IntakeKey.Kind.choices, default=IntakeKey.Kind.PUBLISHABLE.value)
        origins = serializers.ListField(child=serializers.CharField(max_length=300), required=False, default=list)
        per_minute = serializers.IntegerField(required=False, min_value=1, max_value=10_000_000)
        per_day = serializers.IntegerField(required=False, min_value=1, max_value=1_000_000_000)

    class Output(serializers.ModelSerializer[IntakeKey]):
        origins = serializers.ListField(child=serializers.CharField())
        key = serializers.CharField(required=False, help_text="Only in the answer that made it.")

        class Meta:
            model = IntakeKey
            fields = ["id", "name", "kind", "prefix", "origins", "per_minute", "per_day", "created_at", "key"]
            read_only_fields = fields

    @extend_schema(operation_id="intake_keys_list", responses=Output(many=True))
    def get(self, request: Request, slug: str) -> Response:
        project = access.project_for(_user(request), slug, need=Capability.MANAGE)
        return Response(_output(queries.keys_of(project), many=True).data)

    @extend_schema(operation_id="intake_keys_create", request=Input, responses={201: Output})
    def post(self, request: Request, slug: str) -> Response:
        project = access.project_for(_user(request), slug, need=Capability.MANAGE)
        given = self.Input(data=request.data)
        given.is_valid(raise_exception=True)
        sent = {"per_day": 100_000, **given.validated_data}
        form = KeyForm(sent | {"origins": "\n".join(sent["origins"])})
        if not form.is_valid():
            raise InvalidInput(first_error(form), field=next(iter(form.errors)))
        fields = {name: form.cleaned_data[name] for name in ("name", "kind", "origins", "per_minute", "per_day")}
        row, key = services.make(project, _user(request), **fields)
        return Response({**_output(row).data, "key": key}, status=status.HTTP_201_CREATED)


def _output(rows: Any, *, many: bool = False) -> Any:
    return IntakeKeys.Output(rows, many=many)


class IntakeKeyDetail(APIView):
    @extend_schema(operation_id="intake_keys_revoke", responses={204: None})
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        project = access.project_for(_user(request), slug, need=Capability.MANAGE)
        if not services.revoke(project, pk):
            raise Http404
        forget_keys()
        return Response(status=status.HTTP_204_NO_CONTENT)


class Subject(APIView):
    """One person, by the key that the host sends as `subject`."""

    class Output(serializers.Serializer[erasing.Erased]):
        signals = serializers.IntegerField()
        predictions = serializers.IntegerField()
        tickets = serializers.IntegerField(help_text="That spoke in this person's words.")
        items = serializers.IntegerField(help_text="Texts that had become content of the project; they stay.")

    @extend_schema(operation_id="subject_erase", responses=Output)
    def delete(self, request: Request, slug: str, key: str) -> Response:
        project = access.project_for(_user(request), slug, need=Capability.MANAGE)
        return Response(self.Output(erasing.erase_subject(project, key)).data)
