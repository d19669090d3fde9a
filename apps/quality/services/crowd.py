"""What the model says of texts that several people answered, as CROWDLAB needs it: from a model that never saw them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.annotation.models import Prediction
from apps.learning import lessons, vectors
from apps.learning.models import LiveHead, SnapshotRow
from apps.projects.models import Project
from apps.registry import queries as registry
from apps.registry.models import ModelVersion
from workers.learning.heads.crossfit import out_of_fold_probabilities

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
COVERED = 0.5  # share of the texts that the model must know something about
LEAST_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class ModelSays:
    probabilities: Floats  # (n, k); the shares of the answers where the model knows nothing
    source: str  # "live_head", or "v" and the number of a version


def probabilities(project: Project, items: Ids, shares: Floats, order: list[int]) -> ModelSays | None:
    """`items` ascending, none held out; `shares` (n, k) of the answers that give each label. None where no model knows
    enough of them."""
    return _from_head(project, items, shares, order) or _from_version(project, items, shares, order)


def _from_head(project: Project, items: Ids, shares: Floats, order: list[int]) -> ModelSays | None:
    """The live head, fitted five times over: each text is answered by the one that learnt without it."""
    digest = LiveHead.objects.filter(project=project).values_list("encoder_digest", flat=True).first()
    if not digest:
        return None
    truths = lessons.read(project, order)
    single = truths.said.ndim == 1
    other = ~np.isin(truths.items, items) & ((truths.said >= 0) if single else True)
    room = max(0, lessons.MOST_FITTED - len(items))
    others, their_truths = truths.items[other][:room], truths.said[other][:room]
    first = shares.argmax(axis=1) if single else shares > 0.5  # what most said
    ids, x = vectors.of_items(np.concatenate([items, others]).tolist(), digest)
    known, rest = np.isin(ids, items), np.isin(ids, others)
    y = np.zeros((len(ids), *first.shape[1:]), dtype=first.dtype)
    y[known] = first[np.searchsorted(items, ids[known])]
    order_of = np.argsort(others)
    y[rest] = their_truths[order_of][np.searchsorted(others[order_of], ids[rest])]
    if known.sum() < COVERED * len(items) or len(ids) < LEAST_EXAMPLES or not lessons.teachable(y):
        return None
    rng = np.random.default_rng(project.seed)
    said = out_of_fold_probabilities(x, y, n_classes=len(order), rng=rng)
    out = shares.copy()
    out[np.searchsorted(items, ids[known])] = said[known]
    return ModelSays(out, "live_head")


def _from_version(project: Project, items: Ids, shares: Floats, order: list[int]) -> ModelSays | None:
    """What the serving version said, of texts that it was not trained on."""
    version = registry.live_version(project)
    if version is None:
        return None
    learnt = SnapshotRow.objects.filter(snapshot__project=project, snapshot__hash=version.snapshot_hash)
    seen = set(learnt.filter(item__in=items.tolist()).values_list("item", flat=True))
    found = Prediction.objects.filter(version=version, item__in=items.tolist(), probabilities__isnull=False)
    rows = [(item, p) for item, p in found.values_list("item", "probabilities") if p is not None and item not in seen]
    if len(rows) < COVERED * len(items):
        return None
    out = shares.copy()
    at = np.searchsorted(items, np.array([item for item, _p in rows], dtype=np.int64))
    out[at] = _in_order(version, np.array([p.to_list() for _item, p in rows], dtype=np.float64), order, out[at])
    return ModelSays(out, f"v{version.number}")


def _in_order(version: ModelVersion, said: Floats, order: list[int], missing: Floats) -> Floats:
    """The version's columns in our order; of labels that it does not know the people's shares stay."""
    theirs = {pk: at for at, (pk, _name) in enumerate(version.label_order)}
    out = missing.copy()
    for place, pk in enumerate(order):
        if pk in theirs:
            out[:, place] = said[:, theirs[pk]]
    total = out.sum(axis=1, keepdims=True)
    single = version.task == Project.TaskKind.SINGLE
    return out / np.maximum(total, 1e-9) if single else out
