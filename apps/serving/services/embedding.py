"""Vectors of the project's encoder, from the inference process."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.projects.models import Project
from apps.serving.services.unavailable import Unavailable


def vectors(project: Project, texts: Sequence[str]) -> tuple[str, NDArray[np.float32]]:
    """(digest of the encoder, (n, d) rows of length one). Raises DomainError (503) when the process does not answer."""
    raise Unavailable
