"""Click-through: behaviour becomes the truth of items, and versions are judged by how well they foretell it."""

from datetime import timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.common.rows import rows
from apps.learning.services import holdout
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from workers.learning import types

FOLD_EVERY = timedelta(minutes=10)  # every fold that changes something is another state of the hold-out to measure on
OVERLAP = timedelta(minutes=30)  # signals that were committed late, or set aside since

# One person counts once per item, however often it was shown to them. Who has no name counts by the answer that was
# served, then by network address; an event without any of these stands alone, so a click without its showing is one.
_FOLD = """
WITH events AS (
    SELECT coalesce(s.item_id, i.id) AS item, s.kind = 'clicked' AS clicked,
           coalesce('p' || nullif(s.subject, ''), 's' || s.served_id::text, 'a' || nullif(s.address, '')) AS person
    FROM feedback_signal s
    LEFT JOIN serving_served v ON v.id = s.served_id AND s.item_id IS NULL
    LEFT JOIN content_item i ON s.item_id IS NULL AND v.external_id <> ''
         AND i.project_id = s.project_id AND i.external_id = v.external_id
    WHERE s.project_id = %(project)s AND s.kind IN ('shown', 'clicked') AND s.state <> 'aside'
), touched AS (
    SELECT DISTINCT coalesce(s.item_id, i.id) AS item
    FROM feedback_signal s
    LEFT JOIN serving_served v ON v.id = s.served_id AND s.item_id IS NULL
    LEFT JOIN content_item i ON s.item_id IS NULL AND v.external_id <> ''
         AND i.project_id = s.project_id AND i.external_id = v.external_id
    WHERE s.project_id = %(project)s AND s.kind IN ('shown', 'clicked') AND s.received_at > coalesce((
        SELECT max(changed_at) FROM annotation_resolution r
        WHERE r.project_id = %(project)s AND r.how = 'behaviour'), '-infinity') - %(overlap)s
), people AS (
    SELECT item, person, bool_or(clicked) AS clicked
    FROM events JOIN touched USING (item) WHERE person IS NOT NULL GROUP BY item, person
), counts AS (
    SELECT item, sum(shown)::bigint AS shown, sum(clicked)::bigint AS clicked FROM (
        SELECT item, count(*) AS shown, count(*) FILTER (WHERE clicked) AS clicked FROM people GROUP BY item
        UNION ALL
        SELECT item, greatest(count(*) FILTER (WHERE NOT clicked), count(*) FILTER (WHERE clicked)),
               count(*) FILTER (WHERE clicked)
        FROM events JOIN touched USING (item) WHERE person IS NULL GROUP BY item
    ) parts GROUP BY item
), folded AS (
    INSERT INTO annotation_resolution AS r (item_id, project_id, split, value, how, changed_at)
    SELECT i.id, i.project_id, i.split, jsonb_build_object('shown', c.shown, 'clicked', c.clicked), 'behaviour',
           clock_timestamp()
    FROM counts c JOIN content_item i ON i.id = c.item AND i.project_id = %(project)s
    ON CONFLICT (item_id) DO UPDATE SET value = excluded.value, how = excluded.how, label_id = NULL,
        changed_at = excluded.changed_at
    WHERE r.value IS DISTINCT FROM excluded.value
    RETURNING 1
)
SELECT count(*) FROM folded
"""
_DUE = """
SELECT p.id FROM projects_project p
CROSS JOIN LATERAL (
    SELECT max(changed_at) AS last FROM annotation_resolution r WHERE r.project_id = p.id AND r.how = 'behaviour') seen
WHERE p.task_kind = 'engagement' AND p.archived_at IS NULL
AND coalesce(seen.last, '-infinity') < clock_timestamp() - %(every)s
AND EXISTS (
    SELECT 1 FROM feedback_signal s WHERE s.project_id = p.id AND s.kind IN ('shown', 'clicked')
    AND s.received_at > coalesce(seen.last, '-infinity') - %(overlap)s)
ORDER BY p.id
"""


@transaction.atomic
def fold(project: Project) -> int:
    """Count what was shown and clicked into the truths of items, on whichever side of the wall each lies. How many
    changed; a second time none does."""
    ((changed,),) = rows(_FOLD, {"project": project.pk, "overlap": OVERLAP})
    return int(changed)


def fold_due() -> None:
    for (pk,) in rows(_DUE, {"every": FOLD_EVERY, "overlap": OVERLAP}):
        fold(Project.objects.get(pk=pk))


def measured(seen: holdout.Answers, seed: int) -> dict[str, Any]:
    """The figures of a version, in the shape that pages read. The second class is the click."""
    from workers.learning import evaluate as measure

    assert seen.probabilities is not None  # noqa: S101 - only spans have none
    shown, clicked, p = seen.truth[:, 0], seen.truth[:, 1], seen.probabilities[:, 1]
    found = measure.evaluate_engagement(shown, clicked, p, rng=np.random.default_rng(seed)).as_dict()
    return found | {"nll": found["log_loss"], "per_class": [], "classes": [], "slices": []}


def verdict(a: holdout.Answers, b: holdout.Answers) -> types.Verdict:
    from workers.learning import evaluate as measure

    assert a.probabilities is not None and b.probabilities is not None  # noqa: S101, PT018 - the same
    shown, clicked = b.truth[:, 0], b.truth[:, 1]
    return measure.compare_engagement(shown, clicked, a.probabilities[:, 1], b.probabilities[:, 1])


def sentence(candidate: ModelVersion, live: ModelVersion, found: types.Verdict) -> str:
    values = {
        "a": live,
        "b": candidate,
        "by": f"{abs(found.difference):.4f}",
        "low": _signed(found.low),
        "high": _signed(found.high),
        "n": found.n,
        "more": found.more_needed,
    }
    if found.kind == "better":
        text = _(
            "%(b)s foretells clicks better than %(a)s by %(by)s nats a showing "
            "(%(low)s to %(high)s, %(n)d held-out items)."
        )
    elif found.kind == "worse":
        text = _(
            "%(b)s foretells clicks worse than %(a)s by %(by)s nats a showing "
            "(%(low)s to %(high)s, %(n)d held-out items)."
        )
    elif found.kind == "not_worse":
        text = _(
            "%(b)s foretells clicks no worse than %(a)s (difference %(low)s to %(high)s nats a showing, "
            "%(n)d held-out items)."
        )
    elif found.more_needed is None:
        text = _(
            "Cannot tell yet whether %(b)s or %(a)s foretells clicks better, and no reasonable number of items would."
        )
    else:
        text = ngettext(
            "Cannot tell yet whether %(b)s or %(a)s foretells clicks better: about %(more)d more held-out item "
            "that was shown would.",
            "Cannot tell yet whether %(b)s or %(a)s foretells clicks better: about %(more)d more held-out items "
            "that were shown would.",
            found.more_needed,
        )
    return text % values


def _signed(nats: float) -> str:
    return f"{nats:+.4f}".replace("-", "−")
