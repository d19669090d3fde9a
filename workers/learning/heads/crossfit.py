"""What a head says about its own training examples when each is answered by a head that never saw it.

Confident learning and CROWDLAB need exactly that: in-sample probabilities would believe every label.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ..types import Floats
from .calibration import fit_temperature, out_of_fold
from .features import Features
from .head import Head, MultiHead, softmax
from .multilabel import fit_multi
from .multinomial import fit


def out_of_fold_probabilities(
    x: Features,
    y: NDArray[Any],
    *,
    n_classes: int,
    c: float = 30.0,
    folds: int = 5,
    rng: np.random.Generator,
) -> Floats:
    """(n, d) features and (n,) classes or (n, k) truths to (n, k) probabilities, made honest by one temperature for
    classes. A class that a fold's head never saw gets next to nothing."""
    several = np.ndim(y) == 2

    def learn(x: Any, y: Any) -> Head | MultiHead:
        return fit_multi(x, y, c=c) if several else fit(x, y, n_classes=n_classes, c=c)

    logits, known = out_of_fold(x, y, learn, n_classes=n_classes, folds=min(folds, len(y)), rng=rng)
    if several:
        said: Floats = expit(logits)
        return said
    usable = known[np.arange(len(y)), y]
    warmth = fit_temperature(logits[usable], y[usable]) if usable.any() else 1.0
    return softmax((logits / warmth).astype(np.float32))
