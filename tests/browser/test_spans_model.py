"""The model of marked texts, driven in a browser with texts that nobody would write, judged by Python."""

from collections.abc import Iterator
from typing import Any

import pytest
import regex
from playwright.sync_api import Browser, Page

from apps.annotation.services.values import checked, text_hash
from apps.projects.models import Label, Project
from tests.bench.server import ROOT
from tests.browser.spans_page import hard_texts, load_model

# What hands do, drawn by lot: steps and selections by keyboard, pulls of the pointer to any UTF-16 offset, marking,
# another label, other ends, deleting, taking back. Returns the answer as it would be sent.
DRIVE = """
({ texts, labels, overlapping, fallback, seed }) => {
  let state = seed;
  const draw = (n) => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return Math.floor(state / 4294967296 * n); };
  return texts.map((given) => {
    const text = new Marginalia.label.SpanText(given, { fallback });
    const marks = new Marginalia.label.SpanMarks(text, { overlapping });
    const acts = [
      () => marks.step(draw(2) ? 1 : -1, draw(2) ? "word" : "character", Boolean(draw(2))),
      () => marks.step(1, "character", true),
      () => marks.step(draw(2) ? 1 : -1, "word", true),
      () => marks.choose(draw(given.length + 1), draw(given.length + 1)),
      () => marks.place(draw(given.length + 1)),
      () => marks.mark(labels[draw(labels.length)]),
      () => marks.mark(labels[draw(labels.length)]),
      () => marks.hop(draw(2) ? 1 : -1),
      () => (draw(4) ? null : marks.remove()),
      () => (draw(4) ? null : marks.undo()),
    ];
    for (let n = 0; n < 60; n += 1) acts[draw(acts.length)]();
    return marks.value();
  });
}
"""


@pytest.fixture
def bare(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    load_model(page)
    yield page
    context.close()


@pytest.mark.parametrize("overlapping", [False, True], ids=["apart", "overlapping"])
@pytest.mark.parametrize("fallback", [False, True], ids=["Intl.Segmenter", "without"])
def test_what_is_marked_in_any_text_is_what_the_server_reads(
    bare: Page, project: Project, overlapping: bool, fallback: bool
) -> None:
    project.task_kind, project.overlapping = Project.TaskKind.SPANS, overlapping
    project.save()
    labels = list(Label.objects.filter(project=project).values_list("pk", flat=True))
    texts = hard_texts(150, seed=5)
    given = {"texts": texts, "labels": labels, "overlapping": overlapping, "fallback": fallback, "seed": 11}
    answers: list[list[dict[str, Any]]] = bare.evaluate(DRIVE, given)
    assert sum(map(len, answers)) > 100
    for text, spans in zip(texts, answers, strict=True):
        for span in spans:
            assert text[span["start"] : span["end"]] == span["quote"]
        # the server takes it as it is: known labels, whole characters, no overlap where none is allowed
        value = checked(project, text, {"spans": spans, "text_hash": text_hash(text)})
        assert _parts(value["spans"]) == _parts(spans)


@pytest.mark.parametrize("fallback", [False, True], ids=["Intl.Segmenter", "without"])
def test_no_place_the_browser_offers_lies_inside_a_character_of_the_server(bare: Page, fallback: bool) -> None:
    texts = hard_texts(400, seed=9, longest=25)
    script = """
      ({ texts, fallback }) => texts.map((given) => {
        const text = new Marginalia.label.SpanText(given, { fallback });
        const places = [...Array(given.length + 1).keys()].filter((at) => text.edge(at));
        const walked = [0];
        while (walked.at(-1) < given.length) walked.push(text.after(walked.at(-1)));
        const back = [given.length];
        while (back[0] > 0) back.unshift(text.before(back[0]));
        return [places, walked, back].map((all) => all.map((at) => text.toPoints(at)));
      })
    """
    for text, (places, walked, back) in zip(
        texts, bare.evaluate(script, {"texts": texts, "fallback": fallback}), strict=True
    ):
        stops = {0} | {match.end() for match in regex.finditer(r"\X", text)}
        assert set(places) <= stops
        assert places == walked == back


def test_code_points_and_utf16_lead_to_each_other(bare: Page) -> None:
    texts = hard_texts(100, seed=3)
    script = """
      (texts) => texts.map((given) => {
        const text = new Marginalia.label.SpanText(given);
        return Array.from([...given].keys(), (points) => [text.toPoints(text.toUnits(points)), text.toUnits(points)]);
      })
    """
    for text, found in zip(texts, bare.evaluate(script, texts), strict=True):
        wanted, units = [], 0
        for points, letter in enumerate(text):
            wanted.append([points, units])
            units += 2 if ord(letter) > 0xFFFF else 1
        assert found == wanted


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("en", "My card, please.", ["My", "card", "please"]),
        ("zh", "上海和广州。", ["上海", "和", "广州"]),
        ("no such language", "e\u0301t e\u0301t", ["e\u0301t", "e\u0301t"]),
    ],
)
def test_words_are_those_of_the_language(bare: Page, language: str, text: str, words: list[str]) -> None:
    script = """
      ([language, given]) => {
        const text = new Marginalia.label.SpanText(given, { language });
        const found = [];
        let at = text.word(0).wordLike ? 0 : text.wordStartAfter(0);
        while (at < given.length) { const word = text.word(at); found.push(given.slice(word.start, word.end)); at = text.wordStartAfter(at); }
        return found;
      }
    """
    assert bare.evaluate(script, [language, text]) == words


def test_an_end_stops_behind_words_and_a_start_before_them(bare: Page) -> None:
    script = """
      () => {
        const marks = new Marginalia.label.SpanMarks(new Marginalia.label.SpanText("one two, three four"));
        const seen = [];
        const step = (direction) => { marks.step(direction, "word", true); seen.push(marks.text.slice(marks.range)); };
        marks.place(4);
        for (const direction of [1, 1, 1, -1, -1, -1]) step(direction);
        marks.place(14);
        for (const direction of [-1, -1, 1]) step(direction);
        return seen;
      }
    """
    assert bare.evaluate(script) == [
        "two",
        "two, three",
        "two, three four",
        "two, three",
        "two",
        "",
        "three",
        "two, three",
        "three",
    ]


def _parts(spans: list[dict[str, Any]]) -> set[tuple[int, int, int]]:
    return {(span["start"], span["end"], span["label"]) for span in spans}


# Marks come and go by lot; after each the segments must look as if they had been made anew, and those that the change
# does not touch must be the nodes that they were.
REPAINT = """
({ given, seed }) => {
  let state = seed;
  const draw = (n) => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return Math.floor(state / 4294967296 * n); };
  const { SpanText, SpanMarks, SpanSegments } = Marginalia.label;
  const reading = (words) => { const made = document.createElement("p"); made.textContent = words; return made; };
  const colour = (id) => id;
  const marks = new SpanMarks(new SpanText(given), { overlapping: true });
  const here = reading(given);
  const paint = new SpanSegments(here);
  const faults = [];
  let least = 1;
  for (let n = 0; n < 80; n += 1) {
    const before = new Set(here.childNodes);
    if (draw(5) || !marks.spans.length) { const at = draw(given.length); marks.choose(at, Math.min(given.length, at + 1 + draw(12))); marks.mark(1 + draw(3)); }
    else if (draw(3)) { marks.hop(1); marks.remove(); } else marks.undo();
    paint.paint(marks.spans, colour, null, null);
    const anew = reading(given);
    new SpanSegments(anew).paint(marks.spans, colour, null, null);
    if (here.innerHTML !== anew.innerHTML) faults.push(`after ${n}: ${here.innerHTML} is not ${anew.innerHTML}`);
    for (const at of [0, draw(given.length), given.length]) {
      const [node, offset] = paint.point(at);
      if (paint.offset(node, offset) !== at || SpanSegments.count(here, node, offset) !== at) faults.push(`${at} is not where it is`);
    }
    if (n === 79) least = [...here.childNodes].filter((node) => before.has(node)).length / before.size;
  }
  paint.forget();
  if (here.innerHTML !== reading(given).innerHTML) faults.push("something stays");
  return { faults, least };
}
"""


@pytest.mark.parametrize("given", ["wörter 👍🏽 und e\u0301 北京 عربي\n" * 20, *hard_texts(4, seed=3)])
def test_segments_change_where_marks_do_and_nowhere_else(bare: Page, given: str) -> None:
    bare.add_script_tag(path=str(ROOT / "static/js/label_spans_paint.js"))
    found = bare.evaluate(REPAINT, {"given": given, "seed": 3})
    assert found["faults"] == []
    if len(given) > 100:
        assert found["least"] > 0.5
