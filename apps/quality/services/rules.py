"""The rules of consensus on tables of ratings (items, people), NaN where somebody said nothing."""

import numpy as np
from numpy.typing import NDArray

from apps.projects.models import Project
from workers.learning import quality
from workers.learning.types import Consensus

Floats = NDArray[np.float64]
Rule = Project.Consensus


def by_people(rule: Rule, tables: list[Floats], k: int) -> list[Consensus]:
    classes = k if len(tables) == 1 else 2
    if rule == Rule.MAJORITY:
        return [quality.majority(table, n_classes=classes) for table in tables]
    return [_dawid_skene(table, classes) for table in tables]


def _dawid_skene(table: Floats, k: int) -> Consensus:
    """Among the classes that anybody named: any other could take the place of one of them, and nothing would tell."""
    named, place = np.unique(table[~np.isnan(table)].astype(np.int64), return_inverse=True)
    narrow = np.full_like(table, np.nan)
    narrow[~np.isnan(table)] = place
    found = quality.dawid_skene(narrow, n_classes=len(named))
    probabilities = np.zeros((len(table), k))
    probabilities[:, named] = found.probabilities
    return Consensus(named[found.labels], probabilities, found.quality, found.raters, found.tied)


def with_model(table: Floats, probabilities: Floats, people: Consensus, pool: NDArray[np.bool_]) -> Consensus:
    """CROWDLAB on the rows of `pool`, whose (n, k) probabilities these are; elsewhere what people alone give."""
    found = quality.crowdlab(table[pool], probabilities)
    labels, posterior = people.labels.copy(), people.probabilities.copy()
    good, tied = people.quality.copy(), people.tied.copy()
    labels[pool], posterior[pool], good[pool], tied[pool] = found.labels, found.probabilities, found.quality, found.tied
    return Consensus(labels, posterior, good, found.raters, tied)


def column(probabilities: Floats, at: int) -> Floats:
    """One label of several as two classes: not given, given."""
    return np.column_stack([1 - probabilities[:, at], probabilities[:, at]])
