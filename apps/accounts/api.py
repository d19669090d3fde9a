from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import ApiToken, User


class Me(APIView):
    """Who the token belongs to and what it may do."""

    class Output(serializers.Serializer[User]):
        email = serializers.EmailField()
        name = serializers.CharField()
        superuser = serializers.BooleanField(source="is_superuser")
        scopes = serializers.ListField(child=serializers.CharField(), allow_null=True)

    @extend_schema(operation_id="me", responses=Output)
    def get(self, request: Request) -> Response:
        user = cast(User, request.user)
        scopes = request.auth.scopes if isinstance(request.auth, ApiToken) else None
        return Response({"email": user.email, "name": user.name, "superuser": user.is_superuser, "scopes": scopes})
