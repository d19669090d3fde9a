"""Hourly counts from rows, in one statement for each kind. Counting an hour again gives the same; old hours stay."""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from apps.projects.models import Project
from apps.trends.models import Bucket, Measure, Watch

AGAIN = timedelta(hours=2)  # what was in flight when an hour was counted has been committed by then

_COUNT = {
    Measure.SERVED: """
INSERT INTO trends_bucket (project_id, measure, hour, label_id, version_id, source, polarity, n)
SELECT project_id, 'served', date_trunc('hour', at), COALESCE(shown_id, label_id), version_id, language, 0, count(*)
FROM serving_served WHERE project_id = %(project)s AND at >= %(since)s
GROUP BY 1, 2, 3, 4, 5, 6
""",
    Measure.SIGNALS: """
INSERT INTO trends_bucket (project_id, measure, hour, label_id, version_id, source, polarity, n)
SELECT project_id, 'signals', date_trunc('hour', received_at), predicted_id, version_id, source, polarity, count(*)
FROM feedback_signal WHERE project_id = %(project)s AND received_at >= %(since)s AND kind <> ALL(%(behaviour)s)
    AND state <> 'aside'
GROUP BY 1, 2, 3, 4, 5, 6, 7
""",
}
_FIRST = """
SELECT LEAST(
    (SELECT min(at) FROM serving_served WHERE project_id = %(project)s),
    (SELECT min(received_at) FROM feedback_signal WHERE project_id = %(project)s)
)
"""
BEHAVIOUR = ["shown", "clicked", "accepted", "dismissed", "dwell"]


def count_all(*, anew: bool = False) -> None:
    for project in Project.objects.filter(archived_at=None).only("pk"):
        count(project, anew=anew)


@transaction.atomic
def count(project: Project, *, anew: bool = False) -> None:
    """What came since the last time; `anew` (and the first time) every hour of which all rows are still there."""
    watch, _made = Watch.objects.get_or_create(project=project)
    watch = Watch.objects.select_for_update().get(pk=watch.pk)  # two workers count one after the other
    now, first = timezone.now(), _first_row(project)
    if first is None:
        return
    if watch.counted_through is None or anew or not Bucket.objects.filter(project=project).exists():
        # the oldest hour may have been forgotten in part: once counted, it stays as it was
        known = Bucket.objects.filter(project=project, hour=_hour(first)).exists()
        since = _hour(first) + timedelta(hours=1) if known else _hour(first)
    else:
        since = _hour(watch.counted_through - AGAIN)
    Bucket.objects.filter(project=project, hour__gte=since).delete()
    with connection.cursor() as cursor:
        for statement in _COUNT.values():
            cursor.execute(statement, {"project": project.pk, "since": since, "behaviour": BEHAVIOUR})
    watch.counted_through = now
    watch.save(update_fields=["counted_through"])


def _first_row(project: Project) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, {"project": project.pk})
        found: datetime | None = cursor.fetchone()[0]
    return found


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
