from collections import Counter
from random import Random

import pytest

from apps.serving.queries import Policy
from apps.serving.services.choosing import choose

P = [0.55, 0.3, 0.1, 0.05]


def policy(threshold: float = 0.0, explore: float = 0.0) -> Policy:
    return Policy(keep_days=90, threshold=threshold, explore=explore)


def test_without_exploration_the_likeliest_is_shown_for_sure() -> None:
    chosen = choose(P, policy())
    assert (chosen.place, chosen.propensity) == (0, 1.0)


def test_below_the_threshold_nothing_is_shown_for_sure_and_nothing_is_drawn() -> None:
    for _ in range(50):
        chosen = choose(P, policy(threshold=0.6, explore=0.2))
        assert (chosen.place, chosen.propensity) == (None, 1.0)


@pytest.mark.parametrize("explore", [0.05, 0.2])
def test_labels_are_shown_as_often_as_their_propensity_says(explore: float) -> None:
    chance, n = Random(7), 40_000
    found = [choose(P, policy(threshold=0.5, explore=explore), chance) for _ in range(n)]
    told = {one.place: one.propensity for one in found}
    assert sum(told.values()) == pytest.approx(1.0)
    for place, times in Counter(one.place for one in found).items():
        share = told[place]
        assert abs(times / n - share) < 4 * (share * (1 - share) / n) ** 0.5
        assert share == pytest.approx(explore * P[place] + (1 - explore) * (place == 0))


def test_the_propensity_of_probabilities_that_do_not_quite_sum_to_one_is_exact() -> None:
    chance, off = Random(1), [0.5, 0.4]
    told = {one.place: one.propensity for one in (choose(off, policy(explore=0.2), chance) for _ in range(200))}
    assert told == {0: pytest.approx(0.2 * 5 / 9 + 0.8), 1: pytest.approx(0.2 * 4 / 9)}
