import warnings
from dataclasses import replace

import pytest
import torch

from workers.learning.encoders import backbone
from workers.learning.finetune import adapters
from workers.learning.finetune.config import ADAPTERS, Config
from workers.learning.finetune.loop import finetune
from workers.learning.predict import Predictor
from workers.learning.publish import Recipe, publish
from workers.learning.types import LearningError

STEPS = 40


def opened(name: str):
    return backbone.open_model(name)[0]


def batch():
    ids = torch.randint(5, 30_000, (4, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[0, 5:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def states(encoder, given=None):
    encoder.eval()
    given = given or batch()
    with torch.no_grad():
        return encoder(**given).last_hidden_state[given["attention_mask"].bool()]


def taught(name: str, method: str, steps: int = 6, **settings):
    """An adapter after a few steps towards nothing in particular, so that it is no longer the start."""
    torch.manual_seed(3)
    encoder = adapters.attach(opened(name), replace(Config(), method=method, **settings), steps=STEPS)
    optimizer = torch.optim.AdamW([p for p in encoder.parameters() if p.requires_grad], lr=0.02)
    encoder.train()
    for step in range(steps):
        advance(encoder, optimizer, step)
    return encoder


def advance(encoder, optimizer, step):
    loss = encoder(**batch()).last_hidden_state[..., 0].pow(2).mean()
    extra = adapters.penalty(encoder)
    (loss if extra is None else loss + extra).backward()
    optimizer.step()
    adapters.update(encoder, step)
    optimizer.zero_grad()


@pytest.mark.parametrize("method", ADAPTERS)
def test_only_the_adapter_learns(toy_encoder, method):
    before = {name: p.clone() for name, p in opened(toy_encoder).named_parameters()}
    encoder = taught(toy_encoder, method)
    trained = [name for name, p in encoder.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora_" in n or "ia3_" in n or "prompt_encoder" in n for n in trained)
    base = encoder.get_base_model()
    for name, p in base.named_parameters():
        plain = name.replace(".base_layer", "")
        if plain in before:
            torch.testing.assert_close(p, before[plain], rtol=0, atol=0)


@pytest.mark.parametrize("method", ADAPTERS)
def test_the_merged_encoder_answers_as_the_adapted_one(toy_encoder, method):
    encoder = taught(toy_encoder, method)
    expected, plain = states(encoder), states(opened(toy_encoder))
    assert (expected - plain).abs().max() > 1e-3  # there is something to merge
    merged = adapters.merge(encoder)
    torch.testing.assert_close(states(merged), expected, rtol=1e-4, atol=1e-5)
    assert not hasattr(merged, "peft_config")
    assert not any("lora_" in name or "base_layer" in name for name in merged.state_dict())


@pytest.mark.parametrize("method", [m for m in ADAPTERS if m != "prefix"])
def test_an_adapter_starts_as_no_change(toy_encoder, method):
    encoder = adapters.attach(opened(toy_encoder), replace(Config(), method=method), steps=STEPS)
    torch.testing.assert_close(states(encoder), states(opened(toy_encoder)), rtol=1e-5, atol=1e-6)


def test_padding_changes_nothing_behind_a_prefix(toy_encoder):
    merged = adapters.merge(taught(toy_encoder, "prefix"))
    whole = batch()
    short = {name: tensor[:1, :5] for name, tensor in whole.items()}
    torch.testing.assert_close(states(merged, short), states(merged, whole)[:5], rtol=1e-4, atol=1e-5)


def test_a_prefix_comes_back_from_a_state_dict_without_peft(toy_encoder):
    merged = adapters.merge(taught(toy_encoder, "prefix", virtual_tokens=5))
    assert adapters.virtual_tokens(merged) == 5
    again = adapters.prefixed(opened(toy_encoder), 5)
    again.load_state_dict(merged.state_dict(), strict=True)
    torch.testing.assert_close(states(again), states(merged), rtol=0, atol=0)


@pytest.mark.parametrize("method", ["full", "setfit"])
def test_methods_without_adapters_leave_the_encoder_alone(toy_encoder, method):
    encoder = opened(toy_encoder)
    assert adapters.attach(encoder, replace(Config(), method=method)) is encoder
    assert adapters.merge(encoder) is encoder
    assert adapters.penalty(encoder) is None
    assert adapters.memory(encoder) == {}
    assert adapters.virtual_tokens(encoder) == 0


def test_adalora_ends_with_the_ranks_it_may_keep(toy_encoder):
    encoder = taught(toy_encoder, "adalora", steps=STEPS, rank=2)
    kept = [int((p.abs() > 0).sum()) for name, p in encoder.named_parameters() if "lora_E" in name and p.requires_grad]
    assert sum(kept) <= 2 * len(kept)  # on average the target rank
    assert max(kept) <= 3  # and never more than it started with


def test_adalora_goes_on_from_its_memory_as_if_unbroken(toy_encoder):
    def run(break_at: int | None):
        torch.manual_seed(3)
        encoder = adapters.attach(opened(toy_encoder), replace(Config(), method="adalora", dropout=0.0), steps=STEPS)
        encoder.eval()  # the encoder's own dropout would need its random state saved as well
        trained = {name: p for name, p in encoder.named_parameters() if p.requires_grad}
        optimizer = torch.optim.SGD(trained.values(), lr=0.5)
        for step in range(STEPS):
            if step == break_at:
                weights = {name: p.detach().clone() for name, p in trained.items()}
                kept = {name: tensor.clone() for name, tensor in adapters.memory(encoder).items()}
                encoder = adapters.attach(
                    opened(toy_encoder), replace(Config(), method="adalora", dropout=0.0), steps=STEPS
                )
                encoder.eval()
                encoder.load_state_dict(weights, strict=False)
                adapters.remember(encoder, kept)
                trained = {name: p for name, p in encoder.named_parameters() if p.requires_grad}
                optimizer = torch.optim.SGD(trained.values(), lr=0.5)
            advance(encoder, optimizer, step)
        return trained

    unbroken = run(None)
    for at in (12, 30):  # while the budget falls, and after
        for name, p in run(at).items():
            torch.testing.assert_close(p, unbroken[name], rtol=0, atol=0, msg=f"{name} broken at {at}")


def test_an_adapter_of_minilm_weighs_less_than_two_megabytes():
    for method in ADAPTERS:
        encoder = adapters.attach(opened(backbone.MINILM), replace(Config(), method=method), steps=STEPS)
        assert 0 < adapters.size_bytes(encoder) < 2_000_000, method


@pytest.mark.parametrize("kind", ["distilbert", "roberta", "mpnet", "modernbert", "deberta", "t5"])
def test_places_for_adapters_are_found_in_other_architectures(kind):
    encoder = small(kind)
    for method in ("lora", "ia3"):
        adapted = adapters.attach(small(kind), replace(Config(), method=method))
        torch.testing.assert_close(states(adapted), states(encoder), rtol=1e-4, atol=1e-5)
        assert adapters.size_bytes(adapted) > 0
    assert adapters.feedforward_outputs(encoder)


def small(kind: str):
    import transformers as t

    torch.manual_seed(0)
    bert = {
        "vocab_size": 30_522,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = {
            "distilbert": lambda: t.DistilBertModel(
                t.DistilBertConfig(vocab_size=30_522, dim=16, n_layers=2, n_heads=2, hidden_dim=32)
            ),
            "roberta": lambda: t.RobertaModel(t.RobertaConfig(**bert)),
            "mpnet": lambda: t.MPNetModel(t.MPNetConfig(**bert)),
            "modernbert": lambda: t.ModernBertModel(t.ModernBertConfig(**bert, pad_token_id=0)),
            "deberta": lambda: t.DebertaV2Model(t.DebertaV2Config(**bert)),
            "t5": lambda: t.T5EncoderModel(
                t.T5Config(vocab_size=30_522, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
            ),
        }[kind]()
    return made.eval()


def test_an_encoder_without_attention_is_refused_in_words():
    class Bare(torch.nn.Module):
        config = None

        def forward(self, input_ids):
            return input_ids

    with pytest.raises(LearningError, match="no attention layers"):
        adapters.attach(Bare(), replace(Config(), method="lora"))
    with pytest.raises(LearningError, match="takes no prefix"):
        adapters.attach(Bare(), replace(Config(), method="prefix"))


def test_a_prefix_and_gradient_checkpointing_are_refused_together(toy_encoder):
    with pytest.raises(LearningError, match="gradient checkpointing"):
        adapters.attach(opened(toy_encoder), replace(Config(), method="prefix", gradient_checkpointing=True))


@pytest.mark.parametrize("method", ADAPTERS)
def test_a_published_model_answers_as_in_training_and_says_what_its_adapter_weighs(toys, toy_encoder, tmp_path, method):
    wish = {"method": method, "epochs": 2, "batch_size": 8, "threads": 1}
    order = [[1, "transfer"], [2, "card"]]
    manifest = publish(toys, Recipe("transformer", toy_encoder, order, 4, wish, "cpu"), tmp_path / "model")
    model, _ = finetune(toys, encoder=toy_encoder, n_classes=2, config=Config.of(wish), seed=4, device="cpu")
    texts = [e.text for e in toys]
    logits = torch.from_numpy(model.predict_logits(model.tokenise(texts)) / model.temperature)
    said = torch.from_numpy(Predictor(tmp_path / "model", device="cpu").probabilities(texts))
    torch.testing.assert_close(said, logits.softmax(dim=1), rtol=1e-4, atol=1e-5)
    assert 0 < manifest.metrics["adapter_bytes"] < 50_000
    assert not any("peft" in name or "lora" in name for name in manifest.files)


def test_a_method_has_a_rate_of_its_own_where_none_is_given():
    assert Config.of({}).learning_rate == Config.of({"method": "full"}).learning_rate == Config().learning_rate
    rates = {method: Config.of({"method": method}).learning_rate for method in ADAPTERS}
    assert all(rate > Config().learning_rate for rate in rates.values())
    assert Config.of({"method": "lora", "learning_rate": 3e-4}).learning_rate == 3e-4
