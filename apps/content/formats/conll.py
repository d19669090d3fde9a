"""CoNLL: one token and its tag per line, a blank line between two texts. IOB2 and BIOES out, every dialect of them in.

Our own files say the id and the exact text in lines that begin with `#`, the way of CoNLL-U; without them the text
is put together from its tokens.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import orjson
from django.utils.translation import gettext as _

from apps.content.formats.records import Record
from apps.content.formats.tokens import found_in, joined, spans_from_tags, tags_from_spans, tokens_of

MOST_TOKENS = 30_000
_MOST_LINE = 200_000  # bytes; the longest is a whole text in a comment
_SAYS = re.compile(r"# ?([A-Za-z_][\w.]*) ?= ?(.*)", re.DOTALL)
_TAG = re.compile(r"O|[BIESLUMW][-_].+")
_OURS = ("id", "text", "text_json", "split", "language", "subject", "thread", "url", "meta")


class _Sentence:
    def __init__(self) -> None:
        self.first = 0  # its first line
        self.said: dict[str, str] = {}
        self.words: list[tuple[int, list[str]]] = []
        self.problem = ""
        self.problem_line = 0

    def wrong(self, line: int, problem: str) -> None:
        if not self.problem:
            self.problem, self.problem_line = problem, line


def read(file: BinaryIO) -> Iterator[Record]:
    sentence = _Sentence()
    number = 0
    while raw := file.readline(_MOST_LINE + 1):
        number += 1
        if len(raw) > _MOST_LINE:
            sentence.wrong(number, _("This line is longer than a line of CoNLL can be."))
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(_MOST_LINE)
            continue
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            sentence.wrong(number, _("This row holds bytes that are not text in the file's encoding."))
            continue
        if not line.strip():
            yield from _ended(sentence)
            sentence = _Sentence()
        else:
            _add(sentence, number, line)
    yield from _ended(sentence)


def _add(sentence: _Sentence, number: int, line: str) -> None:
    if line.startswith("-DOCSTART-"):
        return
    cells = line.split("\t") if "\t" in line else line.split()
    if line.startswith("#") and not sentence.words and _is_comment(line, cells):
        if says := _SAYS.fullmatch(line):
            sentence.said[says.group(1)] = says.group(2)
        sentence.first = sentence.first or number
        return
    sentence.first = sentence.first or number
    if len(sentence.words) >= MOST_TOKENS:
        sentence.wrong(number, _("No blank line came for %(most)d tokens.") % {"most": MOST_TOKENS})
        return
    if len(cells) < 2 or not cells[0].strip():
        sentence.wrong(number, _("This line is no token with its tag."))
        return
    sentence.words.append((number, [cell.strip() for cell in cells]))


def _is_comment(line: str, cells: list[str]) -> bool:
    """A hash is a token, too, where a tag follows it. A text in a comment may hold tabs and end in anything."""
    if line.startswith("#\t"):
        return False
    return bool(_SAYS.fullmatch(line)) or not _TAG.fullmatch(cells[-1])


def _ended(sentence: _Sentence) -> Iterator[Record]:
    if sentence.problem:
        yield Record(sentence.problem_line, problem=sentence.problem, excerpt=_begins(sentence))
    elif sentence.words:
        yield _record(sentence)


def _begins(sentence: _Sentence) -> str:
    return " ".join(cells[0] for _line, cells in sentence.words[:40])


def _record(sentence: _Sentence) -> Record:
    numbered = all(
        len(cells) > 2 and cells[0] == str(place) for place, (_line, cells) in enumerate(sentence.words, start=1)
    )
    words = [cells[1 if numbered else 0] for _line, cells in sentence.words]
    tags = [cells[2 if numbered and len(cells) < 10 else -1] for _line, cells in sentence.words]
    text = _text(sentence.said)
    places = found_in(text, words) if text is not None else None
    if text is not None and places is None:
        return Record(
            sentence.first, problem=_("The tokens do not stand in the text that the comment gives."), excerpt=text
        )
    if text is None or places is None:
        text, places = joined(words)
    try:
        spans = spans_from_tags(places, tags)
    except ValueError as wrong:
        line, cells = sentence.words[wrong.args[0]]
        return Record(
            line,
            problem=_("“%(tag)s” is no tag: O, or B-, I-, E- or S- with a label.") % {"tag": cells[-1][:40]},
            excerpt=text,
        )
    return Record(sentence.first, {"text": text, "spans": spans} | _others(sentence.said))


def _text(said: Mapping[str, str]) -> str | None:
    if "text_json" in said:
        try:
            text = orjson.loads(said["text_json"])
        except orjson.JSONDecodeError:
            return None
        return text if isinstance(text, str) else None
    return said.get("text")


def _others(said: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: said[name] for name in _OURS[3:] if name in said}
    if name := said.get("id") or said.get("sent_id"):
        found["external_id"] = name
    if "meta" in found:
        try:
            found["meta"] = orjson.loads(found["meta"])
        except orjson.JSONDecodeError:
            found["meta"] = {"meta": found["meta"]}
    return found


def looks_like(lines: list[str]) -> bool:
    """Nearly every line ends with a tag, and more than one sentence's worth of lines says so."""
    tokens = [line for line in lines if line.strip() and not line.startswith(("# ", "-DOCSTART-"))]
    if len(tokens) < 2 or any(len(line) > 1000 for line in tokens[:50]):
        return False
    tagged = sum(
        len(cells := (line.split("\t") if "\t" in line else line.split())) >= 2
        and (bool(_TAG.fullmatch(cells[-1].strip())) or (len(cells) > 3 and bool(_TAG.fullmatch(cells[2]))))
        for line in tokens
    )
    return tagged >= 0.9 * len(tokens) and all("," not in line or "\t" in line or " " in line for line in tokens)


# --- out -----------------------------------------------------------------------------------------------
def write(rows: Iterable[Mapping[str, Any]], *, bioes: bool) -> Iterator[str]:
    for row in rows:
        if row.get("spans") is not None:
            yield _sentence(row, bioes)


def _sentence(row: Mapping[str, Any], bioes: bool) -> str:
    text = row["text"]
    spans, left_out = _tileable(text, row["spans"])
    places = tokens_of(text, [edge for span in spans for edge in (span["start"], span["end"])])
    tags = tags_from_spans(places, spans, bioes=bioes)
    lines = [*_comments(row)]
    lines += [f"# left out: {span['start']}-{span['end']} {_flat(span['label'])}: {why}" for span, why in left_out]
    lines += [f"{text[start:end]}\t{_flat(tag)}" for (start, end), tag in zip(places, tags, strict=True)]
    return "\n".join(lines) + "\n\n"


def _comments(row: Mapping[str, Any]) -> Iterator[str]:
    yield f"# id = {_flat(row['external_id'])}"
    text = row["text"]
    plain = text == text.strip() and text.isprintable()
    yield f"# text = {text}" if plain else f"# text_json = {orjson.dumps(text).decode()}"
    for name in ("split", "language", "subject", "thread", "url"):
        if row.get(name):
            yield f"# {name} = {_flat(row[name])}"
    if row.get("meta"):
        yield f"# meta = {orjson.dumps(row['meta']).decode()}"


def _flat(value: str) -> str:
    return re.sub(r"[\t\r\n]", " ", value)


def _tileable(
    text: str, spans: Iterable[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[tuple[dict[str, Any], str]]]:
    """Tags cannot say two labels for one token, nor mark spaces at a span's ends."""
    kept: list[dict[str, Any]] = []
    left_out = []
    for span in sorted(spans, key=lambda one: (one["start"], one["end"])):
        quote = text[span["start"] : span["end"]]
        start = span["start"] + len(quote) - len(quote.lstrip())
        end = span["end"] - (len(quote) - len(quote.rstrip()))
        if end <= start:
            left_out.append((span, "it holds nothing but spaces"))
        elif kept and start < kept[-1]["end"]:
            left_out.append((span, "it overlaps the span before it"))
        else:
            kept.append({"start": start, "end": end, "label": span["label"]})
    return kept, left_out
