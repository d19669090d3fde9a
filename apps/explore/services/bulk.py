"""One act on many items: which ones, what it would do, and doing it. The way back is changes.take_back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Audience, Change
from apps.annotation.services import changes, sending
from apps.annotation.services.changes import MOST
from apps.common.errors import DomainError, InvalidInput
from apps.content.models import Item
from apps.explore import list_queries
from apps.explore.list_queries import Listing
from apps.projects.models import Project

QUEUE, LABEL, SHELVE, RESTORE = "queue", "label", "archive", "restore"

# by the same conditions as the acts themselves (sending, unsending, changes)
_OUTLOOK = """
SELECT count(*), count(*) FILTER (WHERE archived), count(*) FILTER (WHERE free), count(*) FILTER (WHERE free AND waits),
       count(*) FILTER (WHERE free AND held_out), count(*) FILTER (WHERE free AND NOT held_out),
       count(*) FILTER (WHERE free AND NOT held_out AND labelled)
FROM (
    SELECT i.archived_at IS NOT NULL AS archived, i.archived_at IS NULL AND g.item_id IS NULL AS free,
           i.split = 'holdout' AS held_out, r.item_id IS NOT NULL AS labelled, t.item_id IS NOT NULL AS waits
    FROM content_item i
    LEFT JOIN annotation_gold g ON g.item_id = i.id AND g.retired_at IS NULL
    LEFT JOIN annotation_resolution r ON r.item_id = i.id
    LEFT JOIN annotation_task t ON t.item_id = i.id AND t.state IN ('open', 'full')
    WHERE i.project_id = %s AND i.id = ANY(%s)
) chosen
"""


@dataclass(frozen=True)
class Outlook:
    """Of the items chosen, how many each act reaches, and what it finds there."""

    n: int
    archived: int  # these come back
    free: int  # neither archived nor gold: these can be sent or archived
    waiting: int  # of the free
    held_out: int  # of the free
    pool: int  # of the free: these can be labelled
    labelled: int  # of those


@dataclass(frozen=True)
class Wish:
    act: str
    wanted: int = 1
    front: bool = False
    audience: Audience | None = None
    label: int | None = None
    labels: tuple[int, ...] | None = None  # several labels per text; () says that none fits


def among(project: Project, ids: Sequence[int]) -> list[int]:
    """Those that are this project's."""
    return list(Item.objects.filter(project=project, pk__in=ids).order_by("-pk").values_list("pk", flat=True))


def all_that_match(project: Project, listing: Listing) -> list[int]:
    found = list_queries.matching(project, listing, MOST + 1)
    if len(found) > MOST:
        raise DomainError(
            _("More than %(most)d items match. One act reaches that many at most: choose narrower filters.")
            % {"most": MOST}
        )
    return found


def outlook(project: Project, ids: Sequence[int]) -> Outlook:
    with connection.cursor() as cursor:
        cursor.execute(_OUTLOOK, [project.pk, list(ids)])
        return Outlook(*cursor.fetchone())


def act(project: Project, by: User, ids: Sequence[int], wish: Wish) -> Change:
    """Raises DomainError or InvalidInput in words; what had to stay out is counted in change.what["left_out"]."""
    if not ids:
        raise InvalidInput(_("Tick at least one item."), field="item")
    match wish.act:
        case "queue":
            return sending.send(project, by, ids, wanted=wish.wanted, front=wish.front, audience=wish.audience)
        case "label":
            return changes.set_truth(project, by, ids, **_answer(project, wish))
        case "archive":
            return sending.shelve(project, by, ids)
        case "restore":
            return sending.bring_back(project, by, ids)
    raise InvalidInput(_("Choose what should happen with these items."), field="act")


def _answer(project: Project, wish: Wish) -> dict[str, Any]:
    if project.task_kind == Project.TaskKind.MULTI:
        return {"value": {"labels": list(wish.labels or ())}}
    if wish.label is None:
        raise InvalidInput(_("Choose a label."), field="label")
    return {"label": wish.label}


def left_out(change: Change) -> int:
    given = change.what.get("left_out", 0)
    return sum(given.values()) if isinstance(given, dict) else int(given)
