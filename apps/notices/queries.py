"""Reads: the inbox, the endpoints, and what became of each delivery."""

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from apps.accounts.models import User
from apps.notices.models import Delivery, MailPreference, Notice, Webhook
from apps.projects.access import projects_of
from apps.projects.models import Project

MOST_UNREAD = 99


def inbox(user: User) -> QuerySet[Notice]:
    """Of no project, or of one that the person still belongs to; newest first."""
    mine = Q(project=None) | Q(project__in=projects_of(user))
    return Notice.objects.filter(mine, user=user).select_related("project").order_by("-pk")


def unread(user: User) -> int:
    """Counted up to MOST_UNREAD + 1, for the bell."""
    return Notice.objects.filter(user=user, read_at=None)[: MOST_UNREAD + 1].count()


def mail_mode(user: User) -> str:
    found = MailPreference.objects.filter(user=user).values_list("mode", flat=True).first()
    return found or MailPreference.Mode.DAILY


def webhooks(project: Project) -> QuerySet[Webhook]:
    last = Delivery.objects.filter(webhook=OuterRef("pk")).exclude(tried_at=None).order_by("-tried_at")
    return (
        Webhook.objects.filter(project=project)
        .annotate(
            waiting=Count("deliveries", filter=Q(deliveries__state=Delivery.State.WAITING)),
            last_at=Subquery(last.values("tried_at")[:1]),
            last_status=Subquery(last.values("status")[:1]),
        )
        .order_by("pk")
    )


def deliveries(webhook: Webhook) -> QuerySet[Delivery]:
    return Delivery.objects.filter(webhook=webhook).order_by("-pk")
