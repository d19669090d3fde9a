import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from workers.learning.finetune import contrastive
from workers.learning.finetune.classifier import Classifier
from workers.learning.finetune.config import Config
from workers.learning.predict import Predictor
from workers.learning.publish import Recipe, publish
from workers.learning.types import Cancelled, Example, LearningError, Span

QUICK = replace(Config(), method="setfit", learning_rate=3e-3, pairs=6)


def opened(toy_encoder) -> Classifier:
    torch.manual_seed(0)
    return Classifier.from_encoder(toy_encoder, n_classes=2)


def gap(model: Classifier, examples) -> float:
    """How much closer texts of one label lie than texts of two, in cosine."""
    x = model.vectors(model.tokenise([e.text for e in examples]))
    close, y = x @ x.T, np.array([e.label for e in examples])
    same = y[:, None] == y[None, :]
    off = ~np.eye(len(y), dtype=bool)
    return float(close[same & off].mean() - close[~same].mean())


def test_texts_of_one_label_move_together_and_others_apart(toys, toy_encoder):
    model = opened(toy_encoder)
    before = gap(model, toys)
    contrastive.pretrain(model, toys, replace(QUICK, pairs=40), seed=1)
    assert gap(model, toys) > before + 0.5


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(toys, toy_encoder):
    vectors = []
    for seed in (1, 1, 2):
        model = opened(toy_encoder)
        contrastive.pretrain(model, toys, QUICK, seed=seed)
        vectors.append(model.vectors(model.tokenise([e.text for e in toys])))
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert not np.array_equal(vectors[0], vectors[2])


def test_it_stops_when_asked_and_tells_how_far_it_is(toys, toy_encoder):
    events: list[dict] = []
    calls = itertools.count()
    with pytest.raises(Cancelled):
        contrastive.pretrain(
            opened(toy_encoder), toys, QUICK, seed=1, should_stop=lambda: next(calls) == 2, on_event=events.append
        )
    assert [e["step"] for e in events] == [1, 2]
    assert all(e["steps"] > 2 and np.isfinite(e["loss"]) for e in events)


def test_several_labels_per_text_are_learnt_too(toy_encoder):
    words = ["card", "transfer", "fee"]
    kinds = [(0,), (1,), (0, 2), (1, 2), ()]
    multi = [
        Example(i, " ".join(words[label] for label in kinds[i % 5]) + f" number {i}", labels=kinds[i % 5])
        for i in range(40)
    ]
    model = opened(toy_encoder)
    contrastive.pretrain(model, multi, QUICK, seed=1)
    x = model.vectors(model.tokenise([e.text for e in multi]))
    shared = contrastive.likeness([e.labels for e in multi])
    off = ~np.eye(len(x), dtype=bool)
    assert np.corrcoef((x @ x.T)[off], shared[off])[0, 1] > 0.5


def test_likeness_counts_shared_labels_and_the_unlabelled_are_alike():
    shared = contrastive.likeness([(0, 1), (1,), (5,), (), ()])
    np.testing.assert_allclose(shared[0], [1, 0.5, 0, 0, 0])
    np.testing.assert_allclose(shared[3], [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(shared, shared.T)


def test_the_loss_is_that_of_the_paper():
    """Against the formula written out term by term."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y, tau = [0, 0, 1, 1, 1, 2], 0.2
    terms = []
    for i in range(6):
        positives = [p for p in range(6) if p != i and y[p] == y[i]]
        if positives:
            below = sum(np.exp(x[i] @ x[a] / tau) for a in range(6) if a != i)
            terms.append(-np.mean([np.log(np.exp(x[i] @ x[p] / tau) / below) for p in positives]))
    given = contrastive.likeness([(label,) for label in y])
    loss = contrastive.supervised_contrastive(torch.from_numpy(x), torch.from_numpy(given), tau)
    assert float(loss) == pytest.approx(np.mean(terms), rel=1e-6)


def test_texts_read_in_pieces_of_like_length_keep_their_places(toys, toy_encoder):
    model = opened(toy_encoder)
    model.modules.eval()
    tokens = model.tokenise([e.text for e in toys])
    torch.testing.assert_close(contrastive._vectors(model, tokens), model.pooled(tokens), rtol=1e-4, atol=1e-5)


def test_a_batch_without_any_pair_has_no_loss_and_a_gradient():
    x = torch.nn.functional.normalize(torch.randn(3, 4), dim=1).requires_grad_()
    loss = contrastive.supervised_contrastive(x, torch.eye(3))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.isfinite(x.grad).all()


def test_every_text_with_a_partner_is_an_anchor_once_and_rare_labels_are_not_drowned():
    labels = [(0,)] * 40 + [(1,)] * 4 + [(2,)]
    plan = list(contrastive.batches(labels, 16, np.random.default_rng(0)))
    anchors = [i for batch in plan for i in batch[::2]]
    assert sorted(anchors) == list(range(44))  # the only one of label 2 has no partner
    for batch in plan:
        for anchor, partner in _twos(batch):
            assert anchor != partner
            assert labels[anchor] == labels[partner]
    both = [(0, 1)] * 3 + [(0,)] * 60 + [(1,)] * 2
    partners = Counter()
    for seed in range(60):
        for batch in contrastive.batches(both, 16, np.random.default_rng(seed)):
            partners.update(both[b] for a, b in _twos(batch) if a < 3)
    assert partners[(1,)] > partners[(0,)] / 4  # 2 against 60 texts


def _twos(batch):
    return zip(batch[::2], batch[1::2], strict=True)


def test_spans_and_missing_labels_are_refused_in_words(toy_encoder):
    for example in (Example(1, "a", spans=(Span(0, 1, 0),)), Example(1, "a")):
        with pytest.raises(LearningError, match="spans have none"):
            contrastive.pretrain(opened(toy_encoder), [example], QUICK, seed=0)


def test_texts_that_share_no_label_leave_the_encoder_as_it_is(toy_encoder):
    model = opened(toy_encoder)
    before = {name: p.clone() for name, p in model.encoder.named_parameters()}
    contrastive.pretrain(model, [Example(i, f"text {i}", i) for i in range(5)], QUICK, seed=0)
    for name, p in model.encoder.named_parameters():
        torch.testing.assert_close(p, before[name], rtol=0, atol=0)


def test_labels_teach_by_their_names_where_those_are_words():
    order = [[4, "card_arrival"], [5, "2"], [6, "Top-up failed?"], [7, "退款"], [8, "b"]]
    named = contrastive.names(order)
    assert [(e.text, e.label) for e in named] == [("card arrival", 0), ("top up failed", 2), ("退款", 3)]
    assert all(e.id < 0 for e in named)


def test_the_few_shot_way_learns_examples_and_names_and_publishes(toys, toy_encoder, tmp_path):
    wish = {"method": "setfit", "learning_rate": 3e-3, "pairs": 4, "threads": 1}
    recipe = Recipe("transformer", toy_encoder, [[1, "transfer"], [2, "card"]], 4, wish, "cpu")
    events: list[dict] = []
    manifest = publish(toys, recipe, tmp_path / "model", on_event=events.append)
    assert {e["stage"] for e in events if e["event"] == "progress"} == {"contrastive"}
    assert manifest.metrics["n_train"] == len(toys)  # a name is no example
    said = Predictor(tmp_path / "model", device="cpu").probabilities([e.text for e in toys]).argmax(axis=1)
    assert (said == [e.label for e in toys]).all()
    again = publish(toys, recipe, tmp_path / "again")
    assert again.digest == manifest.digest
    renamed = replace(recipe, label_order=[[1, "refund"], [2, "card"]])
    assert publish(toys, renamed, tmp_path / "renamed").digest != manifest.digest
