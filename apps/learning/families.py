"""Versions that were made of one another: the original, its export, its pruned and distilled kin, side by side."""

from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.common.numbers import listed
from apps.learning.headlines import Headline
from apps.learning.headlines import of as headline_of
from apps.learning.models import Evaluation, TrainingRun
from apps.registry import queries as registry
from apps.registry.models import ModelVersion

LOOKED_AT = 200  # newest versions among which kin is looked for
Words = str | Promise


@dataclass(frozen=True, slots=True)
class Relative:
    version: ModelVersion
    made: Words  # how it came about
    size: str
    latency: str
    headline: Headline | None
    parity: str


def sources(version: ModelVersion) -> list[int]:
    """Numbers of the versions that it was derived from; none for one that learnt from labels anew."""
    derived = version.config.get("made_by") in TrainingRun.DERIVED
    return [int(number) for number in version.config.get("parents") or []] if derived else []


def of(version: ModelVersion) -> list[Relative]:
    """Everything that shares an ancestor with a version, itself too, oldest first. One alone has no family."""
    known = {found.number: found for found in registry.versions(version.project)[:LOOKED_AT]} | {
        version.number: version
    }
    roots = {number: _roots(number, known) for number in known}
    kin = [known[number] for number in sorted(known) if roots[number] & roots[version.number]]
    if len(kin) < 2:
        return []
    newest = {row.version_id: row for row in Evaluation.objects.filter(version__in=kin).order_by("at", "pk")}
    return [_relative(found, newest.get(found.pk)) for found in kin]


def _roots(number: int, known: dict[int, ModelVersion], seen: frozenset[int] = frozenset()) -> frozenset[int]:
    above = [up for up in sources(known[number]) if up in known and up not in seen]
    if not above:
        return frozenset({number})
    return frozenset().union(*(_roots(up, known, seen | {number}) for up in above))


def _relative(version: ModelVersion, evaluation: Evaluation | None) -> Relative:
    metrics = version.metrics
    return Relative(
        version=version,
        made=made(version),
        size=size(metrics.get("size_bytes")),
        latency=latency(metrics.get("latency_ms")),
        headline=headline_of(evaluation) if evaluation else None,
        parity=parity(metrics.get("parity") or {}),
    )


def made(version: ModelVersion) -> Words:
    """How a version came about, in two words."""
    by, config = version.config.get("made_by"), version.config
    if by == TrainingRun.Kind.ONNX or version.kind == ModelVersion.Kind.ONNX:
        return _("ONNX, 8-bit") if config.get("int8") else _("ONNX")
    words: dict[str, Words] = {
        TrainingRun.Kind.PRUNE: _("pruned"),
        TrainingRun.Kind.DISTIL: _("distilled"),
        TrainingRun.Kind.ENSEMBLE: _("joined"),
        TrainingRun.Kind.SEARCH: _("best of a search"),
    }
    return words.get(str(by), version.get_kind_display())


def size(n: float | None) -> str:
    if n is None:
        return "–"
    if n < 1e6:
        return f"{number_format(round(n / 1e3, 1), 1)} kB"
    return f"{number_format(round(n / 1e6, 1), 1)} MB"


def latency(ms: float | None) -> str:
    return "–" if ms is None else str(_("%(n)s ms")) % {"n": number_format(round(ms, 1), 1)}


def parity(found: dict[str, Any]) -> str:
    """How far a derived version answers as its source does, in one line."""
    if found.get("agreement") is None:
        return ""
    share = number_format(round(found["agreement"] * 100, 1), 1)
    shown = [_("%(share)s %% the same on %(n)d texts") % {"share": share, "n": found["n"]}]
    if found.get("mean_difference") is not None:
        shown.append(_("probabilities off by %(by)s") % {"by": number_format(round(found["mean_difference"], 4), 4)})
    if found.get("f1") is not None:
        shown.append(_("F1 against its spans %(f1)s") % {"f1": number_format(round(found["f1"], 3), 3)})
    return listed(shown)
