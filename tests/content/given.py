"""Real texts with people's truths, in the shape that an export hands to the writers."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
DEMO = ROOT / "apps" / "config" / "demo"
BANK, WNUT = DEMO / "banking77.csv", DEMO / "wnut17.conll"

Row = dict[str, Any]

# emoji families, flags, signs outside the first plane, combining marks, Chinese, line ends, right to left
ODD = "👨‍👩‍👧‍👦 in 東京 🇩🇪\nKo\u0308ln か\u3099 𠮷野家\t«שלום» a\u0301b"
ODD_QUOTES = ("👨‍👩‍👧‍👦", "東京", "Ko\u0308ln", "か\u3099", "𠮷野", "שלום", "a\u0301b")


def odd_row(number: int) -> Row:
    spans = [
        {"start": ODD.index(quote), "end": ODD.index(quote) + len(quote), "label": f"a kind {place % 2}"}
        for place, quote in enumerate(ODD_QUOTES)
    ]
    row = _row(number, ODD) | {"spans": spans, "labels": ["é ü", "two words"]}
    return row | {
        "meta": {"a": [1, {"b": "“q”"}]},
        "thread": "talk 7",
        "url": "https://example.org/a?b=1",
        "split": "pool",
    }


def _row(number: int, text: str) -> Row:
    return {"id": number, "external_id": f"e{number}", "text": text, "language": "en", "subject": "p-1", "meta": {}}


def bank(most: int = 300) -> list[Row]:
    with BANK.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:most]
    return [_row(n, row["text"]) | {"labels": [row["label"]]} for n, row in enumerate(rows)]


def messages(most: int = 300) -> list[Row]:
    """Several labels a text."""
    lines = (DEMO / "nlupp_banking.jsonl").read_text(encoding="utf-8").splitlines()[:most]
    found = [json.loads(line) for line in lines]
    rows = [_row(n, one["text"]) | {"labels": list(dict.fromkeys(one["labels"]))} for n, one in enumerate(found)]
    return [*rows, odd_row(len(rows))]


def slots(most: int = 300) -> list[Row]:
    """Spans. Some overlap in it; the later ones are dropped here. The demonstration ships these texts without spans."""
    file = SHARED / "nlupp_banking.jsonl"
    if not file.exists():
        pytest.skip("the spans of NLU++ are in the shared data, which are not here; posts are read all the same")
    lines = file.read_text(encoding="utf-8").splitlines()[:most]
    rows = []
    for n, found in enumerate(map(json.loads, lines)):
        spans: list[Row] = []
        for span in sorted(found["spans"], key=lambda one: (one["start"], one["end"])):
            if not spans or span["start"] >= spans[-1]["end"]:
                spans.append({name: span[name] for name in ("start", "end", "label")})
        rows.append(_row(n, found["text"]) | {"spans": spans})
    return [*rows, odd_row(len(rows))]
