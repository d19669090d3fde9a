"""The dashboard's blocks: each a table whose cells lead to their rows, and most with a picture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from apps.feedback.models import Signal, Ticket
from apps.trends import dashboard_charts as charts
from apps.trends import dashboard_model
from apps.trends import dashboard_queries as queries
from apps.trends.dashboard_cells import (
    Block,
    Cell,
    Column,
    Desk,
    Picture,
    count,
    day,
    length,
    plain,
    spelled,
    text,
)
from apps.trends.dashboard_queries import Wait

AGE_WORDS = (
    gettext_lazy("under a day"),
    gettext_lazy("1 to 7 days"),
    gettext_lazy("1 to 4 weeks"),
    gettext_lazy("over 4 weeks"),
)


def volume(desk: Desk) -> Block:
    days = queries.volume(desk.project, desk.over)
    kinds = [kind for kind in Signal.Kind if any(kind in one.kinds for one in days)]
    columns = [
        Column("day", gettext_lazy("Day"), figure=False),
        Column("all", gettext_lazy("all")),
        Column("complaints", gettext_lazy("complaints")),
        Column("praise", gettext_lazy("praise")),
        Column("aside", gettext_lazy("set aside")),
        *(Column(kind.value, kind.label) for kind in kinds),
    ]

    def row(one: queries.Day) -> list[Cell]:
        def link(**more: Any) -> str:
            return desk.link("signals", since=one.day.isoformat(), until=one.day.isoformat(), **more)

        return [
            day(one.day),
            count(one.total, link()),
            count(one.complaints, link(polarity=-1)),
            count(one.praise, link(polarity=1)),
            count(one.aside, link(state="aside")),
            *(count(one.kinds.get(kind, 0), link(kind=kind.value)) for kind in kinds),
        ]

    bars = [
        (
            one.day,
            one.complaints,
            one.total - one.complaints,
            _("%(day)s: %(n)d, of these %(bad)d complaints") % {"day": one.day, "n": one.total, "bad": one.complaints},
        )
        for one in days
    ]
    total, bad = sum(one.total for one in days), sum(one.complaints for one in days)
    words = _("%(n)d signals in %(days)d days, of these %(bad)d complaints.")
    picture = Picture(
        gettext_lazy("Signals a day; complaints below, all else above"),
        charts.bars(bars, desk.span, desk.marks),
        words % {"n": total, "days": len(days), "bad": bad},
    )
    return Block(
        "volume",
        gettext_lazy("Feedback by day"),
        columns,
        [row(one) for one in reversed(days) if one.total],
        nothing=gettext_lazy("Nothing came in in this time."),
        pictures=[picture] if total else [],
    )


def ages(desk: Desk) -> Block:
    found = queries.open_by_age(desk.project)
    columns = [
        Column("state", gettext_lazy("State"), figure=False),
        *(Column(f"age_{place}", words) for place, words in enumerate(AGE_WORDS)),
        Column("all", gettext_lazy("all")),
    ]
    rows = [
        [
            plain(Ticket.State(state).label),
            *(count(n, desk.link("triage", state=state, sort="oldest")) for n in numbers),
            count(sum(numbers), desk.link("triage", state=state)),
        ]
        for state, numbers in found.items()
    ]
    if len(rows) > 1:
        sums = [sum(column) for column in zip(*found.values(), strict=True)]
        address = desk.link("triage", state="open", sort="oldest")
        rows.append([plain(_("all")), *(count(n, address) for n in sums), count(sum(sums), address)])
    return Block(
        "ages",
        gettext_lazy("Open tickets by age"),
        columns,
        rows,
        nothing=gettext_lazy("No ticket is open."),
    )


def waits(desk: Desk) -> Block:
    found = queries.waits(desk.project, desk.over)
    names = {
        "look": (_("to the first look"), desk.link("triage", state="all", sort="newest")),
        "decide": (_("to the first decision"), desk.link("triage", state="all", sort="newest")),
        "fix": (_("to the fix"), desk.link("triage", state="fixed", sort="newest")),
    }
    columns = [
        Column("what", gettext_lazy("From the complaint"), figure=False),
        Column("tickets", gettext_lazy("tickets")),
        Column("median_seconds", gettext_lazy("median")),
        Column("p90_seconds", gettext_lazy("nine of ten within")),
    ]

    def row(name: str, wait: Wait) -> list[Cell]:
        words, url = names[name]
        return [Cell(name, words), count(wait.n, url), length(wait.median), length(wait.p90)]

    return Block(
        "times",
        gettext_lazy("How long it takes"),
        columns,
        [row(name, wait) for name, wait in found.items()],
        note=gettext_lazy("Of the tickets to which it happened in this time."),
    )


def top(desk: Desk) -> Block:
    columns = [
        Column("ticket", gettext_lazy("Ticket"), figure=False),
        Column("text", gettext_lazy("Text"), figure=False),
        Column("predicted", gettext_lazy("The model said"), figure=False),
        Column("wanted", gettext_lazy("People want"), figure=False),
        Column("state", gettext_lazy("State"), figure=False),
        Column("reach", pgettext_lazy("a number", "people")),
    ]

    def row(ticket: Ticket) -> list[Cell]:
        url = desk.link("ticket", number=ticket.number)
        return [
            Cell(ticket.number, f"#{ticket.number}", url),
            text(ticket),
            plain(ticket.predicted.name if ticket.predicted else "–"),
            plain(ticket.wanted.name if ticket.wanted else "–"),
            plain(ticket.get_state_display()),
            count(ticket.reach, url),
        ]

    return Block(
        "top",
        gettext_lazy("What concerns the most people"),
        columns,
        [row(ticket) for ticket in queries.top(desk.project)],
        nothing=gettext_lazy("No ticket is open."),
    )


def fixes(desk: Desk) -> Block:
    columns = [
        Column("version", gettext_lazy("Version"), figure=False),
        Column("fixed", gettext_lazy("fixed")),
        Column("came_back", gettext_lazy("not any more")),
    ]
    rows = [
        [
            Cell(one.version, f"v{one.version}", desk.link("version", number=one.version)),
            count(one.fixed, desk.link("triage", state="fixed")),
            count(one.lost, desk.link("triage", state="open")),
        ]
        for one in queries.fixed_by_version(desk.project)
    ]
    return Block(
        "fixes",
        gettext_lazy("Fixed by version"),
        columns,
        rows,
        nothing=gettext_lazy("No version has fixed a ticket yet."),
    )


def regressions(desk: Desk) -> Block:
    columns = [
        Column("ticket", gettext_lazy("Ticket"), figure=False),
        Column("text", gettext_lazy("Text"), figure=False),
        Column("fixed_in", gettext_lazy("was fixed in"), figure=False),
        Column("since", gettext_lazy("came back"), figure=False),
        Column("owner", gettext_lazy("with"), figure=False),
        Column("reach", pgettext_lazy("a number", "people")),
    ]

    def row(ticket: Ticket) -> list[Cell]:
        url = desk.link("ticket", number=ticket.number)
        version = ticket.fixed_in
        return [
            Cell(ticket.number, f"#{ticket.number}", url),
            text(ticket),
            Cell(version.number, str(version), desk.link("version", number=version.number)) if version else plain("–"),
            day(ticket.state_at),
            plain(str(ticket.assignee) if ticket.assignee else _("nobody yet")),
            count(ticket.reach, url),
        ]

    return Block(
        "regressions",
        gettext_lazy("Came back"),
        columns,
        [row(ticket) for ticket in queries.regressed(desk.project)],
        nothing=gettext_lazy("Nothing that was fixed has come back."),
    )


BLOCKS: dict[str, Callable[[Desk], Block]] = {
    "volume": volume,
    "ages": ages,
    "times": waits,
    "fixes": fixes,
    "top": top,
    "regressions": regressions,
    "satisfaction": dashboard_model.satisfaction,
    "quality": dashboard_model.quality,
}


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    text: str
    note: str = ""
    url: str = ""


def figures(desk: Desk, standing: queries.Standing, days: Block) -> list[Figure]:
    """The page's first line."""
    n, bad = (sum(row[place].value for row in days.rows) for place in (1, 2))
    since: dict[str, Any] = {"since": desk.over.first.isoformat()}
    oldest = spelled(timezone.now() - standing.oldest) if standing.oldest else ""
    return [
        Figure(_("Signals"), count(n).text, "", desk.link("signals", **since)),
        Figure(_("Complaints"), count(bad).text, "", desk.link("signals", polarity=-1, **since)),
        Figure(
            _("Waiting for a decision"),
            count(standing.waiting).text,
            _("the oldest for %(time)s") % {"time": oldest} if oldest else "",
            desk.link("triage", sort="oldest"),
        ),
        Figure(
            _("Came back"),
            count(standing.regressed).text,
            "",
            desk.link("triage", state="regressed"),
        ),
    ]
