"""The only way in for a new person: a link with a secret, of which we keep the SHA-256."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.projects import queries
from apps.projects.models import Invitation, Membership, Project, Role
from apps.projects.services.projects import lock

VALID_FOR = timedelta(days=14)


@transaction.atomic
def invite(project: Project, *, by: User, email: str, role: Role) -> tuple[Invitation, str]:
    """The row and the secret of its link; the secret is never to be had again. An older invitation ends."""
    lock(project)
    email = email.strip().lower()
    if project.memberships.filter(user__email__iexact=email).exists():
        raise InvalidInput(_("%(email)s is in this project already.") % {"email": email}, field="email")
    now = timezone.now()
    queries.pending_invitations(project).filter(email=email).update(revoked_at=now)
    secret = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        project=project,
        email=email,
        role=role,
        digest=queries.digest_of(secret),
        invited_by=by,
        expires_at=now + VALID_FOR,
    )
    return invitation, secret


@transaction.atomic
def revoke(project: Project, pk: int) -> bool:
    return bool(queries.pending_invitations(project).filter(pk=pk).update(revoked_at=timezone.now()))


def refuse_if_over(invitation: Invitation) -> None:
    if invitation.accepted_at:
        raise DomainError(_("This invitation has been used. Sign in with the account it made."))
    if invitation.revoked_at:
        raise DomainError(_("This invitation was withdrawn. Ask the project's administrator for a new one."))
    if invitation.expires_at <= timezone.now():
        raise DomainError(_("This invitation has expired. Ask the project's administrator for a new one."))


@transaction.atomic
def accept(invitation: Invitation, user: User) -> Membership:
    """An account that exists joins; it must be the one that was invited."""
    if user.email.lower() != invitation.email.lower():
        sentence = _(
            "This invitation is for %(invited)s, and you are signed in as %(user)s. Sign out, then open it again."
        )
        raise DomainError(sentence % {"invited": invitation.email, "user": user.email})
    refuse_if_over(invitation)
    used = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)
    if not used.update(accepted_at=timezone.now()):
        raise DomainError(_("This invitation has just been used or withdrawn."))
    member, _made = Membership.objects.get_or_create(
        project=invitation.project, user=user, defaults={"role": invitation.role}
    )
    return member


@transaction.atomic
def accept_as_new(invitation: Invitation, *, name: str, password: str) -> User:
    """The link reached the address, so the address is proven: the account is made with it."""
    refuse_if_over(invitation)
    if User.objects.filter(email__iexact=invitation.email).exists():
        raise DomainError(
            _("There is an account for %(email)s. Sign in, then open this link again.") % {"email": invitation.email}
        )
    # notices and mails are written when no browser is there to ask for its language
    spoken = get_language() or ""
    language = "" if spoken == settings.LANGUAGE_CODE else spoken
    user = User.objects.create_user(invitation.email, password, name=name, language=language)
    accept(invitation, user)
    return user
