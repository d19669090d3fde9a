"""Labels are archived, never deleted; names and keys are unique within the project."""

import re
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.keymap import LABEL_KEYS
from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.projects.models import Label, Project
from apps.projects.services.projects import lock

COLORS = 12
BUILT_IN = 2  # labels of a project of clicks
MOST_LABELS = 2000
_SPACES = re.compile(r"\s+")


@transaction.atomic
def add_label(
    project: Project,
    *,
    name: str,
    description: str = "",
    color: int | None = None,
    hotkey: str = "",
    group: str = "",
    examples: str = "",
) -> Label:
    lock(project)
    _refuse_built_in(project)
    place = _last_place(project) + 1
    label = Label(project=project, description=description, position=place, color=color or _color_for(place))
    label.group, label.examples = _SPACES.sub(" ", group).strip(), examples
    label.name, label.hotkey = _name(project, name), _hotkey(project, hotkey)
    _room(project, 1)
    label.save()
    return label


@transaction.atomic
def add_labels(project: Project, names: list[str]) -> tuple[int, int]:
    """Many at once, one name a line. (added, known before)"""
    lock(project)
    cleaned = dict.fromkeys(_SPACES.sub(" ", name).strip() for name in names)
    cleaned.pop("", None)
    too_long = next((name for name in cleaned if len(name) > 120), None)
    if too_long is not None:
        raise InvalidInput(_("“%(name)s…” is longer than 120 characters.") % {"name": too_long[:60]}, field="names")
    known = set(project.labels.values_list("name", flat=True))
    new = [name for name in cleaned if name not in known]
    if new:
        _refuse_built_in(project)
    _room(project, len(new))
    first = _last_place(project) + 1
    rows = (
        Label(project=project, name=name, position=place, color=_color_for(place))
        for place, name in enumerate(new, start=first)
    )
    Label.objects.bulk_create(rows)
    return len(new), len(cleaned) - len(new)


@transaction.atomic
def change_label(project: Project, label: Label, *, by: User | None = None, **fields: Any) -> Label:
    """Rename, group, describe, recolour, give a key, move to a place (1 is first)."""
    lock(project)
    _signed(by)
    if "name" in fields:
        label.name = _name(project, fields["name"], besides=label)
    if "hotkey" in fields:
        label.hotkey = _hotkey(project, fields["hotkey"], besides=label)
    for name in ("description", "color", "group", "examples"):
        setattr(label, name, fields.get(name, getattr(label, name)))
    label.group = _SPACES.sub(" ", label.group).strip()
    label.save(update_fields=["name", "description", "color", "hotkey", "group", "examples"])
    if fields.get("place"):
        _move(project, label, fields["place"])
    return label


@transaction.atomic
def move_label(project: Project, label: Label, step: int) -> None:
    lock(project)
    order = list(_active(project))
    here = next((place for place, other in enumerate(order, start=1) if other.pk == label.pk), None)
    if here is not None:
        _move(project, label, here + step)


@transaction.atomic
def archive_label(project: Project, label: Label, *, by: User | None = None) -> None:
    """It is offered to nobody any more; old answers and old model versions keep it."""
    lock(project)
    _signed(by)
    _refuse_built_in(project)
    Label.objects.filter(pk=label.pk, archived_at=None).update(archived_at=timezone.now(), hotkey="")


@transaction.atomic
def restore_label(project: Project, label: Label, *, by: User | None = None) -> None:
    lock(project)
    _signed(by)
    Label.objects.filter(pk=label.pk).exclude(archived_at=None).update(
        archived_at=None, merged_into=None, position=_last_place(project) + 1
    )


def _signed(by: User | None) -> None:
    """The database notes renames and archivings (annotation, migration 0012); this is who it was."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('marginalia.by', %s, true)", [str(by.pk) if by else ""])


def _refuse_built_in(project: Project) -> None:
    if project.task_kind == Project.TaskKind.ENGAGEMENT and project.labels.count() >= BUILT_IN:
        raise InvalidInput(
            _("A project of clicks has its two labels, clicked and not clicked. They can be renamed, nothing else."),
            field="names",
        )


def _active(project: Project) -> QuerySet[Label]:
    return Label.objects.filter(project=project, archived_at=None)


def _last_place(project: Project) -> int:
    return int(project.labels.aggregate(last=Max("position"))["last"] or 0)


def _color_for(place: int) -> int:
    return (place - 1) % COLORS + 1


def _move(project: Project, label: Label, place: int) -> None:
    order = [other for other in _active(project) if other.pk != label.pk]
    order.insert(max(0, min(place - 1, len(order))), label)
    for position, other in enumerate(order, start=1):
        other.position = position
    Label.objects.bulk_update(order, ["position"])


def _room(project: Project, n: int) -> None:
    if project.labels.count() + n > MOST_LABELS:
        raise DomainError(_("A project holds at most %(n)d labels, archived ones included.") % {"n": MOST_LABELS})


def _name(project: Project, name: str, besides: Label | None = None) -> str:
    name = _SPACES.sub(" ", name).strip()
    if not name:
        raise InvalidInput(_("A label needs a name."), field="name")
    others = project.labels.exclude(pk=besides.pk) if besides else project.labels.all()
    taken = others.filter(name=name).first()
    if taken and taken.archived_at:
        raise InvalidInput(_("“%(name)s” exists and is archived. Restore it instead.") % {"name": name}, field="name")
    if taken:
        raise InvalidInput(_("There is a label “%(name)s” already.") % {"name": name}, field="name")
    return name


def _hotkey(project: Project, key: str, besides: Label | None = None) -> str:
    key = key.strip().lower()
    if not key:
        return ""
    if len(key) != 1 or not key.isprintable():
        raise InvalidInput(_("A key is one letter, digit or sign."), field="hotkey")
    if key in LABEL_KEYS:
        raise InvalidInput(_("“%(key)s” works the page (skip, undo …). Choose another.") % {"key": key}, field="hotkey")
    others = _active(project).exclude(pk=besides.pk) if besides else _active(project)
    taken = others.filter(hotkey=key).first()
    if taken:
        sentence = _("“%(key)s” belongs to “%(label)s” already.") % {"key": key, "label": taken.name}
        raise InvalidInput(sentence, field="hotkey")
    return key
