"""Filters under a name, for oneself or for everybody in the project."""

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.explore.models import SavedView
from apps.projects.access import Capability, capabilities
from apps.projects.models import Project

MOST = 100


@transaction.atomic
def save(project: Project, by: User, *, name: str, query: str, shared: bool) -> SavedView:
    """The same name again replaces what it stood for. `query` comes from our form."""
    Project.objects.select_for_update().get(pk=project.pk)
    if shared and Capability.REVIEW not in capabilities(by, project):
        raise DomainError(_("Reviewers and administrators share views. Keep this one for yourself."))
    mine = SavedView.objects.filter(project=project, by=by)
    view = mine.filter(name=name).first() or SavedView(project=project, by=by, name=name)
    if view.pk is None and mine.count() >= MOST:
        raise DomainError(_("%(most)d views are enough. Delete one first.") % {"most": MOST})
    view.query, view.shared = query, shared
    view.save()
    return view


@transaction.atomic
def delete(view: SavedView, by: User) -> None:
    """One's own, or a shared one for those who manage the project."""
    if view.by_id != by.pk and Capability.MANAGE not in capabilities(by, view.project):
        raise DomainError(_("Only its owner or an administrator deletes this view."))
    view.delete()
