"""The only writer of signals. What is acknowledged is committed; what was sent before is stored once.

Each request is one INSERT, committed by itself: a transaction around it would cost two more round trips and protect
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.errors import InvalidInput
from apps.common.numbers import listed
from apps.common.rows import rows
from apps.content import truths
from apps.content.refusal import Rejected
from apps.feedback import intake_queries as queries
from apps.feedback.intake_checks import Event, Kind, event_of
from apps.feedback.intake_queries import About, Known
from apps.feedback.models import IntakeKey, Signal
from apps.projects.models import Project
from apps.projects.subjects import pseudonym

MOST_EVENTS = 500
TRIES = 3

_COLUMNS = """
key_id bigint, event text, kind text, polarity smallint, served_id uuid, item_id bigint, version_id bigint, text text,
predicted_id bigint, wanted_id bigint, confidence float8, value jsonb, comment text, subject text, address text,
consent boolean, language text, source text, occurred_at timestamptz, received_at timestamptz
"""
_NAMES = ", ".join(column.split()[0] for column in _COLUMNS.split(","))
_INSERT = f"""
INSERT INTO feedback_signal (project_id, state, why_aside, text_hash, {_NAMES})
SELECT %(project)s, 'new', '', decode(text_hash, 'hex'), {_NAMES}
FROM jsonb_to_recordset(%(rows)s::jsonb) AS row (text_hash text, {_COLUMNS})
ON CONFLICT (project_id, event) DO NOTHING RETURNING event
"""  # noqa: S608 - made of the constants above
_STORED_AS = """
SELECT event, kind, key_id FROM feedback_signal WHERE project_id = %(project)s AND event = ANY(%(events)s)
"""


@dataclass(frozen=True, slots=True)
class Receipt:
    id: str  # of the event, as the client named it or as it was named here
    note: str = ""  # what could not be kept of it, in words
    refusal: InvalidInput | None = None  # then nothing of it is stored
    repeated: bool = False  # it was here before


class _Row(NamedTuple):
    values: dict[str, Any]
    note: str


def receive(
    key: IntakeKey | None, project: Project, events: Sequence[Any], *, address: str = "", source: str = "api"
) -> list[Receipt]:
    """Stores the good ones and says of each of the others, at its place, why not.

    `events` as clients send them (README, "From your product"); `address` is the pseudonym of the network address.
    """
    for left in reversed(range(TRIES)):
        try:
            return _receive(key, project, events, address, source)
        except IntegrityError:
            # a prediction, item or version was forgotten between looking it up and storing: look again
            if not left:
                raise
    raise AssertionError("unreachable")


def _receive(
    key: IntakeKey | None, project: Project, events: Sequence[Any], address: str, source: str
) -> list[Receipt]:
    read = [_read(given) for given in events]
    known = queries.known(project, [event for event in read if isinstance(event, Event)])
    made = [_row(event, project, known) if isinstance(event, Event) else event for event in read]
    now = timezone.now()
    common = {"key_id": key.pk if key else None, "address": address, "received_at": now}
    good = [
        {"source": source, "occurred_at": now} | {name: value for name, value in row.values.items() if value != ""}
        for row in made
        if isinstance(row, _Row)
    ]
    repeats = _store(project, [_BLANK | common | values for values in good])
    return [_receipt(row, repeats) for row in made]


def record(
    project: Project,
    *,
    event: str,
    kind: Signal.Kind,
    value: dict[str, Any] | None = None,
    comment: str = "",
    polarity: int = 0,
    subject: str = "",
    item: int | None = None,
    language: str = "",
    source: str = "",
    at: datetime | None = None,
) -> bool:
    """One signal of our own making (a survey's answer). `subject` is a pseudonym already. False: it was here before."""
    now = timezone.now()
    values = {
        **{"event": event, "kind": kind, "value": value, "comment": comment, "polarity": polarity, "subject": subject},
        **{"item_id": item, "language": language, "source": source, "consent": True},
        **{"occurred_at": at or now, "received_at": now},
    }
    return not _store(project, [_BLANK | values])


# --- one event --------------------------------------------------------------------------------------------

_BLANK: dict[str, Any] = {
    **dict.fromkeys(("key_id", "served_id", "item_id", "version_id", "text_hash", "predicted_id", "wanted_id")),
    **dict.fromkeys(("confidence", "value")),
    **dict.fromkeys(("text", "comment", "subject", "address", "language", "source"), ""),
    **{"polarity": 0, "consent": False},
}


def _read(given: Any) -> Event | Receipt:
    try:
        return event_of(given)
    except InvalidInput as refusal:
        sent = given.get("id") if isinstance(given, dict) else None
        return Receipt(sent if isinstance(sent, str) and refusal.field != "id" else "", refusal=refusal)


def _row(event: Event, project: Project, known: Known) -> _Row | Receipt:
    about, notes = known.about(event), list[str]()
    try:
        _refuse_what_points_nowhere(event, about, known)
        consent = about.consent if event.consent is None else event.consent
        _refuse_words_without_consent(event, consent)
        value, wanted, polarity = _opinion(event, about, known, consent, notes)
    except InvalidInput as refusal:
        return Receipt(event.id, refusal=refusal)
    if event.prediction is not None and about.served is None:
        notes.append(_("This prediction is not known, or not any more; the event is kept without it."))
    if event.comment and not consent:
        notes.append(_("The comment is not kept: there was no consent."))
    predicted = about.predicted
    if predicted is None and event.predicted in known.labels:
        predicted = known.labels[event.predicted][0]
    text = _lf(event.text) or about.text
    values = {
        **{"event": event.id, "kind": event.kind, "polarity": polarity, "consent": consent, "value": value or None},
        **{"served_id": about.served, "item_id": about.item, "version_id": about.version},
        **{"predicted_id": predicted, "wanted_id": wanted},
        "confidence": about.confidence if about.confidence is not None else event.confidence,
        "text": text if consent else "",
        "text_hash": (about.text_hash or (queries.text_hash(text) if text else b"")).hex() or None,
        "comment": event.comment if consent else "",
        "subject": pseudonym(project, event.subject) or about.subject,
        "language": event.language or about.language,
        "source": event.source,
        "occurred_at": event.at or "",
    }
    return _Row(values, " ".join(notes))


def _refuse_what_points_nowhere(event: Event, about: About, known: Known) -> None:
    if event.version is not None and event.version not in known.versions:
        raise InvalidInput(_("This project has no version %(n)d.") % {"n": event.version}, field="version")
    if event.item and not event.text and event.prediction is None and about.item is None and about.served is None:
        sentence = _("Nothing here has this id. Send the text as well, or import the item first.")
        raise InvalidInput(sentence, field="item")


def _refuse_words_without_consent(event: Event, consent: bool) -> None:
    """Words that are the whole event must not vanish silently; those beside a thumb may be left out with a note."""
    words = event.kind == Kind.ANSWER and isinstance(event.value["answer"], str)
    words = words or (event.kind == Kind.COMMENT and "reason" not in event.value)
    if words and not consent:
        raise InvalidInput(_("Somebody's own words are kept only with “consent”: true."), field="consent")


def _opinion(
    event: Event, about: About, known: Known, consent: bool, notes: list[str]
) -> tuple[dict[str, Any], int | None, int]:
    """(value, wanted label, polarity)."""
    if event.labels is not None:
        return _labels(event, about, known, consent, notes)
    if event.spans is not None:
        return _spans(event, about, known, consent)
    return event.value, None, 0 if event.up is None else 1 if event.up else -1


def _labels(
    event: Event, about: About, known: Known, consent: bool, notes: list[str]
) -> tuple[dict[str, Any], int | None, int]:
    names = event.labels or []
    ids = [known.labels[name][0] for name in names if known.labels.get(name, (0, False))[1]]
    strange = [name for name in names if not known.labels.get(name, (0, False))[1]]
    value = dict(event.value)
    if strange:
        # a product may be ahead of the project's labels; what it says is worth reading all the same
        quoted = listed(f"“{name}”" for name in strange)
        if consent:
            value["unknown"] = strange
            notes.append(_("Kept as words, for it is no label of this project: %(names)s.") % {"names": quoted})
        else:
            notes.append(_("No label of this project, and not kept without consent: %(names)s.") % {"names": quoted})
    several = event.several or (about.said is not None and "labels" in about.said)
    if several:
        value["labels"] = ids
        agrees = not strange and about.said is not None and set(about.said.get("labels", ())) == set(ids)
        return value, None, 1 if agrees else -1
    wanted = ids[0] if ids else None
    predicted = about.predicted if about.predicted is not None else known.labels.get(event.predicted, (None,))[0]
    return value, wanted, 1 if wanted is not None and wanted == predicted else -1


def _spans(event: Event, about: About, known: Known, consent: bool) -> tuple[dict[str, Any], int | None, int]:
    raw = event.text or about.text
    if not raw:
        raise InvalidInput(_("Send the text that the spans lie in: it was not kept here."), field="text")
    if event.text and about.text_hash is not None and about.text_hash != queries.text_hash(event.text):
        raise InvalidInput(_("This is not the text that was predicted."), field="text")
    unknown = sorted(
        {span["label"] for span in event.spans or () if not known.labels.get(span["label"], (0, False))[1]}
    )
    if unknown:
        sentence = _("No label of this project: %(names)s.")
        raise InvalidInput(sentence % {"names": listed(f"“{name}”" for name in unknown)}, field="spans")
    try:
        checked = truths.spans_of(event.spans, raw, _lf(raw), overlapping=known.overlapping) or {"spans": []}
    except Rejected as refusal:
        raise InvalidInput(str(refusal), field="spans") from None
    spans = [span | {"label": known.labels[span["label"]][0]} for span in checked["spans"]]
    agrees = about.said is not None and _places(spans) == _places(about.said.get("spans", []))
    if not consent:
        spans = [{name: span[name] for name in ("start", "end", "label")} for span in spans]
    return event.value | {"spans": spans}, None, 1 if agrees else -1


def _places(spans: Sequence[dict[str, Any]]) -> set[tuple[int, int, int]]:
    return {(span["start"], span["end"], span["label"]) for span in spans}


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


# --- the database --------------------------------------------------------------------------------------------


def _store(project: Project, values: Sequence[dict[str, Any]]) -> dict[str, bool]:
    """The events that were stored before, and of each whether it is the same one."""
    if not values:
        return {}
    stored = {event for (event,) in rows(_INSERT, {"project": project.pk, "rows": orjson.dumps(values).decode()})}
    again = {each["event"]: each for each in values if each["event"] not in stored}
    if not again:
        return {}
    before = rows(_STORED_AS, {"project": project.pk, "events": list(again)})
    return {event: (kind, key) == (again[event]["kind"], again[event]["key_id"]) for event, kind, key in before}


def _receipt(row: _Row | Receipt, repeats: dict[str, bool]) -> Receipt:
    if isinstance(row, Receipt):
        return row
    event = row.values["event"]
    if repeats.get(event, True):
        return Receipt(event, row.note, repeated=event in repeats)
    return Receipt(event, refusal=InvalidInput(_("Another event has this id already. Make a new one."), field="id"))
