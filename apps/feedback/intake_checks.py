"""What makes the JSON of a client an event, and what is refused. Pure: no database."""

import math
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.errors import InvalidInput
from apps.content.models import MAX_TEXT
from apps.feedback.models import Signal
from apps.projects.subjects import MOST_CHARACTERS

Kind = Signal.Kind
MOST_COMMENT = 5_000  # code points
MOST_LABELS = 100
MOST_NAME = 120
MOST_SPANS = 500
MOST_CHOICE = 80  # something offered to tick, not somebody's own words
LONGEST_DWELL = 24 * 60 * 60 * 1000  # ms
CLOCKS_DIFFER = timedelta(days=1)
FIRST_DAY = datetime(2000, 1, 1, tzinfo=UTC)

_ABOUT = frozenset({"prediction", "item", "text", "version", "predicted", "confidence"})
_COMMON = _ABOUT | {"id", "kind", "comment", "reason", "consent", "subject", "language", "source", "at"}
_OWN: dict[str, frozenset[str]] = {
    Kind.THUMB: frozenset({"up"}),
    Kind.RATING: frozenset({"rating", "of"}),
    Kind.LABEL: frozenset({"label", "labels"}),
    Kind.SPANS: frozenset({"spans"}),
    Kind.COMMENT: frozenset({"up"}),
    Kind.ANSWER: frozenset({"survey", "question", "answer"}),
    Kind.DWELL: frozenset({"ms"}),
}
_MAY_BE_GENERAL = frozenset({Kind.COMMENT, Kind.RATING, Kind.ANSWER})  # about the product rather than one answer of it
_LANGUAGE = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")


@dataclass(slots=True)
class Event:
    id: str
    kind: str
    prediction: uuid.UUID | None = None
    item: str = ""
    text: str = ""
    version: int | None = None
    predicted: str = ""
    confidence: float | None = None
    up: bool | None = None
    labels: list[str] | None = None
    several: bool = False  # `labels` rather than `label` was sent
    spans: list[dict[str, Any]] | None = None
    value: dict[str, Any] = field(default_factory=dict)
    comment: str = ""
    consent: bool | None = None  # None: as it was for the prediction
    subject: str = ""
    language: str = ""
    source: str = ""
    at: datetime | None = None


def event_of(given: Any) -> Event:
    """Raises InvalidInput that names the field."""
    if not isinstance(given, dict):
        raise InvalidInput(_("An event is a JSON object."), field="events")
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in Kind.values:
        raise InvalidInput(_("“kind” is one of: %(kinds)s.") % {"kinds": ", ".join(Kind.values)}, field="kind")
    _refuse_unknown(given, kind)
    event = Event(id=_id(given.get("id")), kind=kind)
    _read_about(given, event)
    _read_common(given, event)
    _READ.get(kind, _nothing)(given, event)
    return event


def _refuse_unknown(given: Mapping[str, Any], kind: str) -> None:
    unknown = given.keys() - _COMMON - _OWN.get(kind, frozenset())
    if unknown:
        name = min(unknown)[:60].encode("utf-8", "replace").decode()
        raise InvalidInput(_("“%(kind)s” has no field of this name.") % {"kind": kind}, field=name)


def _id(value: Any) -> str:
    if value is None:
        return str(uuid.uuid4())
    found = _string(value, "id", 64)
    if not found or not found.isprintable():
        raise InvalidInput(_("An id is up to 64 visible characters; a UUID is best."), field="id")
    return found


def _read_about(given: Mapping[str, Any], event: Event) -> None:
    if (prediction := given.get("prediction")) is not None:
        try:
            event.prediction = uuid.UUID(_string(prediction, "prediction", 64))
        except ValueError:
            raise InvalidInput(_("A prediction id is a UUID, as predict answered it."), field="prediction") from None
    event.item = _optional(given, "item", 200)
    event.text = _optional(given, "text", MAX_TEXT)
    event.predicted = _optional(given, "predicted", MOST_NAME).strip()
    if (version := given.get("version")) is not None:
        event.version = int(_number(version, "version", 1, 2**31 - 1, whole=True))
    if (confidence := given.get("confidence")) is not None:
        event.confidence = _number(confidence, "confidence", 0, 1)
    if event.prediction is None and not event.item and not event.text and event.kind not in _MAY_BE_GENERAL:
        raise InvalidInput(_("Say what it is about: a prediction, an item, or a text."), field="prediction")


def _read_common(given: Mapping[str, Any], event: Event) -> None:
    event.comment = _optional(given, "comment", MOST_COMMENT).strip()
    event.subject = _optional(given, "subject", MOST_CHARACTERS)
    event.source = _optional(given, "source", 60).strip()
    event.consent = _flag(given.get("consent"), "consent")
    event.language = _optional(given, "language", 10)
    if event.language and not _LANGUAGE.fullmatch(event.language):
        raise InvalidInput(_("A language is a code such as “en” or “zh-hans”."), field="language")
    if reason := _optional(given, "reason", MOST_CHOICE).strip():
        event.value["reason"] = reason
    if (at := given.get("at")) is not None:
        event.at = _time(at)


def _time(value: Any) -> datetime:
    refusal = InvalidInput(_("A time is written as 2026-01-31T12:00:00Z."), field="at")
    try:
        at = datetime.fromisoformat(_string(value, "at", 40))
        at = at.astimezone(UTC) if at.tzinfo else at
    except (ValueError, OverflowError):
        raise refusal from None
    if at.tzinfo is None:
        raise refusal
    now = timezone.now()
    if not FIRST_DAY <= at <= now + CLOCKS_DIFFER:
        raise InvalidInput(_("This time lies in the future, or before the year 2000."), field="at")
    return min(at, now)


# --- what one kind of event has of its own ------------------------------------------------------------


def _nothing(given: Mapping[str, Any], event: Event) -> None:
    pass


def _thumb(given: Mapping[str, Any], event: Event) -> None:
    event.up = _flag(given.get("up"), "up")
    if event.up is None:
        raise InvalidInput(_("A thumb is up (true) or not (false)."), field="up")
    event.value["up"] = event.up


def _rating(given: Mapping[str, Any], event: Event) -> None:
    most = _number(given.get("of", 5), "of", 2, 100, whole=True)
    rating = _number(given.get("rating"), "rating", 0, most)
    event.value |= {"rating": _plain(rating), "of": _plain(most)}
    middle = (most + 1) / 2
    event.up = None if rating == middle else rating > middle


def _label(given: Mapping[str, Any], event: Event) -> None:
    one, many = given.get("label"), given.get("labels")
    if (one is None) == (many is None):
        raise InvalidInput(_("Name the label it should have been, or several as “labels”."), field="label")
    if many is None:
        event.labels = [_name(one, "label")]
        return
    if not isinstance(many, list) or len(many) > MOST_LABELS:
        raise InvalidInput(_("“labels” is a list of up to %(most)d names.") % {"most": MOST_LABELS}, field="labels")
    event.several = True
    event.labels = list(dict.fromkeys(_name(name, f"labels[{place}]") for place, name in enumerate(many)))


def _spans(given: Mapping[str, Any], event: Event) -> None:
    spans = given.get("spans")
    if not isinstance(spans, list) or len(spans) > MOST_SPANS:
        raise InvalidInput(_("“spans” is a list of {start, end, label, quote}."), field="spans")
    event.spans = [_span(span, f"spans[{place}]") for place, span in enumerate(spans)]


def _span(given: Any, name: str) -> dict[str, Any]:
    """Whether it lies in the text is seen when the text is known."""
    if not isinstance(given, dict) or given.keys() - {"start", "end", "label", "quote"}:
        raise InvalidInput(_("A span is {start, end, label, quote}."), field=name)
    quote = given.get("quote")
    return {
        **{at: int(_number(given.get(at), f"{name}.{at}", 0, MAX_TEXT, whole=True)) for at in ("start", "end")},
        "label": _name(given.get("label"), f"{name}.label"),
        "quote": None if quote is None else _string(quote, f"{name}.quote", MAX_TEXT),
    }


def _comment(given: Mapping[str, Any], event: Event) -> None:
    event.up = _flag(given.get("up"), "up")
    if not event.comment and "reason" not in event.value:
        raise InvalidInput(_("A comment has words: “comment”, or a “reason”."), field="comment")


def _answer(given: Mapping[str, Any], event: Event) -> None:
    event.value |= {name: _string(given.get(name), name, 200) for name in ("survey", "question")}
    event.value["answer"] = _said(given.get("answer"))


def _said(answer: Any) -> Any:
    """A text is somebody's words and needs consent; a list is what they ticked and does not."""
    if isinstance(answer, list) and len(answer) <= MOST_LABELS:
        return [_string(each, f"answer[{place}]", MOST_CHOICE) for place, each in enumerate(answer)]
    if isinstance(answer, bool):
        return answer
    if isinstance(answer, int | float):
        return _plain(_number(answer, "answer", -(2**53), 2**53))
    return _string(answer, "answer", MOST_COMMENT)


def _dwell(given: Mapping[str, Any], event: Event) -> None:
    event.value["ms"] = int(_number(given.get("ms"), "ms", 0, LONGEST_DWELL))


_READ: dict[str, Callable[[Mapping[str, Any], Event], None]] = {
    Kind.THUMB: _thumb,
    Kind.RATING: _rating,
    Kind.LABEL: _label,
    Kind.SPANS: _spans,
    Kind.COMMENT: _comment,
    Kind.ANSWER: _answer,
    Kind.DWELL: _dwell,
}

# --- single values ------------------------------------------------------------------------------------


def _optional(given: Mapping[str, Any], name: str, most: int) -> str:
    value = given.get(name)
    return "" if value is None else _string(value, name, most)


def _string(value: Any, name: str, most: int) -> str:
    if not isinstance(value, str):
        raise InvalidInput(_("“%(field)s” is a string.") % {"field": name}, field=name)
    if len(value) > most:
        raise InvalidInput(_("“%(field)s” may have %(most)d characters.") % {"field": name, "most": most}, field=name)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidInput(_("“%(field)s” holds half a character.") % {"field": name}, field=name) from None
    if "\x00" in value:
        raise InvalidInput(_("“%(field)s” holds a NUL character.") % {"field": name}, field=name)
    return value


def _name(value: Any, name: str) -> str:
    found = _string(value, name, MOST_NAME).strip()
    if not found:
        raise InvalidInput(_("A label has no name."), field=name)
    return found


def _flag(value: Any, name: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise InvalidInput(_("“%(field)s” is true or false.") % {"field": name}, field=name)


def _number(value: Any, name: str, least: float, most: float, *, whole: bool = False) -> float:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
    if not fits or not math.isfinite(value) or (whole and value != int(value)):
        sentence = (
            _("“%(field)s” is a whole number from %(least)s to %(most)s.")
            if whole
            else _("“%(field)s” is a number from %(least)s to %(most)s.")
        )
        raise InvalidInput(sentence % {"field": name, "least": _plain(least), "most": _plain(most)}, field=name)
    return float(value)


def _plain(number: float) -> float | int:
    return int(number) if number == int(number) else number
