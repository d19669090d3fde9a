"""Answers that are more than one label: several labels, or spans of the text. Checked, and brought into one form."""

import hashlib
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, TypeGuard

import regex
from django.utils.translation import gettext as _

from apps.common.errors import InvalidInput
from apps.projects.models import Project

MOST_SPANS = 2_000

Parts = frozenset[Any]  # of several labels: ids; of spans: (start, end, label)


def checked(project: Project, text: str, given: Any) -> dict[str, Any]:
    """The canonical value of what a person or program gave; InvalidInput says what is wrong with it.

    Several labels: {"labels": [id …]}, sorted, each once. Spans: {"spans": [{"start", "end", "label", "quote"} …],
    "text_hash"}, by place, ends in code points of `text`. Either the quotes or the hash must have been given: they
    prove that the offsets were counted in this very text.
    """
    if not isinstance(given, dict):
        raise InvalidInput(_("The answer is not of the form that this project takes."), field="value")
    if project.task_kind == Project.TaskKind.MULTI:
        return _labels(project, given)
    if project.task_kind == Project.TaskKind.SPANS:
        return _spans(project, text, given)
    raise InvalidInput(_("An answer in this project is one label."), field="value")


def parts(value: dict[str, Any] | None) -> Parts | None:
    """What is compared between two values; None for none. Forgives what `checked` would refuse."""
    if value is None:
        return None
    try:
        if "labels" in value:
            return frozenset(value["labels"])
        return frozenset((span["start"], span["end"], span["label"]) for span in value["spans"])
    except (KeyError, TypeError):
        return None


def said_by(found: Parts, value: dict[str, Any]) -> dict[str, Any]:
    """`value`'s kind with just these parts, as a truth is stored. Quotes come from the spans of `value`."""
    if "labels" in value:
        return {"labels": sorted(found)}
    spans = {(span["start"], span["end"], span["label"]): span for span in value["spans"]}
    return {"spans": [spans[key] for key in sorted(found)]}


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _labels(project: Project, given: dict[str, Any]) -> dict[str, Any]:
    labels = given.get("labels")
    if not isinstance(labels, list) or not all(_is_number(label) for label in labels):
        raise InvalidInput(_("Name the labels as a list; an empty one says that none of them fits."), field="value")
    _known(project, labels)
    return {"labels": sorted(set(labels))}


def _spans(project: Project, text: str, given: dict[str, Any]) -> dict[str, Any]:
    spans = given.get("spans")
    if not isinstance(spans, list) or not all(isinstance(span, dict) for span in spans):
        raise InvalidInput(
            _("Name the spans as a list; an empty one says that there is nothing to mark."), field="value"
        )
    if len(spans) > MOST_SPANS:
        raise InvalidInput(_("A text may have %(most)d spans.") % {"most": MOST_SPANS}, field="value")
    own, theirs = text_hash(text), given.get("text_hash")
    if theirs and theirs != own:
        raise InvalidInput(
            _("These spans were marked in another text. Load the page again; nothing was stored."), field="value"
        )
    if not theirs and not all("quote" in span for span in spans):
        raise InvalidInput(_("Send the hash of the text, or each span's quote."), field="value")
    marked = {(span["start"], span["end"], span["label"]): span for span in (_span(each, text) for each in spans)}
    ordered = [marked[key] for key in sorted(marked)]
    _known(project, [span["label"] for span in ordered])
    _whole_characters(text, ordered)
    if not project.overlapping:
        _apart(ordered)
    return {"spans": ordered, "text_hash": own}


def _span(given: dict[str, Any], text: str) -> dict[str, Any]:
    start, end, label = given.get("start"), given.get("end"), given.get("label")
    if not (_is_number(start) and _is_number(end) and _is_number(label)):
        raise InvalidInput(_("A span needs a start, an end and a label, each a number."), field="value")
    if not 0 <= start < end <= len(text):
        raise InvalidInput(
            _("The span from %(start)d to %(end)d does not lie in the text.") % {"start": start, "end": end},
            field="value",
        )
    quote = text[start:end]
    if given.get("quote", quote) != quote:
        raise InvalidInput(
            _("The span from %(start)d to %(end)d quotes “%(given)s”, but the text says “%(quote)s” there.")
            % {"start": start, "end": end, "given": str(given["quote"])[:80], "quote": quote[:80]},
            field="value",
        )
    return {"start": start, "end": end, "label": label, "quote": quote}


def _whole_characters(text: str, spans: list[dict[str, Any]]) -> None:
    """No end lies inside what a reader sees as one character: a letter with its marks, a family, a flag."""
    if not spans or (text.isascii() and "\r" not in text):
        return
    stops = {0} | {match.end() for match in regex.finditer(r"\X", text)}
    for span in spans:
        if not (span["start"] in stops and span["end"] in stops):
            raise InvalidInput(
                _("The span “%(quote)s” cuts a character in two. Mark the whole of it.")
                % {"quote": span["quote"][:80]},
                field="value",
            )


def _apart(ordered: list[dict[str, Any]]) -> None:
    for before, after in pairwise(ordered):
        if after["start"] < before["end"]:
            raise InvalidInput(
                _("“%(a)s” and “%(b)s” overlap, which this project does not allow.")
                % {"a": before["quote"][:80], "b": after["quote"][:80]},
                field="value",
            )


def _known(project: Project, labels: Iterable[int]) -> None:
    wanted = set(labels)
    if wanted and wanted - set(project.labels.filter(pk__in=wanted, archived_at=None).values_list("pk", flat=True)):
        raise InvalidInput(_("This project has no such label, or it was archived."), field="value")


def _is_number(given: Any) -> TypeGuard[int]:
    return isinstance(given, int) and not isinstance(given, bool) and 0 <= given < 2**63
