from django.conf import settings
from django.db import models
from django.utils import timezone

from apps.projects.models import Project


class SavedView(models.Model):
    """Filters under a name. `query` is the page's query string, made by our form, never the client's own."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_views")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=120)
    query = models.TextField(blank=True)
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "by", "name"], name="saved_view_name_once")]
