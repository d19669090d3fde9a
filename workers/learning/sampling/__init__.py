"""Choosing what a human should see next: arrays in, row numbers out, ties at random, `rng` always an argument.

One file per family of strategies; registry.py names them all, plan.py mixes them with random items, without
near-duplicates. The scores alone (uncertainty, committee, contrastive, errors, multilabel, spans) are pure functions.
"""

from .plan import plan
from .pool import Pool, SpanScores
from .registry import DEFAULT, DESCRIPTIONS, STRATEGIES, offered

__all__ = ["DEFAULT", "DESCRIPTIONS", "STRATEGIES", "Pool", "SpanScores", "offered", "plan"]
