"""Texts in a few groups of vectors, and a map of them made by hand."""

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray

from apps.content.models import Item
from apps.explore import map_files
from apps.explore.models import Projection
from apps.learning.models import Encoding
from apps.projects.models import Project
from tests.learning import rows

DIMENSION = 16


def vectors(groups: int, each: int, *, spread: float = 0.15, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(groups, DIMENSION))
    return rows.unit(np.repeat(centres, each, axis=0) + spread * rng.normal(size=(groups * each, DIMENSION)))


def texts(project: Project, groups: int = 3, each: int = 8, *, holdout_every: int = 0, prefix: str = "x") -> list[Item]:
    """Item n belongs to group n // each."""
    words = [f"{prefix} group {n // each} text {n % each}" for n in range(groups * each)]
    made = rows.items(project, words, holdout_every=holdout_every, prefix=prefix)
    rows.vectors_for(made, vectors(groups, each))
    Encoding.objects.filter(project=project).update(done=len(made), total=len(made), through_item=made[-1].pk)
    return made


def projection(project: Project, items: list[Item], xy: NDArray[np.float32]) -> Projection:
    return Projection.objects.create(
        project=project,
        encoder_digest=rows.DIGEST,
        state=Projection.State.SUCCEEDED,
        file=map_files.keep(np.array([item.pk for item in items]), xy.astype(np.float32)),
        n=len(items),
        total=len(items),
        quality={"n": len(items), "landmarks": 5, "sample": len(items), "trustworthiness": 0.9}
        | {"trustworthiness_pca": 0.8, "kept": 0.5, "kept_pca": 0.1, "labelled": 0, "hit": None},
        regions=[{"outline": [[-1, -1], [0, -1], [0, 1], [-1, 1]], "typical": items[0].pk, "n": 1}],
        seconds=1.5,
        finished_at=timezone.now(),
    )
