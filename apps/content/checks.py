"""What makes a row an item, and what makes it a rejected row. Pure: no database, one row after the other."""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.content import truths
from apps.content.models import MAX_TEXT, Split
from apps.content.refusal import Rejected

MAX_META_BYTES = 65_536

SPLITS = {
    **dict.fromkeys(("pool", "train", "training", "训练", "训练集"), Split.POOL.value),
    **dict.fromkeys(("holdout", "hold-out", "hold_out", "test", "testing", "测试", "测试集"), Split.HOLDOUT.value),
}
_LINK = re.compile(r"https?://[^\s\x00-\x1f\x7f/][^\s\x00-\x1f\x7f]*", re.IGNORECASE)
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


_MOST = {
    "external_id": 200,
    "label": 120,
    "split": 40,
    "language": 10,
    "subject": 200,
    "thread": 200,
    "url": 1000,
    "prediction": 120,
}
# translated only for a row that is rejected: a look-up per cell would cost more than all checks together
_FIELD_NAMES = {
    "external_id": gettext_lazy("external id"),
    "label": gettext_lazy("label"),
    "split": gettext_lazy("split"),
    "language": gettext_lazy("language"),
    "subject": gettext_lazy("subject"),
    "thread": gettext_lazy("thread"),
    "url": gettext_lazy("link"),
    "prediction": gettext_lazy("predicted label"),
}


@dataclass(slots=True)
class Candidate:
    line: int
    external_id: str
    text: str
    text_hash: bytes
    split: str  # what the row says; empty: to be drawn
    language: str
    subject: str
    meta: bytes
    label: str
    predicted: str
    score: float | None
    value: dict[str, Any] | None = None  # several labels or spans, by name
    thread: str = ""
    url: str = ""

    @property
    def names(self) -> list[str]:
        """The labels that people gave it."""
        return [self.label] if self.label else truths.names_in(self.value)


@dataclass(frozen=True)
class Reject:
    line: int
    reason: str
    excerpt: str


def reject(line: int, reason: str, excerpt: str) -> Reject:
    clean = excerpt.replace("\x00", "").encode("utf-8", "replace").decode()
    return Reject(line, reason, clean[:200])


class Checker:
    """Turns the cells of a row into a Candidate, or raises Rejected."""

    def __init__(self, columns: Sequence[str], mapping: Mapping[str, Any], *, overlapping: bool = False) -> None:
        self.overlapping = overlapping  # spans may overlap
        place = {column: number for number, column in enumerate(columns)}
        at = {name: place[column] for name, column in mapping.items() if name != "meta" and column in place}
        self.text = at["text"]
        self.score = at.get("score")
        self.labels, self.spans = at.get("labels"), at.get("spans")
        self.short = [(name, at[name], most) for name, most in _MOST.items() if name in at]
        self.meta = [(column, place[column]) for column in mapping.get("meta", ()) if column in place]

    def candidate(self, line: int, cells: Sequence[Any]) -> Candidate:
        text = checked_text(cells[self.text])
        digest = hashlib.sha256(text.encode()).digest()
        said = {name: _short(cells[place], most, name) for name, place, most in self.short}
        predicted = said.get("prediction", "")
        split, url = said.get("split", ""), said.get("url", "")
        if url and not _LINK.fullmatch(url):
            raise Rejected(_("The link “%(url)s” does not begin with http:// or https://.") % {"url": url[:80]})
        return Candidate(
            line=line,
            external_id=said.get("external_id") or f"sha256:{digest.hex()}",
            text=text,
            text_hash=digest,
            split=_split(split) if split else "",
            language=said.get("language", ""),
            subject=said.get("subject", ""),
            meta=self._meta(cells) if self.meta else b"{}",
            label=said.get("label", ""),
            predicted=predicted,
            score=_score(cells[self.score]) if predicted and self.score is not None else None,
            value=self._value(cells, text),
            thread=said.get("thread", ""),
            url=url,
        )

    def _value(self, cells: Sequence[Any], text: str) -> dict[str, Any] | None:
        if self.spans is not None:
            return truths.spans_of(cells[self.spans], cells[self.text], text, overlapping=self.overlapping)
        return truths.labels_of(cells[self.labels]) if self.labels is not None else None

    def _meta(self, cells: Sequence[Any]) -> bytes:
        if len(self.meta) == 1 and isinstance(cells[self.meta[0][1]], dict):
            meta = cells[self.meta[0][1]]  # our own export, or anybody's object of metadata
        else:
            meta = {name: value for name, place in self.meta if (value := cells[place]) not in (None, "")}
        try:
            packed = orjson.dumps(meta)
        except (TypeError, ValueError):
            raise Rejected(_("The metadata cannot be stored as JSON.")) from None
        if len(packed) > MAX_META_BYTES:
            raise Rejected(_("The metadata is larger than 64 KB."))
        if b"\\u0000" in packed and _ESCAPED_NUL.search(packed):
            raise Rejected(_("The metadata holds a NUL character."))
        return packed

    def excerpt(self, cells: Sequence[Any]) -> str:
        value = cells[self.text] if self.text < len(cells) else ""
        return value if isinstance(value, str) else str(value if value is not None else "")


def checked_text(value: Any) -> str:
    if value is None:
        raise Rejected(_("The text is empty."))
    if not isinstance(value, str):
        raise Rejected(_("The text is not a string."))
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    if not value or value.isspace():
        raise Rejected(_("The text is empty."))
    if len(value) > MAX_TEXT:
        raise Rejected(
            _("The text has %(length)d characters; %(most)d are allowed.") % {"length": len(value), "most": MAX_TEXT}
        )
    if "\x00" in value:
        raise Rejected(_("The text holds a NUL character."))
    return str(value)


def _only(names: list[Any]) -> Any:
    """Of a list of labels where one is wanted."""
    if len(names) > 1:
        raise Rejected(_("The text has %(n)d labels; this project takes one label per text.") % {"n": len(names)})
    return names[0] if names else None


def _short(value: Any, most: int, name: str) -> str:
    if name == "label" and isinstance(value, list):
        value = _only(value)
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int):
        value = str(value)
    elif not isinstance(value, str):
        raise Rejected(_("The %(field)s is neither a string nor a whole number.") % {"field": _FIELD_NAMES[name]})
    value = value.strip()
    if len(value) > most:
        raise Rejected(
            _("The %(field)s is longer than %(most)d characters.") % {"field": _FIELD_NAMES[name], "most": most}
        )
    if "\x00" in value:
        raise Rejected(_("The %(field)s holds a NUL character.") % {"field": _FIELD_NAMES[name]})
    return str(value)


def _split(value: str) -> str:
    try:
        return SPLITS[value.lower()]
    except KeyError:
        raise Rejected(_("The split “%(value)s” is neither pool nor holdout.") % {"value": value}) from None


def _score(value: Any) -> float | None:
    if value in (None, ""):
        return None
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = -1.0
    if not 0 <= score <= 1 or isinstance(value, bool):
        raise Rejected(_("The score “%(value)s” is not a number from 0 to 1.") % {"value": str(value)[:40]})
    return score


# --- split ---------------------------------------------------------------------------------------------
def draw(seed: int, text_hash: bytes) -> float:
    """Uniform in [0, 1), fixed by the project's seed and the text alone: neither the order of the file, nor
    chunks, nor a restart moves it, and the same text always falls on the same side."""
    keyed = hashlib.blake2b(text_hash, digest_size=8, key=seed.to_bytes(8, "big"), person=b"hold-out")
    number: int = int.from_bytes(keyed.digest(), "big")
    return number / 2.0**64


def share_to_hold_out(fraction: float, cap: int, already: int, coming: int) -> float:
    """The share for `coming` new items that keeps the project under its cap without favouring early rows.

    One threshold for a whole file, chosen before its first row. Aiming three standard deviations below what is
    left makes it rare (1 in 700) that the hard cap has to stop the draw, which alone depends on the order.
    """
    left = max(0, cap - already)
    aim: float = left - 3 * math.sqrt(left)
    return max(0.0, min(fraction, aim / coming))


# --- rows against what is here already -----------------------------------------------------------------
@dataclass
class Here:
    """What the project holds of a chunk's external ids, texts and labels."""

    ids: dict[str, tuple[bytes, bool]]  # external id -> text hash, arrived with this very file
    splits: dict[bytes, str]  # text hash -> split
    labels: Mapping[str, bool]  # name -> may be used (not archived)
    labels_closed: bool
    places_left: int  # in the hold-out
    share: float
    seed: int


@dataclass
class Decided:
    new: list[Candidate] = field(default_factory=list)
    rejected: list[Reject] = field(default_factory=list)
    labels: dict[str, None] = field(default_factory=dict)  # to be created, in order of appearance
    known: int = 0


def decide(rows: Iterable[Candidate], here: Here) -> Decided:
    """Row by row in the order of the file, so that where a chunk ends makes no difference. Fills in `split`."""
    done = Decided()
    for row in rows:
        try:
            if _is_known(row, here):
                done.known += 1
                continue
            _check_labels(row, here, done)
            row.split = _side(row, here)
        except Rejected as reason:
            done.rejected.append(reject(row.line, str(reason), row.text))
            continue
        here.ids[row.external_id] = (row.text_hash, True)
        for name in row.names:
            if name not in here.labels:
                done.labels[name] = None
        done.new.append(row)
    return done


def _is_known(row: Candidate, here: Here) -> bool:
    found = here.ids.get(row.external_id)
    if found is None:
        return False
    text_hash, of_this_file = found
    if text_hash == row.text_hash:
        return True
    if of_this_file:
        sentence = _("The external id “%(id)s” appears earlier in this file with another text.")
    else:
        sentence = _("The external id “%(id)s” is in this project with another text, and texts never change.")
    raise Rejected(sentence % {"id": row.external_id})


def _check_labels(row: Candidate, here: Here, done: Decided) -> None:
    names = row.names
    for name in (*names, row.predicted):
        if not name:
            continue
        usable = here.labels.get(name)
        if usable is None and here.labels_closed:
            raise Rejected(_("The label “%(name)s” is unknown, and this project's labels are closed.") % {"name": name})
        if usable is False and name in names:
            raise Rejected(_("The label “%(name)s” is archived in this project.") % {"name": name})


def _side(row: Candidate, here: Here) -> str:
    there = here.splits.get(row.text_hash)
    if there is None:
        there = row.split or _drawn(row, here)
        here.splits[row.text_hash] = there
        here.places_left -= there == Split.HOLDOUT
    elif row.split and row.split != there:
        side = _("pool") if there == Split.POOL else _("hold-out")
        raise Rejected(_("The same text is already in the %(side)s; it cannot be on both sides.") % {"side": side})
    return there


def _drawn(row: Candidate, here: Here) -> str:
    held_out = here.places_left > 0 and draw(here.seed, row.text_hash) < here.share
    return Split.HOLDOUT.value if held_out else Split.POOL.value
