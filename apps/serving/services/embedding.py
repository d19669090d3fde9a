"""Vectors of the project's encoder, from the inference process."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.projects.models import Project
from apps.serving.services import inference


def vectors(project: Project, texts: Sequence[str]) -> tuple[str, NDArray[np.float32]]:
    """(digest of the encoder, (n, d) rows of length one). Raises DomainError (503) when the process does not answer.

    The rows come from the runtime that the project asks for, or from fp32 where the parity gate refuses it; the digest
    tells which.
    """
    found = inference.ask(lambda client: client.embed(project.encoder, texts, runtime=project.encoder_runtime))
    return str(found.told["digest"]), np.frombuffer(found.raw, dtype="<f4").reshape(found.shape)
