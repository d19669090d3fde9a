"""Choosing what a human should see next: arrays in, row numbers out, ties at random, `rng` always an argument."""

from .plan import STRATEGIES, plan

__all__ = ["STRATEGIES", "plan"]
