"""The thread in an item's margin: what people say to each other about a text. It never changes an answer."""

import re
from collections.abc import Sequence

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Comment
from apps.common.errors import DomainError, InvalidInput
from apps.content.models import Item
from apps.notices.services.telling import tell
from apps.projects.access import Capability, capabilities
from apps.projects.models import Project

MOST = 4_000  # characters
EXCERPT = 300


@transaction.atomic
def comment(project: Project, item: Item, by: User, text: str) -> Comment:
    """Says something about the item. Whoever is mentioned (@name) gets a notice."""
    text = text.strip()
    if not text:
        raise InvalidInput(_("Write something first."), field="text")
    if len(text) > MOST:
        raise InvalidInput(_("A comment may have %(most)d characters.") % {"most": MOST}, field="text")
    said = Comment.objects.create(item=item, by=by, text=text)
    named = [user for user in mentioned(text, people(project)) if user != by]
    said.mentions.set(named)
    author, number = handle(by), said.pk
    tell(
        named,
        project=project,
        kind="mention",
        title=lambda: _("%(name)s mentions you") % {"name": author},
        body=text[:EXCERPT],
        url=f"{reverse('item_comments', args=[project.slug, item.pk])}#comment-{number}",
        key=f"mention:{number}",
    )
    return said


@transaction.atomic
def remove(project: Project, comment: Comment, by: User) -> None:
    """Its author takes it back, or somebody who reviews. The row stays, the words are no longer shown."""
    if comment.by_id != by.pk and Capability.REVIEW not in capabilities(by, project):
        raise DomainError(_("This is somebody else's comment. Its author or a reviewer can remove it."))
    Comment.objects.filter(pk=comment.pk, deleted_at=None).update(deleted_at=timezone.now())


def people(project: Project) -> list[User]:
    """Who can be mentioned: everybody here."""
    return list(User.objects.filter(memberships__project=project, is_active=True).order_by("name", "email"))


def handle(user: User) -> str:
    """The name to call somebody by; never the whole address."""
    return user.name.strip() or user.email.partition("@")[0]


def mentioned(text: str, candidates: Sequence[User]) -> list[User]:
    """Those whose name follows an @, the longest name that fits. Names may have spaces; case does not matter."""
    by_length = sorted(candidates, key=lambda user: -len(handle(user)))
    named: dict[int, User] = {}
    for at in re.finditer("@", text):
        rest = text[at.end() :].casefold()
        fits = [user for user in by_length if _begins(rest, handle(user).casefold())]
        for user in fits:
            if len(handle(user)) == len(handle(fits[0])):
                named[user.pk] = user
    return list(named.values())


def _begins(rest: str, name: str) -> bool:
    after = rest[len(name) : len(name) + 1]
    return rest.startswith(name) and not (after.isascii() and after.isalnum())
