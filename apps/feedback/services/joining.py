"""Which ticket a complaint belongs to. Pure but for the reading of tickets; grouping.py writes what comes out.

In this order: the ticket of the same prediction; of the same text with the same predicted → wanted label; of nearly
the same text with that pair. A complaint that does not say what was wanted joins any pair of the same predicted label,
and a ticket without a wanted label takes the first one that is named.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from apps.feedback.models import Ticket
from apps.feedback.services import wording
from apps.projects.models import Project
from workers.learning import grouping

Pair = tuple[int | None, int | None]  # predicted, wanted


@dataclass(slots=True)
class Complaint:
    id: int
    served: UUID | None
    item: int | None
    predicted: int | None
    wanted: int | None
    text: str  # kept with consent, or the item's
    text_hash: bytes | None
    comment: str
    at: datetime
    said: dict[str, Any] | None = None  # what the model said where that is not one label

    @property
    def words(self) -> str:
        """What is compared; without the text, what the person wrote."""
        return self.text or ("" if self.text_hash else self.comment)


@dataclass(slots=True, eq=False)
class Known:
    """A ticket as it stands, or one that is to be opened (`pk` is None, `first` its complaint)."""

    pk: int | None
    wanted: int | None
    first: Complaint | None = None
    row: NDArray[np.float32] | None = None
    adopted: bool = False  # it takes its wanted label from a complaint now


@dataclass
class Book:
    """The tickets of some predicted labels, found by text and by wording."""

    by_text: dict[tuple[int | None, bytes | None], list[Known]] = field(default_factory=lambda: defaultdict(list))
    by_pair: dict[Pair, list[Known]] = field(default_factory=lambda: defaultdict(list))
    read: set[int | None] = field(default_factory=set)

    def load(self, project: Project, predicted: set[int | None]) -> None:
        for label in sorted(predicted - self.read, key=lambda pk: pk or 0):
            found = Ticket.objects.filter(project=project, predicted=label).order_by("pk")
            columns = found.values_list("pk", "wanted", "text_hash", "wording")
            kept = [(pk, wanted, digest, words) for pk, wanted, digest, words in columns]
            rows = iter(wording.unpacked([bytes(words) for *_rest, words in kept if words is not None]))
            for pk, wanted, digest, words in kept:
                known = Known(pk, wanted, row=next(rows) if words is not None else None)
                self.add(label, bytes(digest) if digest else None, known)
            self.read.add(label)

    def add(self, predicted: int | None, digest: bytes | None, known: Known) -> None:
        self.by_pair[predicted, known.wanted].append(known)
        if digest is not None or known.row is None:
            self.by_text[predicted, digest].append(known)

    def adopt(self, predicted: int | None, known: Known, wanted: int) -> None:
        self.by_pair[predicted, None].remove(known)
        known.wanted, known.adopted = wanted, True
        self.by_pair[predicted, wanted].append(known)


def join(book: Book, complaints: Sequence[Complaint], of_served: dict[UUID, Known]) -> dict[int, Known]:
    """Complaint id -> its ticket. `of_served` holds the tickets of predictions, and gains those of new ones."""
    found: dict[int, Known] = {}
    left: list[Complaint] = []
    # those that say what they want first: a thumb then finds the pair that it belongs to, whatever came first
    for complaint in sorted(complaints, key=lambda one: (one.wanted is None, one.id)):
        known = of_served.get(complaint.served) if complaint.served else None
        known = known or _same_text(book, complaint)
        if known is None:
            left.append(complaint)
            continue
        _joined(book, found, of_served, complaint, known)
    _by_wording(book, left, found, of_served)
    return found


def _joined(
    book: Book, found: dict[int, Known], of_served: dict[UUID, Known], complaint: Complaint, known: Known
) -> None:
    found[complaint.id] = known
    if complaint.served is not None:
        of_served.setdefault(complaint.served, known)
    if complaint.wanted is not None and known.wanted is None and known in book.by_pair[complaint.predicted, None]:
        book.adopt(complaint.predicted, known, complaint.wanted)


def _same_text(book: Book, complaint: Complaint) -> Known | None:
    if complaint.text_hash is None and complaint.words:
        return None
    same = book.by_text.get((complaint.predicted, complaint.text_hash), [])
    exact = [known for known in same if known.wanted == complaint.wanted]
    open_ = [known for known in same if None in {known.wanted, complaint.wanted}]
    return next(iter([*exact, *open_]), None)


def _by_wording(book: Book, left: Sequence[Complaint], found: dict[int, Known], of_served: dict[UUID, Known]) -> None:
    pairs: dict[Pair, list[Complaint]] = defaultdict(list)
    for complaint in left:
        pairs[complaint.predicted, complaint.wanted].append(complaint)
    texts = list(dict.fromkeys(complaint.words for complaint in left if complaint.words))
    place = {text: n for n, text in enumerate(texts)}
    rows = wording.read(texts) if texts else np.empty((0, wording.DIMENSION), dtype=np.float32)
    for predicted, wanted in sorted(pairs, key=lambda pair: (pair[1] is None, pair[1] or 0, pair[0] or 0)):
        _one_pair(book, predicted, wanted, pairs[predicted, wanted], place, rows, found, of_served)


def _one_pair(  # noqa: PLR0917
    book: Book,
    predicted: int | None,
    wanted: int | None,
    complaints: Sequence[Complaint],
    place: dict[str, int],
    rows: NDArray[np.float32],
    found: dict[int, Known],
    of_served: dict[UUID, Known],
) -> None:
    """By text, so that equal ones stay together; in the order of the texts, so that the order of arrival is none."""
    by_text: dict[Any, list[Complaint]] = defaultdict(list)
    for complaint in complaints:
        if complaint.served is not None and complaint.served in of_served:
            _joined(book, found, of_served, complaint, of_served[complaint.served])
            continue
        by_text[complaint.words or (complaint.text_hash or b"").hex()].append(complaint)
    worded = sorted(text for text, said in by_text.items() if said[0].words)
    candidates = [known for known in _candidates(book, predicted, wanted) if known.row is not None]
    known_rows = np.stack([known.row for known in candidates if known.row is not None]) if candidates else rows[:0]
    mine = rows[[place[text] for text in worded]]
    grouped = grouping.group(mine, known_rows, threshold=wording.NEAR)
    opened: dict[int, Known] = {}
    for text, at in zip(worded, grouped.group.tolist(), strict=True):
        if at >= len(candidates) and at not in opened:
            leader = int(grouped.leaders[at - len(candidates)])
            first = min(by_text[worded[leader]], key=lambda one: one.id)
            opened[at] = _open(book, first, wanted, mine[leader].copy())
        known = candidates[at] if at < len(candidates) else opened[at]
        for complaint in by_text[text]:
            _joined(book, found, of_served, complaint, known)
    for said in (said for said in by_text.values() if not said[0].words):
        known = _same_text(book, said[0]) or _open(book, said[0], wanted, None)
        for complaint in said:
            _joined(book, found, of_served, complaint, known)


def _candidates(book: Book, predicted: int | None, wanted: int | None) -> list[Known]:
    if wanted is not None:
        return [*book.by_pair[predicted, wanted], *book.by_pair[predicted, None]]
    pairs = [pair for pair in book.by_pair if pair[0] == predicted]
    return [known for pair in sorted(pairs, key=lambda pair: pair[1] or 0) for known in book.by_pair[pair]]


def _open(book: Book, first: Complaint, wanted: int | None, row: NDArray[np.float32] | None) -> Known:
    known = Known(None, wanted, first, row)
    book.add(first.predicted, first.text_hash, known)
    return known
