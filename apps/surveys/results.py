"""What came out of a survey: how often each answer was given, how sure that is, and how it moves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncWeek
from django.utils import timezone
from django.utils.formats import date_format

from apps.common.drawing import Measured, Span, Trend, span, trend
from apps.surveys import queries
from apps.surveys.models import Given, Question, Survey
from apps.surveys.wording import options, wording
from workers.learning.behaviour import Mean, NetScore, mean_of, net_score
from workers.learning.intervals import wilson
from workers.learning.types import Interval

WEEKS = 12
Where = tuple[Question, int] | None


@dataclass(frozen=True, slots=True)
class Bar:
    value: int
    words: str
    n: int
    share: float
    interval: Interval
    span: Span


@dataclass(frozen=True, slots=True)
class Week:
    begins: date
    n: int
    value: float | None = None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Result:
    question: Question
    words: str
    n: int  # who answered it
    bars: list[Bar] = field(default_factory=list)
    mean: Mean | None = None
    net: NetScore | None = None
    weeks: list[Week] = field(default_factory=list)
    trend: Trend | None = None


@dataclass(frozen=True, slots=True)
class Results:
    n: int
    consented: int
    results: list[Result]
    weeks: list[Week]


@dataclass(frozen=True, slots=True)
class _Counted:
    """By question id."""

    numbers: dict[int, dict[date, Counter[int]]]
    places: dict[int, tuple[int, Counter[int]]]
    written: dict[int, int]


def results(survey: Survey, language: str, where: Where = None) -> Results:
    """A handful of questions to the database, whatever the number of questions and answers."""
    chosen = queries.responses(survey, where)
    answers = Given.objects.filter(question__survey=survey, response__in=chosen)
    counted = _Counted(_by_week(answers), _places(answers), _written(answers))
    begins = _weeks(survey, [week for weeks in counted.numbers.values() for week in weeks])
    made = [_result(question, language, begins, counted) for question in queries.questions(survey)]
    per_week = chosen.order_by().annotate(week=TruncWeek("at")).values_list("week").annotate(n=Count("pk"))
    by_day = {_day(week): n for week, n in per_week}
    return Results(
        n=sum(by_day.values()),
        consented=chosen.filter(consent=True).count(),
        results=made,
        weeks=[Week(day, by_day.get(day, 0)) for day in begins],
    )


def _by_week(answers: Any) -> dict[int, dict[date, Counter[int]]]:
    rows = (
        answers.exclude(number=None)
        .order_by()
        .annotate(week=TruncWeek("response__at"))
        .values_list("question", "week", "number")
        .annotate(n=Count("pk"))
    )
    out: dict[int, dict[date, Counter[int]]] = {}
    for question, week, number, n in rows:
        out.setdefault(question, {}).setdefault(_day(week), Counter())[number] = n
    return out


def _places(answers: Any) -> dict[int, tuple[int, Counter[int]]]:
    """Who answered, and how often each place was ticked; people who ticked the same are counted in the database."""
    rows = answers.exclude(places=None).order_by().values_list("question", "places").annotate(n=Count("pk"))
    out: dict[int, tuple[int, Counter[int]]] = {}
    for question, places, n in rows:
        people, ticked = out.get(question, (0, Counter()))
        ticked.update(dict.fromkeys(places, n))
        out[question] = (people + n, ticked)
    return out


def _written(answers: Any) -> dict[int, int]:
    return dict(answers.exclude(text="").order_by().values_list("question").annotate(n=Count("pk")))


def _weeks(survey: Survey, seen: Sequence[date]) -> list[date]:
    now = timezone.now()
    this = _day(now) - timedelta(days=_day(now).weekday())
    opened = _day(survey.opened_at or now)
    first = min([opened - timedelta(days=opened.weekday()), *seen])
    n = min(WEEKS, (this - first).days // 7 + 1)
    return [this - timedelta(weeks=back) for back in range(n - 1, -1, -1)]


def _day(moment: datetime) -> date:
    return timezone.localtime(moment).date()


def _result(question: Question, language: str, begins: Sequence[date], counted: _Counted) -> Result:
    words = wording(question, language)
    if question.kind in Question.SCALES:
        return _scale(question, words, begins, counted.numbers.get(question.pk, {}))
    if question.kind in Question.CHOICES:
        people, ticked = counted.places.get(question.pk, (0, Counter()))
        bars = [_bar(place, text, ticked[place], people) for place, text in enumerate(options(question, language))]
        return Result(question, words, people, bars)
    return Result(question, words, counted.written.get(question.pk, 0))


def _scale(question: Question, words: str, begins: Sequence[date], weeks: dict[date, Counter[int]]) -> Result:
    first, last = Question.SCALES[Question.Kind(question.kind)]
    total: Counter[int] = sum(weeks.values(), Counter())
    n = sum(total.values())
    net = question.kind == Question.Kind.SCORE
    rows = [_week(day, _counts(weeks.get(day, Counter()), first, last), first, net) for day in begins]
    counts = _counts(total, first, last)
    return Result(
        question,
        words,
        n,
        bars=[_bar(number, str(number), total[number], n) for number in range(first, last + 1)],
        mean=mean_of(counts, first),
        net=net_score(counts) if net else None,
        weeks=rows,
        trend=_drawn(rows, first, last, net),
    )


def _counts(counted: Counter[int], first: int, last: int) -> list[int]:
    return [counted[number] for number in range(first, last + 1)]


def _week(day: date, counts: list[int], first: int, net: bool) -> Week:
    found = net_score(counts) if net else mean_of(counts, first)
    return Week(day, sum(counts), found.value, found.interval) if found else Week(day, 0)


def _drawn(weeks: Sequence[Week], first: int, last: int, net: bool) -> Trend | None:
    points = [
        Measured(date_format(week.begins, "M j"), week.value, week.interval.low, week.interval.high)
        if week.interval
        else Measured(date_format(week.begins, "M j"))
        for week in weeks
    ]
    ticks = [(-1.0, "−100"), (0.0, "0"), (1.0, "+100")] if net else [(float(n), str(n)) for n in range(first, last + 1)]
    return trend(points, ticks)


def _bar(value: int, words: str, n: int, of: int) -> Bar:
    interval = wilson(n, of)
    share = n / of if of else 0.0
    return Bar(value, words, n, share, interval, span(share, interval.low, interval.high))
