"""The figures of the label-efficiency bench, on curves and files whose answer is known."""

import argparse
import json
import math
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.bench.efficiency import data, picture, summary
from tests.bench.efficiency.rounds import Point
from workers.learning.types import Span


def curve(*scores: float) -> list[Point]:
    return [Point(50 * (i + 1), score, score / 2) for i, score in enumerate(scores)]


def read(path, **more) -> tuple[data.Data, data.Data | None]:
    known = {"train": path, "test": None, "text_col": "text", "label_col": "label", "cut": None}
    return data.load(argparse.Namespace(**(known | more)))


def test_the_area_is_the_mean_height_whatever_the_steps():
    assert summary.area(curve(0.5, 0.5, 0.5)) == pytest.approx(0.5)
    assert summary.area(curve(0.0, 1.0)) == pytest.approx(0.5)
    assert summary.area([Point(100, 0, 0), Point(200, 1, 0), Point(500, 1, 0)]) == pytest.approx((50 + 300) / 400)


def test_labels_are_counted_to_where_the_line_crosses():
    assert summary.labels_to(curve(0.2, 0.6), 0.4) == pytest.approx(75)
    assert summary.labels_to(curve(0.5, 0.6), 0.4) == 50
    assert math.isnan(summary.labels_to(curve(0.2, 0.3), 0.4))


def test_gains_are_paired_by_seed():
    curves = {"random": [curve(0.2, 0.4), curve(0.5, 0.7)], "margin": [curve(0.3, 0.5), curve(0.6, 0.8)]}
    found = summary.figures(curves, 100)
    assert found["margin"]["auc_gain_over_random"] == pytest.approx(0.1)
    assert found["margin"]["auc_gain_over_random_se"] == pytest.approx(0, abs=1e-9)
    assert found["margin"]["labels_to_random_final"] == pytest.approx(75)
    assert found["random"]["auc_gain_over_random"] == 0
    assert found["margin"]["curve"] == [[50, 0.45, 0.15, 0.225], [100, 0.65, 0.15, 0.325]]
    assert "| margin | 0.550 | +10.0 ± 0.0 |" in summary.table(found, "accuracy", "labels")


def test_a_score_that_is_never_reached_costs_the_budget_and_is_told():
    found = summary.figures({"random": [curve(0.2, 0.9)], "margin": [curve(0.2, 0.3)]}, 100)["margin"]
    assert (found["labels_to_random_final"], found["never_reached"]) == (100, 1)


def test_a_list_of_labels_makes_the_task_multi_label(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": f"t {i}", "label": ["a", "b"][:i]}) + "\n" for i in range(3)))
    found, test = read(path)
    assert (found.task, found.names, test) == ("multi", ["a", "b"], None)
    assert found.truth.tolist() == [[False, False], [True, False], [True, True]]
    assert found.examples(np.array([2]))[0].labels == (0, 1)


def test_a_number_is_cut_into_classes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,mean\nbad,-2\nso so,0.1\ngood,3\n")
    assert read(path, label_col="mean", cut=[0.0])[0].truth.tolist() == [0, 1, 1]
    assert read(path, label_col="mean", cut=[-1.0, 1.0])[0].truth.tolist() == [0, 1, 2]


def test_conll_tags_become_spans_of_the_joined_words(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("New\tB-loc\nYork\tI-loc\n😀\tO\nAnn\tB-per\nBo\tB-per\n\t\n\nno\tO\n")
    found, _ = read(path)
    assert found.texts == ["New York 😀 Ann Bo", "no"]
    assert found.truth[0] == (Span(0, 8, 0), Span(11, 14, 1), Span(15, 17, 1))
    assert found.tokens.tolist() == [5, 1]


def test_every_seed_draws_its_own_test_set():
    pool = data.Data(["t"] * 100, "single", ["a"], np.zeros(100, dtype=np.int64), np.ones(100, dtype=np.int64))
    mine, held = data.halves(pool, None, 0.3, None, 0)
    assert (len(mine), len(held), len(np.intersect1d(mine, held))) == (70, 30, 0)
    assert not np.array_equal(held, data.halves(pool, None, 0.3, None, 1)[1])
    mine, held = data.halves(pool, pool, 0.3, 20, 0)
    assert (len(mine), len(held)) == (20, 100)


def test_the_picture_is_well_formed_and_names_every_strategy():
    found = summary.figures({"random": [curve(0.2, 0.4)], "auto": [curve(0.3, 0.5)], "a<b": [curve(0.3, 0.4)]}, 100)
    drawn = picture.draw([picture.Panel("one & two", "accuracy", "labels", found)] * 3)
    root = ElementTree.fromstring(drawn)
    words = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"auto", "random", "a<b", "one & two"} <= set(words)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 9
