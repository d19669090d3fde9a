"""Which tool a file came from, by what its first lines hold. A guess that the person may correct."""

from collections import Counter
from io import BytesIO
from itertools import islice
from typing import Any

import orjson

from apps.content.formats import conll, doccano, fasttext, labelstudio, prodigy, spacy
from apps.content.formats.records import json_list

_ENOUGH = 20  # records looked at
_JSON = (("labelstudio", labelstudio), ("spacy", spacy), ("prodigy", prodigy), ("doccano", doccano))


def sniff(text: str) -> str:
    """A name of formats.KINDS, or nothing: then it is a table, or JSON Lines of nobody in particular."""
    start = text.lstrip()
    if start.startswith("["):
        return _of_a_list(start)
    lines = text.split("\n", 300)[:-1] or [text]
    if start.startswith("{"):
        return _most([_tool(found) for line in lines[:100] if (found := _json(line)) is not None][:_ENOUGH])
    if fasttext.looks_like(lines):
        return "fasttext"
    return "conll" if conll.looks_like(lines) else ""


def _of_a_list(start: str) -> str:
    first = _json(start.split("\n", 1)[0])
    if spacy.is_one(first):
        return "spacy"  # a pair on each line
    found = [each for _number, each, wrong in islice(json_list(BytesIO(start.encode("utf-8", "replace"))), _ENOUGH)]
    found = [each for each in found if each is not None]
    if found and all(isinstance(each, dict) for each in found):
        return _most([_tool(each) for each in found]) or "json"
    return _most([_tool(each) for each in found])


def _json(line: str) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _tool(found: Any) -> str:
    return next((name for name, tool in _JSON if tool.is_one(found)), "")


def _most(names: list[str]) -> str:
    """doccano and Prodigy leave out what nobody has said: a third that speaks plainly is enough."""
    known = Counter(name for name in names if name).most_common(1)
    return known[0][0] if known and known[0][1] * 3 >= len(names) else ""
