"""Labels and gold items as they were before an act on labels."""

import json
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.annotation.models import Change, Gold
from apps.common.errors import DomainError
from apps.projects.models import Label


def bring_back_labels(change: Change) -> None:
    """Names, archive and keys as they were before; a key that another label has by now stays with that one."""
    for label in Label.objects.filter(pk__in=change.what.get("made", ())):
        Label.objects.filter(pk=label.pk, archived_at=None).update(archived_at=timezone.now(), hotkey="")
    for pk, before in change.what.get("before", {}).items():
        label = Label.objects.get(pk=pk, project_id=change.project_id)
        _bring_back(label, before)


def _bring_back(label: Label, before: dict[str, Any]) -> None:
    others = Label.objects.filter(project_id=label.project_id).exclude(pk=label.pk)
    if "name" in before:
        if others.filter(name=before["name"]).exists():
            raise DomainError(_("Another label is called “%(name)s” by now.") % {"name": before["name"]})
        label.name = before["name"]
    if "archived" in before:
        label.archived_at = timezone.now() if before["archived"] else None
        key = before.get("hotkey", "")
        label.hotkey = "" if others.filter(hotkey=key, archived_at=None).exists() or before["archived"] else key
    if "merged_into" in before:
        label.merged_into_id = before["merged_into"]
    label.save(update_fields=["name", "archived_at", "hotkey", "merged_into"])


def bring_back_gold(change: Change) -> None:
    for item, label, value in json.loads(change.what.get("gold", "[]")):
        Gold.objects.filter(item=item).update(label=label, value=value)
    if change.kind == Change.Kind.SPLIT:
        retired = Gold.objects.filter(project_id=change.project_id, retired_at=change.created_at)
        retired.update(retired_at=None)
