"""Labels merge and split; the truths go with them, each leaving its past, and all of it can be taken back.

Renaming and archiving touch no truth: a trigger notes them as changes (migration 0012).
"""

from collections.abc import Sequence

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.change_queries import Touched
from apps.annotation.models import Change, Gold
from apps.annotation.services.changes import within
from apps.common.errors import InvalidInput
from apps.common.rows import one, rows
from apps.common.wake import wake_on_commit
from apps.projects.models import Label, Project
from apps.projects.services import labels as service
from apps.projects.services.projects import lock

KINDS = frozenset({Change.Kind.RENAME, Change.Kind.MERGE, Change.Kind.SPLIT, Change.Kind.ARCHIVE})
SPLIT_RANK = -(1 << 53)  # a band of its own below zero: sooner than anything that the head chose

_SPEAKS = """
(label_id = ANY(%(old)s)
 OR EXISTS (SELECT 1 FROM jsonb_array_elements(value -> 'labels') e WHERE e::bigint = ANY(%(old)s))
 OR EXISTS (SELECT 1 FROM jsonb_array_elements(value -> 'spans') e WHERE (e ->> 'label')::bigint = ANY(%(old)s)))
"""
_NEW_VALUE = """
CASE WHEN value -> 'labels' IS NOT NULL THEN jsonb_set(value, '{labels}', (
         SELECT jsonb_agg(DISTINCT CASE WHEN e::bigint = ANY(%(old)s) THEN %(new)s ELSE e::bigint END)
         FROM jsonb_array_elements(value -> 'labels') e))
     WHEN value -> 'spans' IS NOT NULL THEN jsonb_set(value, '{spans}', (
         SELECT jsonb_agg(span ORDER BY (span ->> 'start')::int, (span ->> 'end')::int) FROM (
             SELECT DISTINCT CASE WHEN (e ->> 'label')::bigint = ANY(%(old)s)
                                  THEN e || jsonb_build_object('label', %(new)s) ELSE e END AS span
             FROM jsonb_array_elements(value -> 'spans') e) once))
     ELSE value END
"""
_MOVE = f"""
UPDATE annotation_resolution
SET label_id = CASE WHEN label_id = ANY(%(old)s) THEN %(new)s ELSE label_id END, value = {_NEW_VALUE},
    changed_at = %(at)s
WHERE project_id = %(project)s AND {_SPEAKS} RETURNING item_id
"""  # noqa: S608 - only our own words are put together
_MOVE_GOLD = f"""
WITH before AS (
    SELECT item_id, label_id, value FROM annotation_gold WHERE project_id = %(project)s AND {_SPEAKS} FOR UPDATE
), moved AS (
    UPDATE annotation_gold g
    SET label_id = CASE WHEN label_id = ANY(%(old)s) THEN %(new)s ELSE label_id END, value = {_NEW_VALUE}
    WHERE item_id IN (SELECT item_id FROM before)
)
SELECT coalesce(jsonb_agg(jsonb_build_array(item_id, label_id, value)), '[]')::text FROM before
"""  # noqa: S608
_FORGET = f"""
DELETE FROM annotation_resolution WHERE project_id = %(project)s AND {_SPEAKS} RETURNING item_id
"""  # noqa: S608
_ASK = """
INSERT INTO annotation_task (project_id, item_id, split, reason, rank, wanted, taken, state, created_at)
SELECT i.project_id, i.id, i.split, CASE i.split WHEN 'holdout' THEN 'holdout' ELSE 'chosen' END,
       %(first)s + row_number() OVER (ORDER BY i.id), %(wanted)s, 0, 'open', %(at)s
FROM content_item i WHERE i.id = ANY(%(items)s) AND i.archived_at IS NULL
ON CONFLICT DO NOTHING RETURNING id
"""
_GOLD = f"""
SELECT item_id FROM annotation_gold WHERE project_id = %(project)s AND {_SPEAKS}
"""  # noqa: S608
_COUNT = f"""
SELECT count(*), count(*) FILTER (WHERE how = 'gold'), count(*) FILTER (WHERE split = 'holdout')
FROM annotation_resolution WHERE project_id = %(project)s AND {_SPEAKS}
"""  # noqa: S608
_ANSWERS = f"""
SELECT count(*) FROM annotation_annotation WHERE project_id = %(project)s AND {_SPEAKS}
"""  # noqa: S608


def preview(project: Project, labels: Sequence[Label]) -> Touched:
    """What speaks of these labels now."""
    values = {"project": project.pk, "old": [label.pk for label in labels]}
    truths, gold, held_out = one(_COUNT, values)
    (answers,) = one(_ANSWERS, values)
    return Touched(truths, gold, held_out, answers)


def merge(project: Project, by: User, sources: Sequence[Label], target: Label) -> Change:
    """Truths and gold items with a source label get the target's. The sources are archived and point to it."""
    sources = [label for label in sources if label.pk != target.pk]
    if not sources:
        raise InvalidInput(_("Choose at least one other label to merge."), field="labels")
    if any(label.archived_at for label in [*sources, target]):
        raise InvalidInput(_("An archived label cannot be merged. Restore it first."), field="labels")
    what = {"from": [label.name for label in sources], "to": target.name}
    with within(project, by, Change.Kind.MERGE, what) as change:
        lock(project)
        _move_truths(project, change, sources, target)
        _put_away(change, sources, merged_into=target)
    return change


def split(project: Project, by: User, label: Label, names: Sequence[str], *, keep: str = "") -> Change:
    """One label becomes several. `keep` names the part that its truths get; without it they are asked about anew."""
    names = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    if len(names) < 2 or label.name in names:
        raise InvalidInput(_("Give at least two names, none of them the old one."), field="names")
    if keep and keep not in names:
        raise InvalidInput(_("What the truths become is one of the new names."), field="keep")
    if label.archived_at:
        raise InvalidInput(_("An archived label cannot be split. Restore it first."), field="names")
    with within(project, by, Change.Kind.SPLIT, {"from": label.name, "to": names, "keep": keep}) as change:
        known = set(project.labels.filter(name__in=names).values_list("name", flat=True))
        service.add_labels(project, names)
        parts = {part.name: part for part in project.labels.filter(name__in=names, archived_at=None)}
        if len(parts) < len(names):
            raise InvalidInput(_("One of these names belongs to an archived label. Restore it first."), field="names")
        Label.objects.filter(pk__in=[part.pk for part in parts.values()], group="").update(group=label.group or "")
        change.what["made"] = [part.pk for name, part in parts.items() if name not in known]
        if keep:
            _move_truths(project, change, [label], parts[keep])
        else:
            _ask_anew(project, change, label)
        _put_away(change, [label], merged_into=parts[keep] if keep else None)
    return change


def _move_truths(project: Project, change: Change, sources: Sequence[Label], target: Label) -> None:
    values = {
        "project": project.pk,
        "old": [label.pk for label in sources],
        "new": target.pk,
        "at": change.created_at,
    }
    (gold,) = one(_MOVE_GOLD, values)
    change.what["gold"] = gold
    change.n = len(rows(_MOVE, values))
    wake_on_commit("learning.refresh", project.pk)


def _ask_anew(project: Project, change: Change, label: Label) -> None:
    """Gold that says the old label says too little now: it retires."""
    values = {"project": project.pk, "old": [label.pk], "at": change.created_at}
    spoken = [pk for (pk,) in rows(_GOLD, values)]
    Gold.objects.filter(pk__in=spoken, retired_at=None).update(retired_at=change.created_at)
    items = [pk for (pk,) in rows(_FORGET, values)]
    asked = {"items": items, "first": SPLIT_RANK, "wanted": project.wanted, "at": change.created_at}
    change.what |= {"opened": [pk for (pk,) in rows(_ASK, asked)]}
    change.n = len(items)
    wake_on_commit("learning.refresh", project.pk)


def _put_away(change: Change, labels: Sequence[Label], *, merged_into: Label | None) -> None:
    change.what["before"] = {
        str(label.pk): {"archived": False, "hotkey": label.hotkey, "merged_into": None} for label in labels
    }
    Label.objects.filter(pk__in=[label.pk for label in labels]).update(
        archived_at=timezone.now(), hotkey="", merged_into=merged_into
    )
