"""What of an answer is shown, and with which probability exactly that was shown."""

from dataclasses import dataclass
from random import Random, SystemRandom

from apps.serving.queries import Policy

CHANCE = SystemRandom()


@dataclass(frozen=True, slots=True)
class Shown:
    place: int | None  # in the label order; None: nothing
    propensity: float


def choose(probabilities: list[float], policy: Policy, chance: Random = CHANCE) -> Shown:
    """The likeliest label, or, for the policy's share of answers, one drawn from the probabilities.

    Below the threshold nothing is shown, and nothing is drawn. The propensity of a label is therefore
    (1 − share) · [it is the likeliest] + share · its probability.
    """
    best = max(range(len(probabilities)), key=probabilities.__getitem__)
    if probabilities[best] < policy.threshold:
        return Shown(None, 1.0)
    if not policy.explore:
        return Shown(best, 1.0)
    total = sum(probabilities)
    place = best
    if chance.random() < policy.explore:
        place = chance.choices(range(len(probabilities)), weights=probabilities)[0]
    propensity = policy.explore * probabilities[place] / total
    return Shown(place, propensity + (1 - policy.explore) * (place == best))
