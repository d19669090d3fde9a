"""The model card: what a version is, what it learnt from, how good it is and where it should not be trusted.

One source of facts (`facts`), read as JSON by programs and written as Markdown for people.
"""

from dataclasses import dataclass
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.common.numbers import listed
from apps.feedback.services import outcomes
from apps.learning import families, headlines, options, queries, reports, users_words
from apps.learning.models import Evaluation, Snapshot
from apps.learning.services import evaluation, versions
from apps.registry import queries as registry
from apps.registry.models import ModelVersion

FEW_HELD, FEW_EXAMPLES, WEAK = 400, 10, 0.5  # below: an interval too wide, a label hardly taught, a label hardly known
LISTED, QUOTED = 12, 60


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that the Markdown says, before it is put into words."""

    version: ModelVersion
    snapshot: Snapshot | None
    counts: list[tuple[str, int]]  # label, examples; fewest first
    measured: Evaluation | None
    deployed: bool
    cases: outcomes.Standing | None  # on the regression cases of today; None where there are none

    @property
    def title(self) -> str:
        return f"{self.version.project.name}, {self.version}"


def card(version: ModelVersion) -> Card:
    snapshot = Snapshot.objects.filter(project=version.project, hash=version.snapshot_hash).order_by("-pk").first()
    return Card(
        version=version,
        snapshot=snapshot,
        counts=queries.snapshot_counts(snapshot.pk) if snapshot else [],
        measured=evaluation.latest(version),
        deployed=registry.has_served(version),
        cases=outcomes.standing(version),
    )


def facts(found: Card) -> dict[str, Any]:
    """The card for programs: keys never change with the reader's language."""
    version, measured = found.version, found.measured
    return {
        "project": version.project.name,
        "languages": version.project.language,
        **versions.manifest(version),
        "data": {
            "snapshot_hash": version.snapshot_hash,
            "examples": found.snapshot.n_items if found.snapshot else None,
            "frozen_at": found.snapshot.created_at.isoformat() if found.snapshot else None,
            "labels": [{"label": name, "examples": n} for name, n in found.counts],
            "left_out": version.config.get("left_out", []),
            "users": version.metrics.get("weak"),
        },
        "evaluation": {"n": measured.n, "at": measured.at.isoformat()} | measured.metrics if measured else None,
        "regression_cases": _case_facts(found.cases),
        "limits": limits(found),
    }


def _case_facts(found: outcomes.Standing | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"passed": found.passed, "failed": [case.pk for case in found.failed], "not_asked": found.unasked}


def limits(found: Card) -> list[str]:
    """Where the figures say that it should not be trusted, in sentences."""
    version, measured = found.version, found.measured
    said = []
    if left_out := version.config.get("left_out"):
        said.append(_("It never answers with: %(names)s.") % {"names": listed(left_out)})
    few = [name for name, n in found.counts if n < FEW_EXAMPLES]
    if few:
        said.append(
            _("Hardly taught, with fewer than %(n)d examples: %(names)s.") % {"n": FEW_EXAMPLES, "names": _some(few)}
        )
    if found.cases and found.cases.failed:
        said.append(_failed_cases(found.cases))
    if measured is None:
        return [*said, _("It was not measured: no held-out item is labelled yet.")]
    if measured.n < FEW_HELD:
        sentence = ngettext(
            "Measured on %(n)d held-out item only, so its figures may be off by several points.",
            "Measured on %(n)d held-out items only, so its figures may be off by several points.",
            measured.n,
        )
        said.append(sentence % {"n": measured.n})
    rows = reports.per_class(measured)
    if weak := [row.name for row in rows if row.support and row.f1 < WEAK]:
        said.append(_("Weak, with an F1 below one half: %(names)s.") % {"names": _some(weak)})
    if unknown := [row.name for row in rows if not row.support]:
        said.append(_("Nothing is known about: %(names)s. No held-out item has them.") % {"names": _some(unknown)})
    for field, parts in reports.slices(measured):
        weaker = [row.value or _("not given") for row in parts if row.stands_out and (row.gap or 0) < 0]
        if weaker:
            said.append(_("Weaker where %(field)s is: %(values)s.") % {"field": field, "values": _some(weaker)})
    said.append(_too_sure(measured))
    return [sentence for sentence in said if sentence]


def _failed_cases(found: outcomes.Standing) -> str:
    sentence = _("Gets %(n)d of %(all)d regression cases wrong: %(texts)s.")
    texts = [f"“{' '.join(case.item.text.split())[:QUOTED]}”" for case in found.failed]
    return sentence % {"n": len(found.failed), "all": found.total, "texts": _some(texts)}


def _too_sure(measured: Evaluation) -> str:
    ece, null = measured.metrics.get("ece"), measured.metrics.get("ece_null")
    if ece is None or null is None or ece <= 1.5 * null:
        return ""
    return _("Its confidence is off by %(ece)s on average; chance alone would show %(null)s.") % {
        "ece": headlines.spelled("accuracy", ece),
        "null": headlines.spelled("accuracy", null),
    }


def _some(names: list[str]) -> str:
    shown = listed(names[:LISTED])
    more = len(names) - LISTED
    return shown if more <= 0 else _("%(names)s and %(rest)d more") % {"names": shown, "rest": more}


def markdown(found: Card) -> str:
    parts = [
        f"# {_plain(found.title)}",
        _what(found),
        _headed(2, _("What it is for")),
        _purpose(found),
        _headed(2, _("What it learnt from")),
        _data(found),
        _headed(2, _("How good it is")),
        *_quality(found),
        _headed(2, _("Limits")),
        "\n".join(f"- {_plain(sentence)}" for sentence in limits(found)) or _("None stand out in the figures."),
        _headed(2, _("How it was made")),
        _making(found),
    ]
    return "\n\n".join(parts) + "\n"


def _what(found: Card) -> str:
    version = found.version
    kind, made = version.get_kind_display(), str(families.made(version))
    rows = [
        (_("Kind"), kind if made == kind else f"{kind} ({made})"),
        (_("Task"), str(version.get_task_display())),
        (_("Labels"), str(len(version.label_order))),
        (_("Encoder"), version.encoder),
        (_("Size"), families.size(version.metrics.get("size_bytes"))),
        (_("One short text"), families.latency(version.metrics.get("latency_ms"))),
        (_("Made"), f"{date_format(version.created_at, 'SHORT_DATETIME_FORMAT')} UTC"),
        (_("Weights (SHA-256)"), version.digest),
    ]
    return _table(["", ""], rows)


def _purpose(found: Card) -> str:
    values = {"project": _plain(found.version.project.name), "language": found.version.project.language}
    text = _(
        "It labels texts of the project “%(project)s” (language: %(language)s) and suggests answers to the people who "
        "label them. It knows nothing of other kinds of text."
    )
    if found.version.task == "engagement":
        text = _(
            "It says how likely people are to click a text of the project “%(project)s” (language: %(language)s), as "
            "they were shown them so far. It knows nothing of other kinds of text or other places to show them."
        )
    served = _("It has served.") if found.deployed else _("It has never served.")
    return f"{text % values} {served}"


def _data(found: Card) -> str:
    snapshot = found.snapshot
    if snapshot is None:
        return _("No snapshot of labels belongs to it: it was made of other versions.")
    sentence = _("%(n)d labelled texts, frozen on %(day)s; snapshot %(hash)s. No held-out item is among them.") % {
        "n": snapshot.n_items,
        "day": date_format(snapshot.created_at, "SHORT_DATE_FORMAT"),
        "hash": snapshot.hash[:12],
    }
    rows = [(name, str(n)) for name, n in found.counts]
    table = _table([_("Label"), _("Examples")], rows)
    parts = [sentence, *users_words.paragraphs(found.version), table if rows else ""]
    return "\n\n".join(part for part in parts if part)


def _quality(found: Card) -> list[str]:
    return [*_figures(found), *_cases(found)]


def _cases(found: Card) -> list[str]:
    standing = found.cases
    if standing is None:
        return []
    rows = [
        (_("right"), str(standing.passed)),
        (_("wrong"), str(len(standing.failed))),
        (_("not asked yet"), str(standing.unasked)),
    ]
    intro = _("Texts that users complained about, with the answer that people gave.")
    return [_headed(3, _("Regression cases")), intro, _table([_("Answer"), _("Cases")], rows)]


def _figures(found: Card) -> list[str]:
    measured = found.measured
    if measured is None:
        return [_("Not measured yet.")]
    intro = _("On %(n)d held-out items that it never saw, measured on %(day)s. In brackets: 95 %% intervals.") % {
        "n": measured.n,
        "day": date_format(measured.at, "SHORT_DATE_FORMAT"),
    }
    shown = [*headlines.figures(measured), *headlines.calibration(measured)]
    rows = [(str(f.name), f"{f.value} ({f.low} – {f.high})" if f.low else f"{f.value} {f.note}".strip()) for f in shown]
    parts = [intro, _table([_("Figure"), _("Value")], rows)]
    if reports.per_class(measured):
        parts += [_headed(3, _("Label by label")), _per_label(measured)]
    for field, table in reports.slices(measured):
        parts += [_headed(3, _plain(field)), _slices(table)]
    return parts


def _per_label(measured: Evaluation) -> str:
    rows = [
        (row.name, f"{row.f1:.2f}", f"{row.precision:.2f}", f"{row.recall:.2f}", str(row.support))
        if row.support
        else (row.name, "–", "–", "–", "0")
        for row in reports.per_class(measured)
    ]
    return _table([_("Label"), "F1", _("precision"), _("recall"), _("held out")], rows)


def _slices(rows: list[reports.SliceRow]) -> str:
    shown = [
        (row.value or _("not given"), f"{row.score} ({row.low} – {row.high})" if row.score else "–", str(row.n))
        for row in rows
    ]
    return _table([_("Part"), _("Value"), _("held out")], shown)


def _making(found: Card) -> str:
    version = found.version
    sources = families.sources(version)
    rows = [(_("Made from"), ", ".join(f"v{number}" for number in sources))] if sources else []
    rows += [(_("Seed"), str(version.seed)), (_("Snapshot"), version.snapshot_hash)]
    rows += [
        (str(options.name_of(name)), str(options.shown(value)))
        for name, value in sorted(version.config.items())
        if isinstance(value, int | float | str) and value != ""
    ]
    return _table([_("Setting"), _("Value")], rows)


def _headed(level: int, title: str) -> str:
    return f"{'#' * level} {title}"


def _table(head: list[str], rows: list[Any]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(_plain(cell) for cell in row) + " |" for row in rows)])


def _plain(text: Any) -> str:
    """Names come from people: nothing in them may become markup."""
    one_line = " ".join(str(text).split())
    return "".join(f"\\{mark}" if mark in "\\`*_{}[]<>#|!~" else mark for mark in one_line)
