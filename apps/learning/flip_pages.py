"""What the page of changed answers shows."""

from typing import Any

from apps.feedback.services import outcomes
from apps.learning import answers
from apps.learning.pages import LISTED, labels, progress
from apps.learning.services import flip_review, flips
from apps.registry import queries as registry
from apps.registry.models import Deployment, ModelVersion

TICKETS = 50


def page(new: ModelVersion, old: ModelVersion, *, after: int, before: int | None, now: int | None) -> dict[str, Any]:
    names = labels(new.project)
    counts = flips.flip_counts(old, new)
    found = flips.flips(old, new, after=after, before=before, now=now, limit=LISTED + 1)
    tickets = outcomes.tickets_of_items(new.project)
    theirs = flips.flips(old, new, items=list(tickets), limit=TICKETS)
    return {
        "project": new.project,
        "version": new,
        "against": old,
        "total": sum(n for _before, _now, n in counts),
        "pairs": [(names.get(a or 0), names.get(b or 0), n) for a, b, n in counts[:12]],
        "rows": [answers.flipped(flip, old, new, names, tickets) for flip in found[:LISTED]],
        "ticket_rows": [answers.flipped(flip, old, new, names, tickets) for flip in theirs] if not after else [],
        "review": flip_review.latest(new, old),
        "next": found[LISTED - 1].item if len(found) > LISTED else None,
        "chosen": (names.get(before) if before else None, names.get(now) if now else None),
        "progress": [job for job in (progress(old), progress(new)) if job],
    }


def against(new: ModelVersion) -> ModelVersion | None:
    """What served before this version last went live; for one that never did, what serves now."""
    last = Deployment.objects.filter(version=new, previous__isnull=False).order_by("-sequence").first()
    if last:
        return last.previous
    live = registry.live_version(new.project)
    return live if live and live != new else None
