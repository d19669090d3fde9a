import secrets
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.projects.models import Label, Membership, Project, Role


@transaction.atomic
def create_project(*, by: User, name: str, **fields: Any) -> Project:
    """The person who makes it becomes its administrator."""
    if not by.is_superuser:
        raise DomainError(_("Only the people who run this installation may create projects. Ask one of them."))
    fields.setdefault("encoder", settings.DEFAULT_ENCODER)
    project = Project.objects.create(name=name, slug=_free_slug(name), **fields)
    Membership.objects.create(project=project, user=by, role=Role.ADMINISTRATOR)
    if project.task_kind == Project.TaskKind.ENGAGEMENT:
        _give_outcomes(project)
    return project


def _give_outcomes(project: Project) -> None:
    """The two labels of click-through, in the order of the model's classes; nobody gives them but behaviour."""
    for place, name in enumerate((_("not clicked"), _("clicked"))):
        Label.objects.create(project=project, name=name, position=place, color=1 + place)


def _free_slug(name: str) -> str:
    stem = slugify(name)[:50].strip("-_") or "project"
    if not Project.objects.filter(slug=stem).exists():
        return stem
    # two people may create at once; a random tail needs no lock
    return f"{stem}-{secrets.token_hex(3)}"


def lock(project: Project) -> None:
    """Changes to one project's labels or members wait for each other: places, keys and the last administrator."""
    Project.objects.select_for_update().get(pk=project.pk)
