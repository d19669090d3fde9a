from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.common.drawing import Measured, Span, Trend, span, trend
from apps.content.spreadsheet import csv_lines
from apps.feedback import behaviour_estimates as estimates
from apps.feedback import behaviour_queries as queries
from apps.feedback.behaviour_queries import Behaviour, Group
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from apps.registry.queries import versions

WEEKS = [(4, _("4 weeks")), (12, _("12 weeks")), (52, _("a year"))]
MEASURES = {
    "accepted": pgettext_lazy("by a user", "accepted"),
    "clicked": _("clicked"),
    "dismissed": pgettext_lazy("by a user", "dismissed"),
}
HEADS = {"label": _("By label"), "band": _("By confidence"), "version": _("By version"), "language": _("By language")}
REWARDS = [
    ("accepted", _("accepted answers")),
    ("clicked", _("clicked answers")),
    ("net", _("accepted less dismissed answers")),
]
SHOWN = 12  # rows of a picture; the table holds all


class WindowForm(forms.Form):
    weeks = forms.TypedChoiceField(choices=WEEKS, coerce=int, empty_value=None, required=False)
    of = forms.ChoiceField(choices=list(MEASURES.items()), required=False)


class QuestionForm(forms.Form):
    version = forms.ModelChoiceField(
        label=_("Version"), queryset=ModelVersion.objects.none(), required=False, empty_label=_("as it was")
    )
    threshold = forms.FloatField(
        label=_("Show an answer from this probability on"),
        required=False,
        min_value=0,
        max_value=1,
        widget=forms.NumberInput(attrs={"step": "0.01", "placeholder": "0–1"}),
    )
    reward = forms.ChoiceField(label=_("What counts"), choices=REWARDS, required=False)
    weeks = forms.TypedChoiceField(
        choices=WEEKS, coerce=int, empty_value=None, required=False, widget=forms.HiddenInput()
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["version"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - told to the type checker
        field.queryset = versions(project)
        field.to_field_name = "number"

    def question(self) -> estimates.Question:
        given = self.cleaned_data
        return estimates.Question(given["version"], given["threshold"], given["reward"] or "accepted")


@dataclass(frozen=True)
class Row:
    group: Group
    rate: queries.Rate
    span: Span


@dataclass(frozen=True)
class Section:
    dimension: str
    head: Any
    rows: list[Row]  # of the picture
    groups: list[Group]  # of the table


@login_required
@require_GET
@vary_on_headers("HX-Request")
def behaviour(request: UserRequest, slug: str) -> HttpResponse:
    """`?weeks=&of=` choose what is seen; `?version=&threshold=&reward=` ask what would have been."""
    project = project_for(request.user, slug, need=Capability.VIEW)
    asks = any(name in request.GET for name in ("version", "threshold"))
    form = QuestionForm(request.GET if asks else None, project=project, initial={"weeks": request.GET.get("weeks")})
    window = WindowForm(request.GET)
    weeks = (window.cleaned_data["weeks"] or 12) if window.is_valid() else 12
    answer = estimates.answer(project, form.question(), queries.since_of(weeks)) if asks and form.is_valid() else None
    context: dict[str, Any] = {"project": project, "form": form, "answer": answer, "weeks": weeks}
    status = 422 if asks and form.errors else 200
    if request.htmx and asks:
        return render(request, "feedback/_behaviour_what_if.html", context | _words(answer), status=status)
    found = queries.lately(project, weeks)
    measure = _measure(window, found)
    context |= {
        "found": found,
        "measure": measure,
        "measure_words": MEASURES[measure],
        "measures": list(MEASURES.items()),
        "windows": WEEKS,
        "sections": [_section(dimension, head, found, measure) for dimension, head in HEADS.items()],
        "trend": _trend(found, measure),
    }
    return render(request, "feedback/behaviour.html", context | _words(answer), status=status)


def _measure(window: WindowForm, found: Behaviour) -> str:
    """What was asked for, else what the product sends at all."""
    chosen = window.cleaned_data.get("of") if window.is_valid() else ""
    return chosen or max(queries.MEASURES, key=lambda measure: found.all.rate(measure).n > 0)


def _section(dimension: str, head: Any, found: Behaviour, measure: str) -> Section:
    groups = found.by[dimension]
    rows = []
    for group in groups[:SHOWN]:
        rate = group.rate(measure)
        rows.append(Row(group, rate, span(rate.share, rate.interval.low, rate.interval.high)))
    return Section(dimension, head, rows, groups)


def _trend(found: Behaviour, measure: str) -> Trend | None:
    weeks: Sequence[Group] = found.by["week"]
    if len(weeks) < 2:
        return None
    points = {group.key: group.rate(measure) for group in weeks}
    first, last = min(points), max(points)
    days: list[date] = [first + timedelta(weeks=n) for n in range((last - first).days // 7 + 1)]
    measured = [
        Measured(
            date_format(day, "MONTH_DAY_FORMAT"), points[day].share, points[day].interval.low, points[day].interval.high
        )
        if day in points
        else Measured(date_format(day, "MONTH_DAY_FORMAT"))
        for day in days
    ]
    top = max(point.high for point in measured if point.value is not None)
    ceiling = next(end for end in (0.1, 0.2, 0.4, 0.6, 0.8, 1.0) if top <= end or end == 1.0)
    return trend(measured, [(ceiling * n / 2, f"{ceiling * n / 2:.0%}") for n in range(3)])


def _hundred(share: float) -> float:
    return round(share * 100, 1)


def _words(answer: estimates.Answer | None) -> dict[str, Any]:
    if answer is None or answer.found is None:
        return {}
    found = answer.found
    earned_low, earned_high = answer.earned - answer.margin, answer.earned + answer.margin
    low, high = min(found.interval.low, earned_low, 0.0), max(found.interval.high, earned_high, 1e-6)
    return {
        "would": _hundred(found.value),
        "would_low": _hundred(found.interval.low),
        "would_high": _hundred(found.interval.high),
        "earned": _hundred(answer.earned),
        "earned_low": _hundred(earned_low),
        "earned_high": _hundred(earned_high),
        "size": round(found.size),
        "spans": [
            span(found.value, found.interval.low, found.interval.high, first=low, last=high),
            span(answer.earned, earned_low, earned_high, first=low, last=high),
        ],
        "reward_words": dict(REWARDS)[answer.question.reward],
    }


@login_required
@require_GET
def behaviour_export(request: UserRequest, slug: str) -> StreamingHttpResponse:
    project = project_for(request.user, slug, need=Capability.VIEW)
    window = WindowForm(request.GET)
    weeks = (window.cleaned_data["weeks"] or 12) if window.is_valid() else 12
    found = queries.lately(project, weeks)
    response = StreamingHttpResponse(csv_lines(COLUMNS, _cells(found)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-behaviour.csv"'
    response["Cache-Control"] = "no-store"
    return response


COLUMNS = (
    *("by", "group", "shown"),
    *(f"{measure}{part}" for measure in queries.MEASURES for part in ("", "_share", "_low", "_high")),
    *("dwell_ms_median", "dwell_n"),
)


def _cells(found: Behaviour) -> Iterator[list[Any]]:
    yield ["all", "", *_figures(found.all)]
    for dimension, groups in found.by.items():
        for group in groups:
            yield [dimension, group.name, *_figures(group)]


def _figures(group: Group) -> list[Any]:
    rates = [group.rate(measure) for measure in queries.MEASURES]
    shares = [
        cell
        for rate in rates
        for cell in (rate.n, round(rate.share, 5), round(rate.interval.low, 5), round(rate.interval.high, 5))
    ]
    return [group.shown, *shares, group.dwell_ms, group.dwelt]
