"""Honest numbers on a labelled hold-out: intervals, calibration against its noise, paired verdicts."""

from .metrics import compare, confusion, evaluate, macro_f1, wilson

__all__ = ["compare", "confusion", "evaluate", "macro_f1", "wilson"]
