"""A project never loses its last administrator."""

from django.db import transaction
from django.utils.translation import gettext as _

from apps.common.errors import DomainError
from apps.projects.models import Membership, Project, Role
from apps.projects.services.projects import lock


@transaction.atomic
def change_role(project: Project, member: Membership, role: Role) -> None:
    lock(project)
    if role != Role.ADMINISTRATOR:
        _refuse_if_last(project, member)
    Membership.objects.filter(pk=member.pk, project=project).update(role=role)


@transaction.atomic
def remove_member(project: Project, member: Membership) -> None:
    """Their answers stay; only the way in goes."""
    lock(project)
    _refuse_if_last(project, member)
    Membership.objects.filter(pk=member.pk, project=project).delete()


def _refuse_if_last(project: Project, member: Membership) -> None:
    administrators = set(project.memberships.filter(role=Role.ADMINISTRATOR).values_list("pk", flat=True))
    if administrators == {member.pk}:
        raise DomainError(_("This is the project's last administrator. Make somebody else one first."))
