"""What the page of a version shows."""

from typing import Any

from apps.feedback.services import outcomes
from apps.learning import answers, case_pages, charts, families, headlines, options, queries, reports
from apps.learning.models import Evaluation
from apps.learning.pages import LISTED, labels
from apps.learning.services import evaluation
from apps.registry import queries as registry
from apps.registry.models import ModelVersion

UNINTERESTING = {"left_out", "made_by", "parents", "checkpoint_seconds"}


def version(found: ModelVersion, truth: int | None, predicted: int | None) -> dict[str, Any]:
    live = registry.serving(found.project)
    measured = evaluation.latest(found)
    context: dict[str, Any] = {
        "project": found.project,
        "version": found,
        "live": live,
        "is_live": bool(live and live.version_id == found.pk),
        "has_served": registry.has_served(found),
        "evaluation": measured,
        "seen": live.sequence if live else 0,
        "job": queries.repredict_of(found),
        "family": families.of(found),
        "made": families.made(found),
        "sources": list(registry.versions(found.project).filter(number__in=found.config.get("parents") or [])),
        "settings": _settings(found),
        "size": families.size(found.metrics.get("size_bytes")),
        "standing": case_pages.standing(found, labels(found.project)),
        "cases": outcomes.changes(found, live.version) if live and live.version_id != found.pk else None,
        "latency": families.latency(found.metrics.get("latency_ms")),
    }
    if measured:
        context |= _measured(measured)
    return context | (opened(found, truth, predicted) if truth is not None else {})


def _measured(found: Evaluation) -> dict[str, Any]:
    bins = charts.reliability(found.metrics.get("reliability") or [])
    return {
        "headline": headlines.of(found),
        "figures": headlines.figures(found),
        "calibration": headlines.calibration(found),
        "reliability": bins,
        "square": charts.square(),
        "per_class": reports.per_class(found),
        "slices": reports.slices(found),
        "mistakes": reports.span_mistakes(found),
    } | ({"matrix": reports.matrix(found), "confusions": reports.confusions(found)} if _has_confusion(found) else {})


def _has_confusion(found: Evaluation) -> bool:
    return "confusion" in found.metrics


def _settings(found: ModelVersion) -> list[tuple[options.Words, options.Words]]:
    """What decided the model besides its examples, where it says something."""
    return [
        (options.name_of(name), options.shown(value))
        for name, value in found.config.items()
        if name not in UNINTERESTING and isinstance(value, int | float | str) and value not in ("", 0, False)
    ]


def opened(found: ModelVersion, truth: int, predicted: int | None) -> dict[str, Any]:
    """The items behind one cell of the confusion matrix, or behind one label's mistakes."""
    names = labels(found.project)
    items = answers.wrong_about(found, truth) if predicted is None else evaluation.in_cell(found, truth, predicted)
    return {
        "project": found.project,
        "version": found,
        "cell": {
            "truth": names.get(truth),
            "predicted": names.get(predicted) if predicted is not None else None,
            "n": len(items),
            "shown": min(LISTED, len(items)),
        },
        "cell_items": answers.judged(items[:LISTED], [found], names),
    }
