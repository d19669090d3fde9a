"""What serves is the newest Deployment row; two people cannot both write the next one."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.projects.models import Project
from apps.registry import queries
from apps.registry.models import Deployment, ModelVersion


@transaction.atomic
def deploy(
    project: Project,
    version: ModelVersion,
    *,
    kind: Deployment.Kind,
    by: User,
    why: str,
    verdict: dict[str, Any],
    seen: int | None = None,
) -> Deployment:
    """`seen` is the sequence number the person had before their eyes; a newer one means they decided on old news."""
    newest = queries.serving(project)
    sequence = newest.sequence if newest else 0
    if seen is not None and seen != sequence:
        raise _moved_on()
    if newest and newest.version_id == version.pk:
        raise DomainError(_("%(version)s is live already.") % {"version": version})
    try:
        with transaction.atomic():
            return Deployment.objects.create(
                project=project,
                version=version,
                previous=newest.version if newest else None,
                kind=kind,
                by=by,
                why=why,
                verdict=verdict,
                sequence=sequence + 1,
            )
    except IntegrityError as error:
        raise _moved_on() from error


def _moved_on() -> DomainError:
    return DomainError(_("Somebody else has just changed which version is live. Look at the page again, then decide."))
