"""Training with users' voices and on distributions, from the job's folder to the artefact."""

import json
from pathlib import Path

import numpy as np
import pytest

from workers.learning import job, search, weak_file
from workers.learning.checkpoint import verify
from workers.learning.finetune import Config
from workers.learning.finetune.begin import SEEN, begin
from workers.learning.finetune.loop import finetune
from workers.learning.finetune.soft import Engagement, Soft, task_for
from workers.learning.finetune.tasks import Single
from workers.learning.predict import Predictor
from workers.learning.publish import Recipe, publish
from workers.learning.types import Example, LearningError
from workers.learning.weak import Check, Evidence, Voice, WeakText

ORDER = [[1, "transfer"], [2, "card"]]
FAST = {"epochs": 2, "batch_size": 8, "learning_rate": 5e-3, "patience": 50, "threads": 1}


def recipe(encoder: str = "char-ngrams", **changes) -> Recipe:
    return Recipe(**({"kind": "head", "encoder": encoder, "label_order": ORDER, "device": "cpu"} | changes))


@pytest.fixture(scope="module")
def noisy() -> list[Example]:
    """80 texts of two kinds, of which every fifth says too little to tell."""
    rng = np.random.default_rng(0)
    words = (["transfer", "payment", "sent", "bank"], ["card", "pin", "plastic", "wallet"])
    return [
        Example(i, f"the {words[i % 2][rng.integers(4)] if i % 5 else 'thing'} number {i}", label=i % 2)
        for i in range(80)
    ]


def voices(n: int, *, right: float, start: int = 1_000) -> Evidence:
    """Corrections of n texts, of which the share `right` names the right one, and as many checks."""
    words = (["transfer", "payment", "sent", "bank"], ["card", "pin", "plastic", "wallet"])
    rng = np.random.default_rng(1)
    texts = []
    for i in range(n):
        truth, good = i % 2, rng.random() < right
        text = f"about the {words[truth][rng.integers(4)]} {start + i}"
        texts.append(WeakText(-start - i, text, (Voice("is", truth if good else 1 - truth, "label:widget", i),)))
    return Evidence(texts, [Check("is", "label:widget", n + i, int(rng.random() < right), 0) for i in range(40)])


def test_when_nothing_is_let_in_the_model_is_the_one_without(noisy, tmp_path):
    plain = publish(noisy, recipe(), tmp_path / "plain")
    liars = Evidence(
        [WeakText(-i - 1, f"the card {i}", (Voice("is", 0, "w", i),)) for i in range(60)],
        [Check("is", "w", 100 + i, 0, 1) for i in range(60)],
    )
    heard = publish(noisy, recipe(), tmp_path / "heard", evidence=liars)
    assert heard.metrics["weak"]["ratio"] == 0
    assert heard.digest == plain.digest
    assert verify(tmp_path / "heard").metrics["weak"]["texts"] == 60


@pytest.mark.parametrize("features", ["vectors", "ngrams"])
def test_a_head_learns_with_users_who_are_right_and_says_how_much(noisy, tmp_path, features):
    few = noisy[:40]
    kept = publish(few, recipe(config={"features": features}), tmp_path / "a", evidence=voices(200, right=1.0))
    again = publish(few, recipe(config={"features": features}), tmp_path / "b", evidence=voices(200, right=1.0))
    assert kept.digest == again.digest
    found = kept.metrics["weak"]
    assert found["ratio"] > 0
    assert 0 < found["mean_weight"] <= 1
    assert Predictor(tmp_path / "a").probabilities(["about the wallet"])[0].argmax() == 1


def test_users_may_not_be_given_the_ids_of_items(noisy, tmp_path):
    good = voices(200, right=1.0)
    posing = Evidence([WeakText(7 + i, t.text, t.voices) for i, t in enumerate(good.texts)], good.checks)
    with pytest.raises(LearningError, match="ids below 0"):
        publish(noisy[:40], recipe(), tmp_path / "a", evidence=posing)


def test_several_labels_cannot_be_learnt_from_users(tmp_path):
    examples = [Example(i, f"text {i}", labels=(i % 2,)) for i in range(20)]
    with pytest.raises(LearningError, match="one label"):
        publish(examples, recipe(task="multi"), tmp_path / "a", evidence=voices(20, right=1.0))


# --- the transformer --------------------------------------------------------------------------------------------------
def test_plain_examples_are_learnt_by_the_same_code_as_before(toys):
    assert task_for("single", toys) is Single
    assert task_for("single", [*toys, Example(99, "x", target=(0.5, 0.5))]) is Soft
    assert task_for("engagement", []) is Engagement


def test_certain_targets_of_weight_one_give_the_plain_loss_and_gradient(toys, toy_encoder):
    import torch

    found = []
    for examples in (toys, [*toys[:-1], Example(99, toys[-1].text, label=toys[-1].label, weight=0.999999)]):
        begun = begin(
            examples,
            toy_encoder,
            2,
            config=Config.of(FAST),
            seed=0,
            task="single",
            label_order=ORDER,
            device="cpu",
            on_event=lambda event: None,
        )
        begun.model.modules.eval()
        rows = list(range(8))
        loss = begun.task.loss(begun.train, rows, [begun.train.tokens[i] for i in rows])
        loss = loss / begun.task.units(begun.train, rows)
        loss.backward()
        found.append((loss.item(), begun.model.head.weight.grad.clone()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-5)


def test_what_users_said_is_never_judged_by(toys, toy_encoder):
    many = [Example(i, f"{e.text} {i}", e.label) for i, e in enumerate(toys * 3)]
    weak = [Example(-i - 1, f"weak {i}", weight=0.2, target=(0.3, 0.7)) for i in range(60)]
    begun = begin(
        [*many, *weak],
        toy_encoder,
        2,
        config=Config.of(FAST | {"dev_share": 0.2}),
        seed=0,
        task="single",
        label_order=ORDER,
        device="cpu",
        on_event=lambda event: None,
    )
    assert len(begun.dev.tokens) == round(0.2 * len(many))
    assert sum(e.id < 0 for e in begun.examples) == 60
    assert (begun.dev.targets[:, -1] == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "setfit"])
def test_a_transformer_learns_with_users_and_does_not_count_them_among_its_items(noisy, toy_encoder, tmp_path, method):
    evidence = voices(120, right=1.0)
    config = FAST | {"method": method} | ({"pairs": 1, "learning_rate": 1e-4} if method == "setfit" else {})
    made = publish(
        noisy[:40], recipe(toy_encoder, kind="transformer", config=config), tmp_path / "a", evidence=evidence
    )
    seen = json.loads((tmp_path / "a" / SEEN).read_text())
    assert seen == [e.id for e in noisy[:40]]
    assert made.metrics["weak"]["texts"] == 120


def test_weights_and_targets_decide_what_a_transformer_learns(toys, toy_encoder):
    """The same texts under opposite targets: the side with the weight wins."""
    opposed = [
        Example(i, e.text, weight=3.0 if kept else 0.1, target=tuple(np.eye(2)[e.label if kept else 1 - e.label]))
        for i, e in enumerate(toys)
        for kept in (True, False)
    ]
    config = Config.of(FAST | {"dev_share": 0.0, "epochs": 4})
    model, _metrics = finetune(opposed, encoder=toy_encoder, n_classes=2, config=config, seed=0, device="cpu")
    said = model.predict_logits(model.tokenise([e.text for e in toys])).argmax(axis=1)
    assert (said == [e.label for e in toys]).mean() > 0.8


@pytest.mark.slow
def test_a_search_asks_the_guard_once_and_tells_of_it(noisy, toy_encoder, tmp_path):
    told: list[str] = []
    found = search.search(
        noisy,
        recipe(toy_encoder, kind="transformer", config=FAST),
        tmp_path / "a",
        trials=2,
        work=tmp_path / "work",
        evidence=voices(80, right=1.0),
        on_event=lambda event: told.append(str(event.get("text", ""))),
    )
    assert found.metrics["weak"]["texts"] == 80
    assert sum("users said" in text for text in told) == 1


# --- the job's folder -------------------------------------------------------------------------------------------------
def write(folder: Path, examples: list[dict], **changes) -> job.Work:
    (folder / "examples.jsonl").write_text("\n".join(map(json.dumps, examples)))
    known = {"kind": "head", "encoder": "char-ngrams", "label_order": ORDER, "device": "cpu"}
    (folder / "job.json").write_text(json.dumps(known | changes))
    return job.Work(job.read_job(folder), folder, lambda event: None, lambda: False)


def test_examples_bear_weights_and_targets(tmp_path):
    work = write(
        tmp_path,
        [{"id": 1, "text": "a", "label": 0}, {"id": 2, "text": "b", "target": [0.25, 0.75], "weight": 4}],
    )
    assert work.examples == [Example(1, "a", 0), Example(2, "b", weight=4.0, target=(0.25, 0.75))]
    assert work.evidence is None


def test_what_users_said_lies_beside_the_examples(noisy, tmp_path):
    evidence = voices(5, right=1.0)
    weak_file.write(tmp_path / weak_file.NAME, evidence.texts, evidence.checks)
    work = write(tmp_path, [{"id": e.id, "text": e.text, "label": e.label} for e in noisy])
    assert work.evidence == evidence
    assert work.do().metrics["weak"]["texts"] == 5


def test_a_broken_file_of_voices_is_refused_in_words(tmp_path):
    (tmp_path / weak_file.NAME).write_text('{"texts": [{"id": 1}]}')
    with pytest.raises(LearningError, match="What users said cannot be read"):
        weak_file.read(tmp_path / weak_file.NAME)
