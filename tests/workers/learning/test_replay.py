from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from workers.learning.checkpoint import Manifest
from workers.learning.finetune import replay
from workers.learning.types import Example, LearningError, Span

# 900 of one class, 90 and 10 of two others
OLD = [Example(i, f"text {i}", 0 if i < 900 else 1 if i < 990 else 2) for i in range(1000)]
ORDER = [[7, "a"], [8, "b"]]
PARENT = Manifest("transformer", "minilm-l6", "d" * 64, ORDER, 0)


def test_classes_are_replayed_in_equal_numbers_as_far_as_they_go():
    count = Counter(e.label for e in replay.choose(OLD, [], 0.1, seed=0))
    assert sum(count.values()) == 100
    assert count[2] == 10  # all there are
    assert count[0] == count[1] == 45


def test_every_old_class_is_remembered_however_small_the_share():
    many = [Example(i, "t", i % 50) for i in range(500)]
    assert {e.label for e in replay.choose(many, [], 0.01, seed=0)} == set(range(50))


def test_what_is_among_the_new_is_not_replayed_in_its_old_truth():
    new = [replace(e, label=1) for e in OLD[:500]]
    picked = replay.choose(OLD, new, 0.2, seed=0)
    assert picked
    assert not {e.id for e in picked} & {e.id for e in new}


def test_the_choice_follows_from_the_seed_and_keeps_the_order():
    first, again, other = (replay.choose(OLD, [], 0.1, seed=s) for s in (1, 1, 2))
    assert first == again != other
    assert [e.id for e in first] == sorted(e.id for e in first)
    assert replay.choose(OLD, [], 0.0, seed=0) == []
    assert replay.choose([], OLD, 0.1, seed=0) == []
    assert len(replay.choose(OLD, [], 1.0, seed=0)) == 1000


def test_examples_of_several_labels_count_under_their_rarest():
    multi = [Example(i, "t", labels=(0, 1) if i < 5 else (0,) if i < 95 else ()) for i in range(100)]
    picked = replay.choose(multi, [], 0.12, seed=0)
    assert Counter(e.labels for e in picked) == {(0, 1): 4, (0,): 4, (): 4}
    spans = [Example(i, "t", spans=(Span(0, 1, 0), Span(2, 3, 4)) if i < 5 else ()) for i in range(20)]
    assert Counter(len(e.spans or ()) for e in replay.choose(spans, [], 0.3, seed=0)) == {2: 3, 0: 3}


def test_old_and_new_are_told_apart_by_what_the_parent_saw():
    old, new = replay.split(OLD[:10], seen=[1, 3, 99])
    assert [e.id for e in old] == [1, 3]
    assert len(new) == 8


def test_rows_move_with_their_label_and_new_ones_are_average():
    import torch

    weight = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    grown = replay.grow(weight, ORDER, [[9, "new"], [8, "renamed"], [7, "a"]])
    np.testing.assert_array_equal(grown.numpy(), [[2, 2], [3, 4], [1, 0]])
    assert replay.grow(weight[:, 0], ORDER, ORDER).tolist() == [1, 3]


@pytest.mark.parametrize(
    ("changes", "asked", "word"),
    [
        ({"kind": "head"}, {}, "fine-tuned transformer"),
        ({"task": "multi"}, {}, "another task"),
        ({}, {"encoder_digest": "e" * 64}, "Choose the same encoder"),
        ({}, {"label_order": [[7, "a"], [9, "c"]]}, r"are gone \(b\)"),
    ],
)
def test_a_parent_that_does_not_fit_is_refused_in_words(changes, asked, word):
    run = {"encoder": "minilm-l6", "encoder_digest": "d" * 64, "task": "single", "label_order": ORDER}
    with pytest.raises(LearningError, match=word):
        replay.check_parent(replace(PARENT, **changes), **(run | asked))
    replay.check_parent(PARENT, **(run | {"label_order": [*ORDER, [9, "new"]]}))
