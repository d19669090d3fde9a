"""Small labelled projects: texts whose words give their label away, so that any model can learn them."""

import hashlib

import numpy as np

from apps.annotation.models import Resolution
from apps.content.models import Item
from apps.learning.services import prediction_copy
from apps.learning.services.wishes import Wish
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion

WORDS = {
    "card arrival": ("my new card has not arrived in the post", "when does the card get delivered to my home"),
    "exchange rate": ("what exchange rate do you use for euros", "the currency conversion was bad yesterday"),
    "top up failed": ("topping up my account did not work", "my top up was declined again today"),
}
NGRAMS = "char-ngrams"


def add_items(
    project: Project, per_label: int, *, split: str = "pool", labelled: bool = True, start: int = 0
) -> list[Item]:
    """`per_label` items for each of the three labels, resolved unless told otherwise."""
    labels = {label.name: label for label in project.labels.all()}
    taught = {
        f"{WORDS[name][number % 2]}, case {number} {name[:4]} {split}": labels[name]
        for name in WORDS
        if name in labels
        for number in range(start, start + per_label)
    }
    made = Item.objects.bulk_create(_item(project, text, split, f"{split}-{text}") for text in taught)
    if labelled:
        Resolution.objects.bulk_create(_resolution(item, taught[item.text]) for item in made)
    return made


def add_item(project: Project, text: str, *, split: str = "pool") -> Item:
    item = _item(project, text, split, f"{split}-{Item.objects.filter(project=project).count()}")
    item.save()
    return item


def _item(project: Project, text: str, split: str, external_id: str) -> Item:
    text_hash = hashlib.sha256(text.encode()).digest()
    return Item(project=project, external_id=external_id, text=text, text_hash=text_hash, split=split)


def resolve(item: Item, label: Label) -> Resolution:
    row = _resolution(item, label)
    row.save()
    return row


def _resolution(item: Item, label: Label) -> Resolution:
    return Resolution(item=item, project=item.project, split=item.split, label=label, how=Resolution.How.SINGLE)


def head_wish(**changes: object) -> Wish:
    return Wish(**({"kind": ModelVersion.Kind.HEAD, "encoder": NGRAMS} | changes))  # type: ignore[arg-type]


def make_version(project: Project, number: int, **changes: object) -> ModelVersion:
    """A version on record without an artefact."""
    values = {
        "kind": ModelVersion.Kind.HEAD,
        "encoder": NGRAMS,
        "encoder_digest": "0" * 64,
        "label_order": [[label.pk, label.name] for label in project.labels.filter(archived_at=None)],
        "snapshot_hash": "1" * 64,
        "seed": 0,
        "config": {},
        "path": f"{project.pk}/{number}",
        "digest": "2" * 64,
    }
    return ModelVersion.objects.create(project=project, number=number, **(values | changes))


def predict(version: ModelVersion, said: dict[int, int], sure: float = 0.8) -> None:
    """Store predictions: item → label id. The rest of the probability is spread evenly."""
    order = [pk for pk, _name in version.label_order]
    probabilities = np.full((len(said), len(order)), (1 - sure) / max(1, len(order) - 1), dtype=np.float32)
    for row, label in enumerate(said.values()):
        probabilities[row, order.index(label)] = sure
    prediction_copy.store(
        np.array(list(said), dtype=np.int64), version.pk, np.array(order, dtype=np.int64), probabilities
    )


def right_but(items: list[Item], labels: list[Label], wrong: int) -> dict[int, int]:
    """The true label of every item, but for the first `wrong`, which get the next label."""
    truth = dict(Resolution.objects.filter(item__in=items).values_list("item_id", "label_id"))
    ids = [label.pk for label in labels]
    return {item.pk: ids[(ids.index(truth[item.pk]) + (place < wrong)) % len(ids)] for place, item in enumerate(items)}
