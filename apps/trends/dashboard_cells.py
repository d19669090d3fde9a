"""What a block of the dashboard is made of: columns, cells that lead to their rows, pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.common.numbers import per_cent
from apps.feedback.models import Ticket
from apps.projects.models import Project
from apps.registry.models import Deployment
from apps.trends.dashboard_charts import Release, Span, Timeline
from apps.trends.dashboard_queries import Period

SHOWN_TEXT = 140


@dataclass(frozen=True, slots=True)
class Column:
    key: str  # in CSV and API
    words: str | Promise
    figure: bool = True


@dataclass(frozen=True, slots=True)
class Cell:
    value: Any  # in CSV and API
    text: str
    url: str = ""


@dataclass(frozen=True)
class Picture:
    name: str | Promise
    drawing: Timeline
    words: str  # for those who cannot see it
    ink: str = ""


@dataclass(frozen=True)
class Block:
    key: str
    title: str | Promise
    columns: Sequence[Column]
    rows: list[list[Cell]]
    note: str | Promise = ""
    nothing: str | Promise = ""  # where there are no rows
    pictures: list[Picture] = field(default_factory=list)


@dataclass(frozen=True)
class Desk:
    """Who looks at what: everything that a block needs."""

    project: Project
    over: Period
    triage: bool  # may open tickets and signals
    releases: list[Deployment]

    @property
    def span(self) -> Span:
        return Span(self.over.first, self.over.last)

    @property
    def marks(self) -> list[Release]:
        return [
            (
                timezone.localtime(row.at),
                str(row.version),
                f"{row.version} {row.get_kind_display().lower()}",
                self.link("version", number=row.version.number),
            )
            for row in self.releases
        ]

    def link(self, name: str, /, number: int | None = None, **query: Any) -> str:
        """Empty where this person may not go, or there is no such page."""
        if name in {"triage", "ticket", "signals"} and not self.triage:
            return ""
        try:
            address = reverse(name, args=[self.project.slug] if number is None else [self.project.slug, number])
        except NoReverseMatch:
            return ""
        return f"{address}?{urlencode(query)}" if query else address


def count(n: int, url: str = "") -> Cell:
    return Cell(n, str(number_format(n, use_l10n=True, force_grouping=True)), url if n else "")


def day(at: date | datetime) -> Cell:
    here = timezone.localtime(at) if isinstance(at, datetime) else at
    return Cell(at.isoformat(), date_format(here, "SHORT_DATE_FORMAT"))


def plain(value: str | Promise) -> Cell:
    return Cell(str(value), str(value))


def share(value: float | None) -> Cell:
    if value is None:
        return Cell(None, "–")
    return Cell(round(value, 4), per_cent(value))


def number(value: float | None, digits: int = 2) -> Cell:
    return Cell(None, "–") if value is None else Cell(round(value, 4), str(number_format(round(value, digits), digits)))


def length(wait: timedelta | None) -> Cell:
    """Seconds for machines; the two largest units for people."""
    if wait is None:
        return Cell(None, "–")
    return Cell(round(wait.total_seconds()), spelled(wait))


def spelled(wait: timedelta) -> str:
    minutes = round(wait.total_seconds() / 60)
    if minutes < 60:
        return _("%(n)d min") % {"n": minutes}
    if minutes < 48 * 60:
        return _("%(h)d h %(m)d min") % {"h": minutes // 60, "m": minutes % 60}
    hours = round(minutes / 60)
    return _("%(d)d d %(h)d h") % {"d": hours // 24, "h": hours % 24}


def text(ticket: Ticket) -> Cell:
    said = ticket.text or _("(no text: no consent)")
    return Cell(ticket.text, said if len(said) <= SHOWN_TEXT else f"{said[: SHOWN_TEXT - 1]}…")
