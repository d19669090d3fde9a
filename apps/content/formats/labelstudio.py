"""Label Studio: a JSON list of tasks with `data`, `annotations` and `predictions`.

Its offsets count code points since 2022 and counted UTF-16 units before; each span carries its text, which tells the
two apart.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from django.utils.translation import gettext as _

from apps.content.formats.records import fields
from apps.content.formats.units import from_utf16
from apps.content.refusal import Rejected

_OURS = ("external_id", "split", "language", "subject", "thread", "url")


def is_one(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and isinstance(found.get("data"), dict)
        and any(isinstance(found.get(name), list) for name in ("annotations", "completions", "predictions"))
    )


def convert(task: Any) -> dict[str, Any]:
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        raise Rejected(_("This is no task of Label Studio: it has no “data”."))
    data = dict(task["data"])
    text = _text(data)
    values = {name: data.pop(name, None) for name in _OURS}
    values["external_id"] = values["external_id"] or task.get("id")
    meta = data.pop("meta", {})
    meta = data | (meta if isinstance(meta, dict) else {"meta": meta})
    truth = _truth(task.get("annotations") or task.get("completions") or [], text)
    predicted, score = _prediction(task.get("predictions") or [])
    return fields(
        values | {"text": text, "prediction": predicted, "score": score, "meta": meta or None} | fields(truth)
    )


def _text(data: dict[str, Any]) -> str:
    if isinstance(data.get("text"), str):
        return str(data.pop("text"))
    strings = {name: value for name, value in data.items() if isinstance(value, str) and name not in _OURS}
    if not strings:
        raise Rejected(_("This task has no text in its “data”."))
    return str(data.pop(max(strings, key=lambda name: len(strings[name]))))


def _truth(annotations: Any, text: str) -> dict[str, Any]:
    """What the ground truth says, else what most people say; nothing when two answers are equally frequent."""
    said = [
        one
        for one in annotations
        if isinstance(one, dict) and not one.get("was_cancelled") and isinstance(one.get("result"), list)
    ]
    sure = [one for one in said if one.get("ground_truth")]
    answers = [_answer(one["result"], text) for one in sure or said]
    if not answers:
        return {}
    counted = Counter(orjson.dumps(answer, option=orjson.OPT_SORT_KEYS) for answer in answers).most_common(2)
    if len(counted) == 2 and counted[0][1] == counted[1][1] and not sure:
        return {}
    found: dict[str, Any] = orjson.loads(counted[0][0])
    return found


def _answer(result: list[Any], text: str) -> dict[str, Any]:
    """Of an empty result nobody can tell which question it answers: nothing to mark, and no label that fits."""
    regions = [one for one in result if isinstance(one, dict) and isinstance(one.get("value"), dict)]
    choices = [one["value"]["choices"] for one in regions if isinstance(one["value"].get("choices"), list)]
    marked = [one["value"] for one in regions if isinstance(one["value"].get("labels"), list)]
    answer: dict[str, Any] = {}
    if choices or not result:
        answer["labels"] = list(dict.fromkeys(name for names in choices for name in names))
    if marked or not result:
        answer["spans"] = [span for value in marked for span in _spans(value, text)]
        answer["spans"].sort(key=lambda span: (span["start"], span["end"], str(span["label"])))
    return answer


def _spans(value: dict[str, Any], text: str) -> Iterator[dict[str, Any]]:
    start, end, quote = value.get("start"), value.get("end"), value.get("text")
    if not isinstance(start, int) or not isinstance(end, int):
        raise Rejected(_("The start and end of a span are whole numbers."))
    if isinstance(quote, str) and text[start:end] != quote:
        units = from_utf16(text, [start, end])
        if text[units[0] : units[1]] == quote:
            start, end = units
    for label in value["labels"]:
        yield {"start": start, "end": end, "label": label} | ({"quote": quote} if isinstance(quote, str) else {})


def _prediction(predictions: list[Any]) -> tuple[str | None, float | None]:
    """Of the newest model that names one label."""
    for one in reversed([one for one in predictions if isinstance(one, dict)]):
        for region in one.get("result") or []:
            names = region.get("value", {}).get("choices") if isinstance(region, dict) else None
            if isinstance(names, list) and len(names) == 1:
                score = one.get("score")
                return str(names[0]), score if isinstance(score, int | float) and 0 <= score <= 1 else None
    return None, None


# --- out -----------------------------------------------------------------------------------------------
def write(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    yield b"[\n"
    for number, row in enumerate(rows):
        yield (b",\n" if number else b"") + orjson.dumps(_task(row))
    yield b"\n]\n"


def _task(row: Mapping[str, Any]) -> dict[str, Any]:
    data = {"text": row["text"]} | {name: row[name] for name in _OURS if row.get(name)}
    if row.get("meta"):
        data["meta"] = row["meta"]
    return {
        "id": row["id"],
        "data": data,
        "annotations": [_annotation(row, one) for one in _answers(row)],
        "predictions": [
            {"model_version": f"v{one['version']}", "score": one["confidence"], "result": _result(row["text"], one)}
            for one in row.get("predictions") or []
        ],
    }


def _answers(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The truth, and what each person said besides when that was asked for."""
    said = row.get("answers") or []
    truth = {name: row[name] for name in ("labels", "spans") if row.get(name) is not None}
    sure = bool(said) or row.get("how") == "gold"
    return ([truth | {"ground_truth": sure}] if truth else []) + said


def _annotation(row: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "result": _result(row["text"], answer),
        "was_cancelled": False,
        "ground_truth": bool(answer.get("ground_truth")),
    }
    if answer.get("seconds") is not None:
        made["lead_time"] = answer["seconds"]
    return made


def _result(text: str, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    if answer.get("spans") is not None:
        return [
            _region(
                number,
                "labels",
                {
                    **{"start": span["start"], "end": span["end"], "text": text[span["start"] : span["end"]]},
                    "labels": [span["label"]],
                },
            )
            for number, span in enumerate(answer["spans"], start=1)
        ]
    return [_region(1, "choices", {"choices": list(answer["labels"])})] if answer.get("labels") else []


def _region(number: int, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    name = "label" if kind == "labels" else "choice"
    return {"id": f"r{number}", "from_name": name, "to_name": "text", "type": kind, "value": value}
