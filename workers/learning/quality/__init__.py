"""How good the labels are: agreement, consensus, suspects. Everything works on arrays; NaN is a rating not given."""

from .agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha
from .consensus import crowdlab, dawid_skene, majority
from .label_errors import find_label_errors, find_multilabel_errors, find_span_errors
from .ratings import table
from .set_agreement import multilabel_alpha
from .span_agreement import span_f1

__all__ = [
    "cohen_kappa",
    "crowdlab",
    "dawid_skene",
    "find_label_errors",
    "find_multilabel_errors",
    "find_span_errors",
    "fleiss_kappa",
    "krippendorff_alpha",
    "majority",
    "multilabel_alpha",
    "span_f1",
    "table",
]
