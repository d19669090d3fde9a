"""One arm: choose, label from the file, learn, measure, until the budget is spent. Seeds are shared by all arms."""

from dataclasses import dataclass

import numpy as np

from tests.bench.efficiency.models import Learner
from workers.learning.sampling import plan

HEADROOM = 1.5  # more texts are planned than a budget of words probably holds


@dataclass(frozen=True, slots=True)
class Point:
    spent: int  # labels, or words where spans are labelled
    score: float
    macro: float


@dataclass(frozen=True, slots=True)
class Schedule:
    budget: int
    batch: int
    first: int
    random_share: float


def arm(learner: Learner, strategy: str, schedule: Schedule, seed: int) -> list[Point]:
    rng = np.random.default_rng([seed, 1])
    pool, curve = learner.pool, []
    free = np.ones(len(pool), dtype=bool)
    labelled = np.empty(0, dtype=np.int64)
    spent = 0
    while spent < schedule.budget and free.any():
        wanted = min(schedule.first if not spent else schedule.batch, schedule.budget - spent)
        by_words = pool.task == "spans"
        n = wanted if not by_words else int(HEADROOM * wanted / pool.tokens.mean()) + 1
        classes = np.zeros(len(labelled), dtype=np.int64) if by_words else pool.truth[labelled]
        chosen = [
            choice.row
            for choice in plan(
                vectors=learner.vectors,
                labelled_vectors=learner.vectors[labelled],
                labelled_classes=classes,
                n_classes=len(pool.names),
                n=n,
                random_share=schedule.random_share,
                rng=rng,
                labels_so_far=len(labelled),
                allowed=free,
                strategy=strategy,
                token_budget=wanted if by_words else None,
                **learner.opinion(),
            )
        ]
        labelled = np.concatenate([labelled, chosen])
        free[chosen] = False
        spent = int(pool.tokens[labelled].sum()) if by_words else len(labelled)
        learner.learn(labelled, seed)
        curve.append(Point(spent, *learner.score()))
        if by_words and wanted < schedule.batch:
            break
    return curve
