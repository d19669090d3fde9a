from django.db.models import QuerySet

from apps.feedback.models import IntakeKey
from apps.projects.models import Project


def keys_of(project: Project) -> QuerySet[IntakeKey]:
    """Those in use, newest first."""
    return IntakeKey.objects.filter(project=project, revoked_at=None).select_related("by").order_by("-pk")
