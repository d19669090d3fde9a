"""Honest numbers on a labelled hold-out: an interval on every estimate, calibration against its noise, paired verdicts.

Nothing here may see items that sampling chose: on those a 90 % model reads 50 to 65 %.
"""

from ..intervals import wilson
from .calibration import reliability
from .crossfit import cross_fit
from .engagement import compare_engagement, evaluate_engagement
from .metrics import confusion, evaluate, macro_f1
from .multilabel import evaluate_multi
from .slices import by_slice
from .spans import evaluate_spans, tally_spans
from .tally import tally, tally_multi
from .verdict import compare, compare_multi, compare_spans

__all__ = [
    "by_slice",
    "compare",
    "compare_engagement",
    "compare_multi",
    "compare_spans",
    "confusion",
    "cross_fit",
    "evaluate",
    "evaluate_engagement",
    "evaluate_multi",
    "evaluate_spans",
    "macro_f1",
    "reliability",
    "tally",
    "tally_multi",
    "tally_spans",
    "wilson",
]
