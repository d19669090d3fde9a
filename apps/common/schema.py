from typing import Any

from drf_spectacular.openapi import AutoSchema


class Schema(AutoSchema):
    """Views keep their serializers inside; the document names them after both: Claim.Input is ClaimInput."""

    def get_serializer_name(self, serializer: Any, direction: str) -> str:
        kind = serializer if isinstance(serializer, type) else type(serializer)
        return str(kind.__qualname__.replace(".", ""))
