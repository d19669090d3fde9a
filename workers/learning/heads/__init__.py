"""Linear models: what is refitted after every few labels. numpy and scipy only.

`fit` learns one label per text, `fit_multi` several; both read vectors, sparse n-grams or both (features.py,
ngrams.py). `temperature` and `tuned` make the probabilities honest by cross-fitting. `open` reads what `to_bytes` of
any head wrote.
"""

from ..types import LearningError
from .calibration import calibrated, fit_temperature, out_of_fold, temperature
from .features import Both, Features
from .head import Head, MultiHead, softmax
from .multilabel import fit_multi, thresholds, tuned
from .multinomial import fit
from .ngrams import Ngrams
from .soft import TRUSTS, fit_multi_soft, fit_soft, trust
from .text import TextHead, features, vocabulary

__all__ = [
    "TRUSTS",
    "Both",
    "Features",
    "Head",
    "MultiHead",
    "Ngrams",
    "TextHead",
    "calibrated",
    "features",
    "fit",
    "fit_multi",
    "fit_multi_soft",
    "fit_soft",
    "fit_temperature",
    "open",
    "out_of_fold",
    "softmax",
    "temperature",
    "thresholds",
    "trust",
    "tuned",
    "vocabulary",
]


def open(raw: bytes) -> Head | MultiHead | TextHead:
    """Whichever head the bytes hold. Raises LearningError when they are no head."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        names = load(bytes(raw)).keys()
    except SafetensorError as error:
        raise LearningError("The stored head cannot be read.") from error
    if "idf" in names:
        return TextHead.from_bytes(raw)
    return MultiHead.from_bytes(raw) if "thresholds" in names else Head.from_bytes(raw)
