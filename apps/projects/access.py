"""The only door to a project: a stranger sees 404, a member whose role cannot do it gets 403."""

from enum import StrEnum

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.rows import columns, first, made
from apps.projects.models import Project, Role


class Capability(StrEnum):
    VIEW = "view"
    ANNOTATE = "annotate"
    REVIEW = "review"
    TRIAGE = "triage"
    MANAGE = "manage"


CAN: dict[Role, frozenset[Capability]] = {
    Role.VIEWER: frozenset({Capability.VIEW}),
    Role.ANNOTATOR: frozenset({Capability.VIEW, Capability.ANNOTATE}),
    Role.REVIEWER: frozenset({Capability.VIEW, Capability.ANNOTATE, Capability.REVIEW}),
    Role.PRODUCT_MANAGER: frozenset({Capability.VIEW, Capability.TRIAGE}),
    Role.ADMINISTRATOR: frozenset(Capability),
}


def projects_of(user: User) -> QuerySet[Project]:
    projects = Project.objects.filter(archived_at=None)
    return projects if user.is_superuser else projects.filter(memberships__user=user)


def role_in(user: User, project: Project) -> Role | None:
    if user.is_superuser:
        return Role.ADMINISTRATOR
    role = project.memberships.filter(user=user).values_list("role", flat=True).first()
    return Role(role) if role else None


def capabilities(user: User, project: Project) -> frozenset[Capability]:
    role = role_in(user, project)
    return CAN[role] if role else frozenset()


_PROJECT_WITH_ROLE = f"""
SELECT {columns(Project, "p")}, m.role
FROM projects_project p LEFT JOIN projects_membership m ON m.project_id = p.id AND m.user_id = %(user)s
WHERE p.slug = %(slug)s AND p.archived_at IS NULL AND (m.role IS NOT NULL OR %(superuser)s)
"""  # noqa: S608  # names of columns


def project_for(user: User, slug: str, *, need: Capability) -> Project:
    """The project with its members' capabilities checked. Missing and foreign look alike."""
    found = first(_PROJECT_WITH_ROLE, {"slug": slug, "user": user.pk, "superuser": user.is_superuser})
    if found is None:
        raise Http404
    project, role = made(Project, found), Role.ADMINISTRATOR if user.is_superuser else Role(found[-1])
    if need not in CAN[role]:
        raise PermissionDenied(_("Your role in this project does not allow this. Ask its administrator."))
    return project
