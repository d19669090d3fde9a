import json

import numpy as np
import pytest

from workers.learning import evaluate as ev
from workers.learning.types import LearningError, Span

KINDS = ["PER", "LOC", "ORG"]


def random_spans(rng, length):
    """Spans over words that do not overlap, as (first word, word after, kind)."""
    found, at = [], 0
    while at < length:
        if rng.random() < 0.3:
            end = min(at + int(rng.integers(1, 4)), length)
            found.append(Span(at, end, int(rng.integers(3))))
            at = end
        else:
            at += 1
    return found


def tags(spans, length):
    out = ["O"] * length
    for span in spans:
        out[span.start : span.end] = ["I-" + KINDS[span.label]] * (span.end - span.start)
        out[span.start] = "B-" + KINDS[span.label]
    return out


def wobbled(rng, spans, length):
    """A reader who misses, moves, mislabels and invents."""
    said = []
    for span in spans:
        luck = rng.random()
        if luck < 0.15:
            continue
        start, end, label = span.start, span.end, span.label
        if luck < 0.3:
            end = min(end + 1, length)
        elif luck < 0.4:
            label = (label + 1) % 3
        said.append(Span(start, end, label))
    free = [s for s in random_spans(rng, length) if rng.random() < 0.2]
    kept = []
    for span in sorted(said + free):
        if not kept or kept[-1].end <= span.start:
            kept.append(span)
    return kept


def corpus(rng, n):
    lengths = rng.integers(1, 20, n)
    truth = [random_spans(rng, m) for m in lengths]
    return truth, [wobbled(rng, t, m) for t, m in zip(truth, lengths, strict=True)], lengths


def test_strict_figures_are_seqevals_on_1000_random_sequences():
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    truth, said, lengths = corpus(np.random.default_rng(0), 1_000)
    m = ev.evaluate_spans(truth, said, n_classes=3)
    report = classification_report(
        [tags(t, n) for t, n in zip(truth, lengths, strict=True)],
        [tags(s, n) for s, n in zip(said, lengths, strict=True)],
        output_dict=True,
        mode="strict",
        scheme=IOB2,
    )
    assert m.strict_f1 == pytest.approx(report["micro avg"]["f1-score"])
    assert m.strict_precision == pytest.approx(report["micro avg"]["precision"])
    assert m.strict_recall == pytest.approx(report["micro avg"]["recall"])
    assert m.macro_f1 == pytest.approx(report["macro avg"]["f1-score"])
    for kind, one in zip(KINDS, m.per_class, strict=True):
        assert one.f1 == pytest.approx(report[kind]["f1-score"])
        assert one.support == report[kind]["support"]
    assert 0.5 < m.strict_f1 < 0.95


def test_any_tags_read_as_seqeval_reads_them_give_its_f1():
    from seqeval.metrics import f1_score
    from seqeval.metrics.sequence_labeling import get_entities

    rng = np.random.default_rng(1)
    names = ["O", *(f"{b}-{kind}" for kind in KINDS for b in "BI")]
    lines = [[names[i] for i in rng.choice(7, size=12, p=[0.4, *[0.1] * 6])] for _ in range(2_000)]
    truth, said = lines[:1_000], [list(line) for line in lines[:1_000]]
    for line in said:
        for at in np.flatnonzero(rng.random(12) < 0.15):
            line[at] = names[rng.integers(7)]

    def spans(line):
        return [Span(start, end + 1, KINDS.index(kind)) for kind, start, end in get_entities(line)]

    m = ev.evaluate_spans([spans(t) for t in truth], [spans(s) for s in said], n_classes=3)
    assert m.strict_f1 == pytest.approx(f1_score(truth, said))


def test_partial_credit_and_errors_of_a_worked_example():
    truth = [[Span(0, 5, 0), Span(10, 15, 1), Span(20, 25, 0)], [Span(0, 3, 1)], []]
    said = [
        [Span(0, 5, 0), Span(10, 14, 1), Span(20, 25, 1)],  # right; half; right borders, wrong label
        [Span(0, 2, 1), Span(2, 3, 1)],  # only one of two fragments earns its half
        [Span(4, 6, 2)],
    ]
    m = ev.evaluate_spans(truth, said, n_classes=3)
    assert (m.n, m.n_truth, m.n_predicted) == (3, 4, 6)
    assert (m.strict_precision, m.strict_recall) == (pytest.approx(1 / 6), pytest.approx(1 / 4))
    assert m.strict_f1 == pytest.approx(2 / 10)
    assert (m.partial_precision, m.partial_recall) == (pytest.approx(2 / 6), pytest.approx(2 / 4))
    assert m.partial_f1 == pytest.approx(4 / 10)
    assert (m.wrong_border, m.wrong_label, m.spurious, m.missed) == (2, 1, 2, 1)
    assert m.exact_match == 0
    assert m.per_class[0].recall == pytest.approx(1 / 2)
    assert m.per_class_partial[1].recall == pytest.approx(2 * 0.5 / 2)


def test_overlap_is_paired_longest_first():
    truth, said = [[Span(0, 10, 0), Span(11, 20, 0)]], [[Span(8, 20, 0)]]
    m = ev.evaluate_spans(truth, said, n_classes=1)
    assert (m.partial_precision, m.partial_recall) == (0.5, 0.25)
    assert (m.wrong_border, m.missed) == (1, 1)


def test_a_text_without_spans_that_is_left_alone_is_right():
    m = ev.evaluate_spans([[], []], [[], []], n_classes=2)
    assert (m.exact_match, m.strict_f1, m.partial_f1) == (1, 1, 1)


def test_spans_become_json_with_a_headline():
    truth, said, _ = corpus(np.random.default_rng(0), 50)
    found = json.loads(json.dumps(ev.evaluate_spans(truth, said, n_classes=3).as_dict()))
    assert found["task"] == "spans"
    assert found["headline"]["name"] == "strict_f1"
    assert found["headline"]["interval"]["low"] < found["headline"]["value"] < found["headline"]["interval"]["high"]


def test_intervals_for_spans_cover_the_truth_in_93_percent_of_projects():
    rng = np.random.default_rng(0)
    truth, said, _ = corpus(rng, 6_000)
    whole = ev.evaluate_spans(truth, said, n_classes=3)
    strict = partial = macro = 0
    for _ in range(500):
        rows = rng.choice(6_000, 120)
        m = ev.evaluate_spans([truth[i] for i in rows], [said[i] for i in rows], n_classes=3)
        strict += whole.strict_f1 in m.strict_f1_interval
        partial += whole.partial_f1 in m.partial_f1_interval
        macro += whole.macro_f1 in m.macro_f1_interval
    assert min(strict, partial, macro) / 500 >= 0.93


def test_spans_of_other_texts_are_refused_in_words():
    with pytest.raises(LearningError, match="same texts"):
        ev.evaluate_spans([[]], [[], []], n_classes=1)
    with pytest.raises(LearningError, match="no labelled hold-out"):
        ev.evaluate_spans([], [], n_classes=1)
