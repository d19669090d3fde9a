"""Keyset pages: as quick on page 40,000 as on page 1, and nothing is shown twice while rows arrive."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers

from apps.common.errors import InvalidInput

M = TypeVar("M", bound=Model)
LIMIT, MOST = 50, 500


@dataclass(frozen=True)
class Page(Generic[M]):
    rows: list[M]
    next: str  # what to hand in as `after` for the following page; empty on the last


def page_after(rows: QuerySet[M], after: str = "", *, limit: int = LIMIT, newest_first: bool = False) -> Page[M]:
    """Rows ordered by primary key, following the one that `after` names."""
    limit = max(1, min(limit, MOST))
    if after:
        rows = rows.filter(pk__lt=_pk(after)) if newest_first else rows.filter(pk__gt=_pk(after))
    found = list(rows.order_by("-pk" if newest_first else "pk")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return Page(found, _mark(found[-1].pk) if more else "")


class PageQuery(serializers.Serializer[dict[str, Any]]):
    """What a list of the API takes in its address."""

    after = serializers.CharField(required=False, default="", max_length=40, help_text="The `next` of the page before.")
    limit = serializers.IntegerField(required=False, default=LIMIT, min_value=1, max_value=MOST)


def page_body(page: Page[M], show: Callable[[M], dict[str, Any]]) -> dict[str, Any]:
    """The API shape of every list: {"results": […], "next": "…" or null}."""
    return {"results": [show(row) for row in page.rows], "next": page.next or None}


def _mark(pk: int) -> str:
    return urlsafe_b64encode(str(pk).encode()).decode().rstrip("=")


def _pk(mark: str) -> int:
    try:
        pk = int(urlsafe_b64decode(mark + "=" * (-len(mark) % 4)).decode("ascii"))
    except ValueError as error:
        raise InvalidInput(_("This page mark is not one of ours. Start from the first page."), field="after") from error
    if not 0 <= pk < 2**63:
        raise InvalidInput(_("This page mark is not one of ours. Start from the first page."), field="after")
    return pk
