"""Acts on many truths at once, each with a name, a list of what was before, and a way back."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Change, Resolution
from apps.annotation.services.former_labels import bring_back_gold, bring_back_labels
from apps.annotation.services.restoring import restore
from apps.annotation.services.unsending import put_back
from apps.common.errors import DomainError, InvalidInput
from apps.common.rows import Row, rows
from apps.common.wake import wake_on_commit
from apps.projects.models import Project

MOST = 10_000  # items of one act

# what stays out of an act, by reason: hold-out items are labelled one by one and blind, gold is beyond doubt; what
# somebody has labelled, holds, or several people shall see, is no matter for one person's sweep over neighbours; of
# what already was as it shall be, an undo could not tell that it had been so before
_SORTED = """
SELECT i.id, CASE
    WHEN i.archived_at IS NOT NULL THEN 'archived'
    WHEN i.split = 'holdout' THEN 'holdout'
    WHEN EXISTS (SELECT 1 FROM annotation_gold g WHERE g.item_id = i.id AND g.retired_at IS NULL) THEN 'gold'
    WHEN %(sweep)s AND r.item_id IS NOT NULL AND r.by_id IS DISTINCT FROM %(by)s THEN 'labelled'
    WHEN %(sweep)s AND EXISTS (
        SELECT 1 FROM annotation_task t WHERE t.item_id = i.id AND t.state IN ('open', 'full') AND t.wanted > 1
    ) THEN 'several'
    WHEN %(sweep)s AND EXISTS (
        SELECT 1 FROM annotation_task t JOIN annotation_lease l ON l.task_id = t.id AND l.state = 'active'
        WHERE t.item_id = i.id AND l.annotator_id <> %(by)s
    ) THEN 'held'
    WHEN r.how = %(how)s AND r.label_id IS NOT DISTINCT FROM %(label)s::bigint
        AND r.value IS NOT DISTINCT FROM %(value)s::jsonb THEN 'same'
    ELSE '' END
FROM content_item i LEFT JOIN annotation_resolution r ON r.item_id = i.id
WHERE i.project_id = %(project)s AND i.id = ANY(%(items)s)
ORDER BY i.id FOR UPDATE OF i
"""
_ANNOTATE = """
INSERT INTO annotation_annotation (project_id, item_id, annotator_id, key, revision, retracted, label_id, value, note,
                                   flagged, outcome, late, created_at)
SELECT %(project)s, item, %(by)s, gen_random_uuid(),
       1 + coalesce((SELECT max(revision) FROM annotation_annotation a
                     WHERE a.item_id = item AND a.annotator_id = %(by)s), 0),
       false, %(label)s::bigint, %(value)s::jsonb, '', false, 'scratch', false, %(at)s
FROM unnest(%(items)s::bigint[]) item
RETURNING id
"""
_RESOLVE = """
INSERT INTO annotation_resolution AS r (item_id, project_id, split, label_id, value, how, by_id, changed_at)
SELECT id, project_id, split, %(label)s::bigint, %(value)s::jsonb, %(how)s, %(by)s, %(at)s
FROM content_item WHERE id = ANY(%(items)s)
ON CONFLICT (item_id) DO UPDATE
SET label_id = excluded.label_id, value = excluded.value, how = excluded.how, by_id = excluded.by_id,
    agreement = NULL, certainty = NULL, changed_at = excluded.changed_at
RETURNING item_id
"""
_CLOSE = """
UPDATE annotation_task SET state = 'done', closed_at = %(at)s
WHERE item_id = ANY(%(items)s) AND state IN ('open', 'full') RETURNING id
"""


@contextmanager
def within(project: Project, by: User, kind: Change.Kind, what: dict[str, Any] | None = None) -> Iterator[Change]:
    """One transaction. Past truths of everything that changes inside carry this Change; set its `n` before the end.

    Give truths that you write `changed_at = change.created_at`: by that an undo knows them again.
    """
    with transaction.atomic():
        change = Change.objects.create(project=project, by=by, kind=kind, what=what or {}, created_at=timezone.now())
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('marginalia.change', %s, true)", [str(change.pk)])
            yield change
            cursor.execute("SELECT set_config('marginalia.change', '', true)")
        change.save(update_fields=["n", "what"])


def set_truth(
    project: Project,
    by: User,
    item_ids: Sequence[int],
    *,
    label: int | None = None,
    value: dict[str, Any] | None = None,
    kind: Change.Kind = Change.Kind.SET,
) -> Change:
    """This person's answer and the truth of all these items. What has to stay out is counted in what["left_out"]."""
    value = _checked(project, label, value)
    if len(item_ids) > MOST:
        raise DomainError(_("At most %(most)d items can be labelled at once.") % {"most": MOST})
    sweep = kind == Change.Kind.SIMILAR
    with within(project, by, kind, {"label": label, "value": value}) as change:
        values = {
            "project": project.pk,
            "items": list(item_ids),
            "by": by.pk,
            "sweep": sweep,
            "label": label,
            "value": None if value is None else json.dumps(value),
            "how": str(Resolution.How.SINGLE if sweep else Resolution.How.ADJUDICATED),
            "at": change.created_at,
        }
        values["items"], left_out = _sort(rows(_SORTED, values))
        change.what |= {
            "left_out": left_out,
            "annotations": [pk for (pk,) in rows(_ANNOTATE, values)],
            "tasks": [pk for (pk,) in rows(_CLOSE, values)],
        }
        change.n = len(rows(_RESOLVE, values))
        wake_on_commit("learning.refresh", project.pk)
    return change


def _checked(project: Project, label: int | None, value: dict[str, Any] | None) -> dict[str, Any] | None:
    if project.task_kind == Project.TaskKind.SINGLE and label is not None and value is None:
        wanted = {label}
    elif project.task_kind == Project.TaskKind.MULTI and label is None and value is not None:
        wanted = set(value["labels"])
        value = {"labels": sorted(wanted)}
    else:
        raise InvalidInput(_("These items cannot be labelled at once: mark each text by itself."), field="label")
    if project.labels.filter(pk__in=wanted, archived_at=None).count() != len(wanted):
        raise InvalidInput(_("This project has no such label, or it was archived."), field="label")
    return value


def _sort(found: list[Row]) -> tuple[list[int], dict[str, int]]:
    left_out: dict[str, int] = {}
    for _pk, why in found:
        if why:
            left_out[why] = left_out.get(why, 0) + 1
    return [pk for pk, why in found if not why], left_out


def take_back(change: Change, by: User) -> Change:
    """What the act did to truths that nobody has decided since is undone, the others are left and counted in
    what["left"]; the undo is an act of its own."""
    with within(change.project, by, Change.Kind.UNDO, {"of": change.pk}) as undo:
        _mark_undone(change)
        bring_back_labels(change)
        bring_back_gold(change)
        undo.n = restore(change) + put_back(change)
        undo.what["left"] = max(0, change.n - undo.n)
        wake_on_commit("learning.refresh", change.project_id)
    return undo


def _mark_undone(change: Change) -> None:
    if (
        not Change.objects.filter(pk=change.pk, undone_at=None)
        .exclude(kind=Change.Kind.UNDO)
        .update(undone_at=timezone.now())
    ):
        raise DomainError(_("This has been taken back already."))
