"""Blocks about the model: how people like its answers, and how good it was while it served."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.learning import headlines
from apps.registry.models import Deployment
from apps.trends import dashboard_charts as charts
from apps.trends import dashboard_queries as queries
from apps.trends.dashboard_cells import Block, Cell, Column, Desk, Picture, count, day, number, plain, share
from workers.learning.intervals import wilson

Z = 1.96


def satisfaction(desk: Desk) -> Block:
    weeks = queries.satisfaction(desk.project, desk.over)
    columns = [
        Column("week", gettext_lazy("Week of"), figure=False),
        Column("thumbs", gettext_lazy("thumbs")),
        Column("up_share", gettext_lazy("of these up")),
        Column("up_low", gettext_lazy("at least")),
        Column("up_high", gettext_lazy("at most")),
        Column("ratings", gettext_lazy("ratings")),
        Column("rating_mean", gettext_lazy("mean of 5")),
        Column("rating_low", gettext_lazy("at least")),
        Column("rating_high", gettext_lazy("at most")),
    ]
    rows, ups, means = [], [], []
    for one in weeks:
        until = min(one.week + timedelta(days=6), desk.over.last)
        first = max(one.week, desk.over.first)
        dates: dict[str, Any] = {"since": first.isoformat(), "until": until.isoformat()}
        inner = wilson(one.up, one.thumbs) if one.thumbs else None
        up = one.up / one.thumbs if one.thumbs else None
        half = Z * one.spread / one.ratings**0.5 if one.spread is not None else None
        low, high = (
            (max(1.0, one.rating - half), min(5.0, one.rating + half))
            if half is not None and one.rating
            else (None, None)
        )
        rows.append(
            [
                day(one.week),
                count(one.thumbs, desk.link("signals", kind="thumb", **dates)),
                share(up),
                share(inner.low if inner else None),
                share(inner.high if inner else None),
                count(one.ratings, desk.link("signals", kind="rating", **dates)),
                number(one.rating),
                number(low),
                number(high),
            ]
        )
        middle = first + (until - first) / 2
        if inner and up is not None:
            words = _("%(day)s: %(share)s of %(n)d thumbs are up (%(low)s to %(high)s)")
            values = {"day": one.week, "share": share(up).text, "n": one.thumbs}
            ends = {"low": share(inner.low).text, "high": share(inner.high).text}
            ups.append((middle, up, inner.low, inner.high, words % (values | ends)))
        if one.rating is not None:
            words = _("%(day)s: %(mean)s of 5, from %(n)d ratings")
            said = words % {"day": one.week, "mean": number(one.rating).text, "n": one.ratings}
            means.append((middle, one.rating, low or one.rating, high or one.rating, said))
    drawn = (
        (
            gettext_lazy("Thumbs up, share by week"),
            charts.line(ups, desk.span, desk.marks, limits=(0, 1), percent=True),
            ups,
        ),
        (gettext_lazy("Mean rating of 5 by week"), charts.line(means, desk.span, desk.marks, limits=(1, 5)), means),
    )
    return Block(
        "satisfaction",
        gettext_lazy("Satisfaction"),
        columns,
        rows[::-1],
        note=gettext_lazy(
            "With intervals of 95 per cent: few voices say little. Ratings on other scales are brought to 1 to 5."
        ),
        nothing=gettext_lazy("Nobody gave a thumb or a rating in this time."),
        pictures=[Picture(name, drawing, points[-1][4], "score") for name, drawing, points in drawn if drawing],
    )


def quality(desk: Desk) -> Block:
    columns = [
        Column("at", gettext_lazy("When"), figure=False),
        Column("version", gettext_lazy("Version"), figure=False),
        Column("event", gettext_lazy("What happened"), figure=False),
        Column("metric", gettext_lazy("Measure"), figure=False),
        Column("value", gettext_lazy("value")),
        Column("low", gettext_lazy("at least")),
        Column("high", gettext_lazy("at most")),
        Column("held_out", gettext_lazy("held-out items")),
    ]
    found = queries.quality(desk.project, desk.releases)
    rows = [
        [
            Cell(one.at.isoformat(), date_format(timezone.localtime(one.at), "SHORT_DATETIME_FORMAT")),
            Cell(one.version, f"v{one.version}", desk.link("version", number=one.version)),
            Cell(one.event or "measured", _event(one.event)),
            plain(headlines.NAMES.get(one.metric, one.metric)),
            Cell(round(one.value, 4), headlines.spelled(one.metric, one.value)),
            Cell(round(one.low, 4), headlines.spelled(one.metric, one.low)),
            Cell(round(one.high, 4), headlines.spelled(one.metric, one.high)),
            count(one.n, desk.link("items", split="holdout", truth="some")),
        ]
        for one in found
    ]
    points = [
        (
            timezone.localtime(one.at),
            one.value,
            one.low,
            one.high,
            f"v{one.version}: {headlines.spelled(one.metric, one.value)} "
            f"({headlines.spelled(one.metric, one.low)}–{headlines.spelled(one.metric, one.high)})",
        )
        for one in found
    ]
    if found and timezone.localtime(found[-1].at).date() < desk.over.first:  # it still serves
        started = timezone.make_aware(datetime.combine(desk.over.first, datetime.min.time()))
        points.append((started, *points[-1][1:]))
    drawing = charts.line(points, desk.span, desk.marks, limits=(0, 1), percent=True, stairs=True)
    name = headlines.NAMES.get(found[-1].metric, "") if found else ""
    return Block(
        "quality",
        gettext_lazy("Quality of the live model"),
        columns,
        rows[::-1],
        note=gettext_lazy(
            "On held-out items that people labelled; each version at its time, with intervals of 95 per cent."
        ),
        nothing=gettext_lazy("No version that was measured on held-out items has served yet."),
        pictures=[Picture(name, drawing, points[-1][4])] if drawing else [],
    )


def _event(kind: str) -> str:
    return str(Deployment.Kind(kind).label) if kind else _("Measured anew")
