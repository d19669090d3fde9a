"""Rows of Served as the API tells them, and what a request may hold."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from apps.common.errors import InvalidInput
from apps.projects.models import Project
from apps.projects.subjects import MOST_CHARACTERS
from apps.registry.models import ModelVersion
from apps.serving import queries
from apps.serving.models import Served
from apps.serving.services.predicting import MOST_TEXTS, Asked

MOST = {"external_id": 200, "subject": MOST_CHARACTERS, "language": 10}


def asked(body: Any) -> tuple[list[Asked], bool]:
    """(what is asked, consent) from {"text"}, {"texts"} or {"items"}. By hand: 500 serializers would take longer than
    the model. Raises InvalidInput that names the place."""
    if not isinstance(body, dict):
        raise InvalidInput(_("Send an object with “text”, “texts” or “items”."))
    given = [name for name in ("text", "texts", "items") if name in body]
    if len(given) != 1:
        raise InvalidInput(_("Send one of “text”, “texts” and “items”."), field="texts")
    consent = body.get("consent", False)
    if not isinstance(consent, bool):
        raise InvalidInput(_("“consent” is true or false."), field="consent")
    found = [body["text"]] if given[0] == "text" else body[given[0]]
    if not isinstance(found, list):
        raise InvalidInput(_("“%(name)s” is a list.") % {"name": given[0]}, field=given[0])
    if len(found) > MOST_TEXTS:
        sentence = _("%(n)d texts are too many for one request; send at most %(most)d.")
        raise InvalidInput(sentence % {"n": len(found), "most": MOST_TEXTS}, field=given[0])
    return [_one(each, given[0], place) for place, each in enumerate(found)], consent


def _one(each: Any, name: str, place: int) -> Asked:
    if isinstance(each, str) and name != "items":
        return Asked(_clean(each, f"{name}.{place}"))
    if name != "items" or not isinstance(each, dict):
        raise InvalidInput(_("A text is a string."), field=f"{name}.{place}")
    if not isinstance(each.get("text"), str):
        raise InvalidInput(_("Every item needs a “text”."), field=f"items.{place}.text")
    values = {key: each.get(key, "") for key in MOST}
    for key, value in values.items():
        if not isinstance(value, str) or len(value) > MOST[key]:
            sentence = _("“%(key)s” is a string of at most %(most)d characters.") % {"key": key, "most": MOST[key]}
            raise InvalidInput(sentence, field=f"items.{place}.{key}")
        _clean(value, f"items.{place}.{key}")
    return Asked(_clean(each["text"], f"items.{place}.text"), **values)


def _clean(text: str, field: str) -> str:
    """Neither the database nor the wire carries these."""
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text if sign > "\ud7ff"):
        raise InvalidInput(_("This text holds characters that are no text (NUL, or half of a pair)."), field=field)
    return text


def answers(rows: Sequence[Served], texts: Sequence[str]) -> dict[str, Any]:
    """One request's rows, which one version answered."""
    version = rows[0].version
    labels = queries.labels_of(version)
    names = dict(labels)
    return {
        "version": version.number,
        "task": version.task,
        "labels": [{"id": pk, "name": name} for pk, name in labels],
        "results": [
            {"id": str(row.pk), "external_id": row.external_id} | said(row, version, names, text)
            for row, text in zip(rows, texts, strict=True)
        ],
    }


def said(row: Served, version: ModelVersion, names: Mapping[int, str], text: str = "") -> dict[str, Any]:
    """The answer itself, in the words of the task kind."""
    told: dict[str, Any] = {"confidence": round(row.confidence, 6)}
    if version.task == Project.TaskKind.SPANS:
        return told | {"spans": [_span(span, names, text) for span in (row.value or {}).get("spans", [])]}
    told["probabilities"] = [round(number, 6) for number in row.probabilities or []]
    if version.task == Project.TaskKind.MULTI:
        return told | {"labels": [names.get(pk, "") for pk in (row.value or {}).get("labels", [])]}
    return told | {
        "label": names.get(row.label_id or 0),
        "shown": names.get(row.shown_id) if row.shown_id else None,
        "propensity": row.propensity,
    }


def _span(span: dict[str, Any], names: Mapping[int, str], text: str) -> dict[str, Any]:
    told = {"start": span["start"], "end": span["end"], "label": names.get(span["label"], ""), "score": span["score"]}
    return told | {"quote": text[span["start"] : span["end"]]} if text else told
