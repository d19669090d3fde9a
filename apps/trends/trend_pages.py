"""What the trends page shows: a table, the same as a chart, and the addresses of the rows behind each point."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.projects.models import Project
from apps.trends import charts
from apps.trends.models import Watch
from apps.trends.trend_queries import Asked, Series, Table, table


def page(project: Project, asked: Asked) -> dict[str, Any]:
    found = table(project, asked)
    watch = Watch.objects.filter(project=project).first()
    return {
        "table": found,
        "chart": _chart(project, found),
        "total": sum(each.total for each in found.series),
        "rows": [
            (
                day,
                [(n, row_url(project, asked, each.key, day)) for n, each in zip(counts, found.series, strict=True)],
                n,
            )
            for day, counts, n in reversed(found.rows)
        ],
        "drift": watch.drift if watch else {},
        "drift_at": watch.drift_at if watch else None,
        "query": urlencode({"measure": asked.measure, "by": asked.by, "step": asked.step, "days": asked.days}),
    }


def _chart(project: Project, found: Table) -> charts.Chart | None:
    def values(each: Series) -> charts.Values:
        urls = [row_url(project, found.asked, each.key, day) for day in found.periods]
        return charts.Values(each.name, each.color, each.counts, urls)

    return charts.over_time(found.periods, [values(each) for each in found.series], found.releases)


def row_url(project: Project, asked: Asked, key: str, day: Any) -> str:
    length = 7 if asked.step == "week" else 1
    query = {"measure": asked.measure, "by": asked.by, "key": key, "first": day.isoformat(), "length": length}
    return f"{reverse('trend_rows', args=[project.slug])}?{urlencode(query)}"


def cells(found: Table) -> tuple[list[str], list[list[Any]]]:
    """(header, rows) of the table as a spreadsheet."""
    header = [_("from"), *(each.name for each in found.series)]
    return header, [[day.isoformat(), *counts] for day, counts, _total in found.rows]


def as_dict(found: Table) -> dict[str, Any]:
    return {
        "measure": found.asked.measure,
        "by": found.asked.by,
        "step": found.asked.step,
        "periods": found.periods,
        "series": [{"key": each.key, "name": each.name, "counts": each.counts} for each in found.series],
        "releases": [{"day": day, "version": name} for day, name in found.releases],
    }
