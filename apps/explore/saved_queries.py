from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.explore.models import SavedView
from apps.projects.models import Project


def views(project: Project, user: User) -> QuerySet[SavedView]:
    """One's own, and what others share."""
    seen = SavedView.objects.filter(Q(by=user) | Q(shared=True), project=project)
    return seen.select_related("by").order_by("name", "pk")
