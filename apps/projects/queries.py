import hashlib
from collections.abc import Mapping
from typing import Any

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


def successors(project_id: int) -> dict[int, int]:
    """Merged label -> the label that its truths have now, at the end of every chain."""
    merged = Label.objects.filter(project_id=project_id).exclude(merged_into=None)
    into = {pk: end for pk, end in merged.values_list("pk", "merged_into") if end is not None}
    ends = {}
    for pk in into:
        end, seen = pk, {pk}
        while end in into and into[end] not in seen:
            end = into[end]
            seen.add(end)
        ends[pk] = end
    return ends


def as_called_now(answer: Any, into: Mapping[int, int]) -> Any:
    """A label id, or the value of another task kind, with merged labels replaced by what they became."""
    if not into or not isinstance(answer, int | dict):
        return answer
    if isinstance(answer, int):
        return into.get(answer, answer)
    if "labels" in answer:
        return answer | {"labels": sorted({into.get(label, label) for label in answer["labels"]})}
    if "spans" in answer:
        return answer | {
            "spans": [span | {"label": into.get(span["label"], span["label"])} for span in answer["spans"]]
        }
    return answer
