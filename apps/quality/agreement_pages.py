"""What the page of agreement shows: figures with names, drawings and sentences."""

from dataclasses import dataclass
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.drawing import Measured, Span, Trend, span, trend
from apps.common.numbers import per_cent
from apps.learning import reports
from apps.projects.models import Label, Project
from apps.quality import anchoring
from apps.quality.adjudication_cards import waiting
from apps.quality.agreement_figures import Figure, Figures, Person, table_of
from apps.quality.agreement_store import Found
from apps.quality.services import consensus

RELIABLE, TENTATIVE = 0.8, 0.667  # Krippendorff (2004)
SHOWN_LABELS = 200
COUNTED = 999
LEAST_DRAWN = 5  # texts of a point in the line; the table has them all
Rule = Project.Consensus


@dataclass(frozen=True, slots=True)
class LabelLine:
    label: Label | None
    value: float | None
    given: int
    tone: str


@dataclass(frozen=True, slots=True)
class PairLine:
    a: str
    b: str
    figure: Figure
    same: float
    span: Span | None


@dataclass(frozen=True, slots=True)
class PersonLine:
    name: str
    person: Person
    span: Span
    matrix: reports.Matrix | None
    added: list[tuple[Label | None, int]]
    missed: list[tuple[Label | None, int]]


@dataclass(frozen=True, slots=True)
class GroupLine:
    name: str
    what: str
    figure: Figure
    span: Span | None


def context(project: Project, found: Found, label: Label | None) -> dict[str, Any]:
    shown = found.figures
    if shown is None:
        return {"found": found}
    labels = {one.pk: one for one in project.labels.all()}
    names = _names(shown)
    return {
        "found": found,
        "figures": shown,
        "coefficient": coefficient(project),
        "reading": reading(project, shown.headline),
        "groups": _groups(shown),
        "apart": apart(project, shown),
        "trend": _trend(shown),
        "steps": {"day": _("day"), "week": _("week"), "month": _("month")}[shown.step],
        "label_lines": [
            LabelLine(labels.get(row.label), row.value, row.given, _tone(row.value))
            for row in shown.per_label[:SHOWN_LABELS]
        ],
        "pairs": [
            PairLine(names.get(pair.a, "?"), names.get(pair.b, "?"), pair.figure, pair.same, _span(pair.figure))
            for pair in shown.pairs
        ],
        "persons": [_person(person, names, labels) for person in shown.persons],
        "axes": _(
            "Down: the consensus. Across: what this person said. Labels that are confused most come first; "
            "darker is more."
        ),
        "only": label,
    }


def coefficient(project: Project) -> str:
    return _("Strict F1 between people") if project.task_kind == Project.TaskKind.SPANS else _("Krippendorff's α")


def reading(project: Project, figure: Figure) -> str:
    """What the figure means, in a sentence."""
    if figure.value is None:
        return (
            _("Nobody ever differed or varied here, so agreement beyond chance is not defined.") if figure.items else ""
        )
    if project.task_kind == Project.TaskKind.SPANS:
        return _(
            "Of the spans that two people marked in the same text, this share has the same borders and the same label. "
            "There is no chance to correct for: nearly everything is unmarked."
        )
    if figure.value >= RELIABLE:
        return _("1 is perfect, 0 is chance. From 0.80 on, labels count as reliable: these are.")
    if figure.value >= TENTATIVE:
        return _(
            "1 is perfect, 0 is chance. Between 0.67 and 0.80 only tentative conclusions should rest on such labels."
        )
    return _(
        "1 is perfect, 0 is chance. Below 0.67 the labels are not reliable: look at the labels and pairs below, and "
        "make the guidelines clearer before you label more."
    )


def apart(project: Project, shown: Figures) -> str:
    """Why agreement on items that were drawn differs from agreement on those that the model chose."""
    drawn, chosen = shown.groups.get("random"), shown.groups.get("chosen")
    if drawn is None or chosen is None or drawn.value is None or chosen.value is None:
        return ""
    values = {"random": number_format(round(drawn.value, 2), 2), "chosen": number_format(round(chosen.value, 2), 2)}
    why = _(
        "The model asks about texts that it is unsure of, and those are hard for people too. The first figure says how "
        "good your labels are; the second one where the guidelines are thin."
    )
    if _overlap(drawn, chosen):
        said = _("Drawn at random %(random)s, chosen by the model %(chosen)s: no more apart than chance would have it.")
    elif drawn.value > chosen.value:
        said = _("Drawn at random %(random)s, chosen by the model %(chosen)s.")
        return f"{said % values} {why}"
    else:
        said = _(
            "Drawn at random %(random)s, chosen by the model %(chosen)s. It mostly is the other way round, because the "
            "model asks about hard texts: look whether a few labels make up most of one group."
        )
    return said % values


def _overlap(one: Figure, other: Figure) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return True
    return one.low <= other.high and other.low <= one.high


def _groups(shown: Figures) -> list[GroupLine]:
    words = {
        "random": (_("Drawn at random"), _("random share and hold-out: an honest picture of all your texts")),
        "chosen": (_("Chosen by the model"), _("texts that it is unsure about, or typical ones to begin with")),
        "asked": (_("Asked for"), _("complaints, changed answers, doubted labels, or by hand")),
    }
    return [GroupLine(*words[name], figure, _span(figure)) for name, figure in shown.groups.items()]


def _names(shown: Figures) -> dict[int, str]:
    ids = {person.user for person in shown.persons} | {pk for pair in shown.pairs for pk in (pair.a, pair.b)}
    return {user.pk: str(user) for user in User.objects.filter(pk__in=ids)}


def _span(figure: Figure) -> Span | None:
    if figure.value is None or figure.low is None or figure.high is None:
        return None
    return span(figure.value, figure.low, figure.high)


def _trend(shown: Figures) -> Trend | None:
    if len(shown.periods) < 2:
        return None
    points = [
        Measured(
            date_format(period.start, "YEAR_MONTH_FORMAT" if shown.step == "month" else "MONTH_DAY_FORMAT"),
            period.figure.value,
            period.figure.value if period.figure.low is None else period.figure.low,
            period.figure.value if period.figure.high is None else period.figure.high,
        )
        if period.figure.value is not None and period.figure.items >= LEAST_DRAWN
        else Measured(date_format(period.start, "MONTH_DAY_FORMAT"))
        for period in shown.periods
    ]
    lowest = min((point.low for point in points if point.value is not None), default=0.0)
    first = 0.0 if lowest >= 0 else -1.0 if lowest < -0.5 else -0.5
    ticks = sorted({first, 0.0, 0.5, 1.0})
    return trend(points, [(tick, number_format(tick, 1)) for tick in ticks])


def _person(person: Person, names: dict[int, str], labels: dict[int, Label]) -> PersonLine:
    order = sorted({pk for truth, said, _n in person.confusion for pk in (truth, said)})
    classes = [(pk, labels[pk].name if pk in labels else "?") for pk in order]
    matrix = reports.matrix_of(classes, table_of(person.confusion, order)) if len(order) > 1 else None
    return PersonLine(
        names.get(person.user, "?"),
        person,
        span(person.share, person.low, person.high),
        matrix,
        [(labels.get(pk), n) for pk, n in person.added[:5]],
        [(labels.get(pk), n) for pk, n in person.missed[:5]],
    )


def _tone(value: float | None) -> str:
    if value is None or value >= RELIABLE:
        return "good" if value is not None else ""
    return "" if value >= TENTATIVE else "bad"


def anchoring_context(project: Project, found: anchoring.Anchoring | None) -> dict[str, Any]:
    if found is None:
        return {"anchoring": None}
    lines = [
        {
            "band": band,
            "from": per_cent(band.low, 0),
            "to": per_cent(band.high, 0),
            "shown_span": _rate_span(band.shown),
            "hidden_span": _rate_span(band.hidden),
        }
        for band in found.bands
        if band.shown.n or band.hidden.n
    ]
    return {"anchoring": found, "anchoring_bands": lines, "anchoring_words": anchoring_words(project, found)}


def _rate_span(rate: anchoring.Rate) -> Span | None:
    return span(rate.share, rate.low, rate.high) if rate.share is not None else None


def anchoring_words(project: Project, found: anchoring.Anchoring) -> str:
    if found.since is None:
        return _(
            "Every suggestion was shown, so nobody knows what people would have said without it. Let a share of the "
            "tasks hide it in the labelling settings."
        )
    difference = found.difference
    if difference is None or not found.enough:
        return _("Too few answers yet on one of the two sides: from %(n)d on this says more.") % {"n": anchoring.ENOUGH}
    low, high = found.interval
    values = {
        "shown": _points(found.shown.share or 0),
        "hidden": _points(found.hidden.share or 0),
        "difference": _points(abs(difference)),
        "low": _points(low),
        "high": _points(high),
    }
    if found.pulls:
        said = _(
            "Where people saw the suggestion, %(shown)s %% gave it; where it was hidden, %(hidden)s %% did. Seeing it "
            "moves %(difference)s of 100 answers (95 %%: %(low)s to %(high)s): people are pulled towards the model. "
            "Hide it more often, or have several people label the same texts, where labels must be beyond doubt."
        )
    else:
        said = _(
            "Where people saw the suggestion, %(shown)s %% gave it; where it was hidden, %(hidden)s %% did. The "
            "difference lies between %(low)s and %(high)s points (95 %%): nothing shows that seeing it changes what "
            "they say."
        )
    return said % values


def _points(share: float) -> str:
    return number_format(round(share * 100, 1), 1).replace("-", "−")


def rule_context(project: Project) -> dict[str, Any]:
    """How several answers become one here, when that was last done, and what waits for a reviewer."""
    last = consensus.last_round(project)
    n = waiting(project)[: COUNTED + 1].count()
    return {
        "rule": project.get_consensus_display(),
        "rule_words": rule_words(project, last),
        "round": last,
        "waiting": min(n, COUNTED),
        "plus": "+" if n > COUNTED else "",
    }


def rule_words(project: Project, last: consensus.Round | None) -> str:
    if project.task_kind == Project.TaskKind.SPANS:
        return _("Spans that more than half of the people marked alike stay. The other rules know no spans.")
    if project.consensus == Rule.MAJORITY:
        return _("What most people say stands at once; a tie asks somebody more, and then a reviewer.")
    few = _("Below %(n)d texts with several answers nobody's habits can be told, so the majority decides.") % {
        "n": consensus.LEAST
    }
    if last is not None and last.items < consensus.LEAST:
        return few
    if project.consensus == Rule.DAWID_SKENE:
        return _("Each answer weighs as much as its author's answers to other texts have earned.")
    return _model_words(last.source if last else "")


def _model_words(source: str) -> str:
    held = _("Texts that are held out to measure the model are left to people alone.")
    if source == "live_head":
        words = _(
            "People and the live head weigh in together. For each text a head is asked that did not learn from it "
            "(cross-fitting in five parts)."
        )
    elif source:
        words = _("People and version %(version)s weigh in together, on texts that it was not trained on.") % {
            "version": source
        }
    else:
        return _("No model knows enough of these texts yet, so people alone are weighed (Dawid–Skene) until it does.")
    return f"{words} {held}"
