"""Items with what is known about them: filtered, in an order, a page at a time. Nothing here counts a million rows."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from apps.annotation.models import Annotation, Prediction
from apps.annotation.queries import COUNT_TO, Amount
from apps.common.errors import DomainError, InvalidInput
from apps.content.models import Item, Split
from apps.explore.list_sql import BY_DAY, ORDERS, Filters, Order, Statement, statement
from apps.projects.models import Project

PATIENCE_MS = 8_000  # for a page; who combines filters that have nothing in common hears so instead of waiting on
COUNT_PATIENCE_MS = 400


@dataclass(frozen=True)
class Listing:
    by: Filters = field(default_factory=Filters)
    sort: str = "newest"

    @property
    def order(self) -> Order:
        return BY_DAY.get(self.sort, ORDERS[self.sort]) if any(self.by.came) else ORDERS[self.sort]


@dataclass(frozen=True)
class ItemPage:
    rows: list[Item]
    next: str  # what to hand in as `after` for the following page; empty on the last


def page(project: Project, listing: Listing, after: str = "", *, limit: int = 50) -> ItemPage:
    """Keyset in every order. Items come with their truth."""
    order = listing.order
    made = statement(project, listing.by, order)
    if after:
        _go_on(made, order, after)
    sql = made.sql(f"i.id, {order.column or 'NULL'}") + f" ORDER BY {order.sql} LIMIT %(limit)s"
    with _patience(PATIENCE_MS), connection.cursor() as cursor:
        cursor.execute(sql, made.values | {"limit": limit + 1})
        found = cursor.fetchall()
    more, found = len(found) > limit, found[:limit]
    items = Item.objects.select_related("resolution").in_bulk([pk for pk, _value in found])
    rows = [items[pk] for pk, _value in found if pk in items]
    return ItemPage(rows, _mark(*found[-1]) if more else "")


def matching(project: Project, listing: Listing, most: int) -> list[int]:
    """Ids of all items of the list in its order, and not more than `most`."""
    made = statement(project, listing.by, listing.order)
    sql = made.sql("i.id") + f" ORDER BY {listing.order.sql} LIMIT %(limit)s"
    with _patience(PATIENCE_MS), connection.cursor() as cursor:
        cursor.execute(sql, made.values | {"limit": most})
        return [pk for (pk,) in cursor.fetchall()]


def amount(project: Project, listing: Listing) -> Amount:
    """Exact up to COUNT_TO where that is quick, else the planner's estimate."""
    made = statement(project, listing.by, listing.order)
    try:
        with _patience(COUNT_PATIENCE_MS), connection.cursor() as cursor:
            counted = f"SELECT count(*) FROM ({made.sql('1')} LIMIT %(limit)s) found"  # noqa: S608
            cursor.execute(counted, made.values | {"limit": COUNT_TO + 1})
            exact = int(cursor.fetchone()[0])
    except DomainError:
        exact = None
    if exact is not None and exact <= COUNT_TO:
        return Amount(exact)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + made.sql("i.id"), made.values)
        (plan,) = cursor.fetchone()
    estimate = max(int(plan[0]["Plan"]["Plan Rows"]), 0 if exact is None else COUNT_TO)
    return Amount(_rounded(estimate), about=True)


def _rounded(n: int) -> int:
    """To two figures: a planner knows no more."""
    step: int = 10 ** max(0, len(str(n)) - 2)
    return round(n / step) * step


@contextmanager
def _patience(milliseconds: int) -> Iterator[None]:
    """Compiling a plan takes longer than a page may; and no question may keep the database busy for ever."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL jit = off; SET LOCAL statement_timeout = {milliseconds:d}")
            yield
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        raise DomainError(
            _("These filters together take too long. Take one away, or choose a narrower one.")
        ) from error


def _go_on(made: Statement, order: Order, after: str) -> None:
    value, pk = _place(after, order)
    way = "<" if order.down else ">"
    if order.column:
        made.only(
            f"({order.column}, {order.key}) {way} (%(after_value)s{order.cast}, %(after)s)", after_value=value, after=pk
        )
    else:
        made.only(f"{order.key} {way} %(after)s", after=pk)


def _mark(pk: int, value: float | datetime | None) -> str:
    if isinstance(value, datetime):
        value = value.isoformat()  # type: ignore[assignment]
    return urlsafe_b64encode(json.dumps([pk] if value is None else [pk, value]).encode()).decode().rstrip("=")


def _place(mark: str, order: Order) -> tuple[float | datetime | None, int]:
    try:
        pk, *rest = json.loads(urlsafe_b64decode(mark + "=" * (-len(mark) % 4)))
        if type(pk) is not int or not 0 <= pk < 2**63 or len(rest) != bool(order.column):
            raise _foreign_mark()
        if not rest:
            return None, pk
        return (datetime.fromisoformat(rest[0]) if order.by_day else float(rest[0])), pk
    except (ValueError, TypeError, OverflowError) as error:
        raise _foreign_mark() from error


def _foreign_mark() -> InvalidInput:
    return InvalidInput(_("This page mark is not one of ours. Start from the first page."), field="after")


# --- what stands beside the items of a page -----------------------------------------------------------


def open_to_see(shown: Sequence[Item]) -> list[int]:
    """Items of which may be told what models think: hold-out items only once they have their truth."""
    return [item.pk for item in shown if item.split == Split.POOL or hasattr(item, "resolution")]


def predictions_of(project: Project, shown: Sequence[Item], version: int | None) -> Mapping[int, Prediction]:
    """What this version says about the items shown; unlabelled hold-out items left out."""
    if version is None:
        return {}
    said = Prediction.objects.filter(version__project=project, version=version, item__in=open_to_see(shown))
    return {one.item_id: one for one in said.defer("probabilities")}


def marks_of(shown: Sequence[Item]) -> Mapping[int, dict[str, Any]]:
    """Flags and refusals to decide that stand, by item."""
    of_these = Annotation.objects.filter(Q(flagged=True) | ~Q(undecided=""), item__in=[item.pk for item in shown])
    found: dict[int, dict[str, Any]] = {}
    newest = {
        (said["item"], said["annotator"]): said["revision"]
        for said in Annotation.objects.filter(item__in=of_these.values("item"))
        .order_by("revision")
        .values("item", "annotator", "revision")
    }
    for said in of_these.filter(retracted=False):
        if newest[said.item_id, said.annotator_id] == said.revision:
            mark = found.setdefault(said.item_id, {})
            mark["flagged"] = mark.get("flagged", False) or said.flagged
            mark["undecided"] = mark.get("undecided") or said.undecided
    return found
