import hashlib

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.projects.models import Invitation, Label, Membership, Project


def labels(project: Project) -> QuerySet[Label]:
    """Those that are offered, in their order."""
    return Label.objects.filter(project=project, archived_at=None)


def archived_labels(project: Project) -> QuerySet[Label]:
    return Label.objects.filter(project=project).exclude(archived_at=None).order_by("name")


def members(project: Project) -> QuerySet[Membership]:
    return Membership.objects.filter(project=project).select_related("user").order_by("joined_at", "pk")


def pending_invitations(project: Project) -> QuerySet[Invitation]:
    return Invitation.objects.filter(project=project, accepted_at=None, revoked_at=None).order_by("-pk")


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def invitation_for(secret: str) -> Invitation | None:
    rows = Invitation.objects.select_related("project", "invited_by")
    return rows.filter(digest=digest_of(secret), project__archived_at=None).first()


def has_account(invitation: Invitation) -> bool:
    return User.objects.filter(email__iexact=invitation.email).exists()
