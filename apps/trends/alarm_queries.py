"""Reads: open alarms, their history, and the rules."""

from django.db.models import QuerySet

from apps.projects.models import Project
from apps.trends.models import Alarm, AlarmMove, AlarmRule


def alarms(project: Project) -> QuerySet[Alarm]:
    return Alarm.objects.filter(project=project).select_related("rule", "label", "project").order_by("-pk")


def open_alarms(project: Project) -> QuerySet[Alarm]:
    return alarms(project).exclude(state=Alarm.State.CLOSED)


def moves(alarm: Alarm) -> QuerySet[AlarmMove]:
    return AlarmMove.objects.filter(alarm=alarm).select_related("by").order_by("pk")


def rules(project: Project) -> QuerySet[AlarmRule]:
    return AlarmRule.objects.filter(project=project, removed_at=None).select_related("label").order_by("pk")
