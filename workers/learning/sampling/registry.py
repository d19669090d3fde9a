"""Every strategy by its name, what it does in one sentence, and for which kinds of task it is offered."""

from collections.abc import Callable
from functools import wraps

from ..types import Task
from . import (
    auto,
    badge,
    batch,
    committee,
    contrastive,
    density,
    diversity,
    errors,
    herding,
    multilabel,
    spans,
    uncertainty,
)
from .pool import Pool, Rng, Rows

Strategy = Callable[[Pool, int, Rng], Rows]  # at most n different rows of the pool, best first


def _once_warm(strategy: Strategy) -> Strategy:
    """Without a head there is nothing to be unsure about: typical items then."""

    @wraps(strategy)
    def chosen(pool: Pool, n: int, rng: Rng) -> Rows:
        if pool.cold or n <= 0 or not len(pool):
            return herding.herding(pool, n, rng)
        return strategy(pool, n, rng)

    return chosen


DEFAULT = "auto"

STRATEGIES: dict[str, Strategy] = {
    "auto": auto.auto,
    "random": diversity.uniform,
    "least-confidence": _once_warm(uncertainty.least_confident),
    "margin": _once_warm(uncertainty.smallest_margin),
    "entropy": _once_warm(uncertainty.most_entropy),
    "spread": _once_warm(batch.spread_margin),
    "herding": herding.herding,
    "density-margin": _once_warm(density.density_margin),
    "contrastive": _once_warm(contrastive.contrastive),
    "committee": _once_warm(committee.committee),
    "badge": _once_warm(badge.badge),
    "kmeans": diversity.kmeans_centres,
    "typiclust": diversity.typiclust,
    "core-set": diversity.core_set,
    "label-errors": _once_warm(errors.label_errors),
    "mean-uncertainty": _once_warm(multilabel.by_mean),
    "most-uncertain-label": _once_warm(multilabel.by_most_uncertain),
    "mnlp": _once_warm(spans.least_confident_tags),
    "token-margin": _once_warm(spans.smallest_token_margin),
}

DESCRIPTIONS: dict[str, str] = {
    "auto": "Varied items first, doubtful ones as the model learns.",
    "random": "Every item is as likely as any other: the yardstick.",
    "least-confidence": "Items whose likeliest label has the lowest probability.",
    "margin": "Items whose two likeliest labels are closest to each other.",
    "entropy": "Items whose probability is spread over the most labels.",
    "spread": "The smallest margin in each cluster of doubtful items.",
    "herding": "Items that stand for many others the model is still unsure about.",
    "density-margin": "Doubtful items that resemble many others, so that outliers wait.",
    "contrastive": "Items that resemble labelled ones but are predicted differently.",
    "committee": "Items on which models trained on different draws of the labels disagree.",
    "badge": "Doubtful items that would each teach the model something else.",
    "kmeans": "The item nearest to the centre of each cluster, clusters without a label first.",
    "typiclust": "The most typical item of each large cluster without a label.",
    "core-set": "The item farthest from everything labelled: covers the edges.",
    "label-errors": "Items whose unchecked label the model disputes, the most disputed first.",
    "mean-uncertainty": "Items on which the model wavers over many labels.",
    "most-uncertain-label": "Items with one label that could go either way.",
    "mnlp": "Texts whose tags the model is least confident of, whatever their length.",
    "token-margin": "Texts with the most doubtful words inside spans.",
}

ONE_LABEL = {"least-confidence", "margin", "entropy", "label-errors"}
SEVERAL_LABELS = {"mean-uncertainty", "most-uncertain-label"}
SPANS = {"auto", "random", "mnlp", "token-margin", "kmeans", "typiclust", "core-set", "herding", "spread"}


def offered(task: Task) -> list[str]:
    """Names that make sense for a kind of task, in the order in which they should be shown."""
    if task == "spans":
        return [name for name in STRATEGIES if name in SPANS]
    unfit = (SEVERAL_LABELS if task != "multi" else ONE_LABEL) | {"mnlp", "token-margin"}
    return [name for name in STRATEGIES if name not in unfit]
