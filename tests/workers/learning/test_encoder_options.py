"""What an encoder's name may ask for, against transformers' and sentence-transformers' own output."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from workers.learning import encoders
from workers.learning.encoders import backbone, naming
from workers.learning.types import LearningError

TEXTS = ["my card", "the transfer of last week never came to the other account", "", "ok 🏦", "late " * 20]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory) -> str:
    """A random causal model whose tokeniser has no padding token and adds nothing."""
    import torch
    from tokenizers import Tokenizer
    from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("decoder")
    torch.manual_seed(1)
    LlamaModel(
        LlamaConfig(vocab_size=30_522, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
    ).save_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(backbone.spec(backbone.MINILM).folder / "tokenizer.json"))
    tokenizer.post_processor = None
    tokenizer.no_padding()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="[SEP]").save_pretrained(folder)
    return str(folder)


@pytest.fixture
def house(toy_encoder, tmp_path) -> Path:
    """A copy of the toy encoder that a test may furnish with sentence-transformers' files."""
    return Path(shutil.copytree(toy_encoder, tmp_path / "house"))


def _alone(name: str, text: str, pooling: str) -> np.ndarray:
    """One text by transformers itself, without any padding."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModel.from_pretrained(name).eval()
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    if not ids.numel():
        ids = torch.tensor([[tokenizer.eos_token_id]])
    with torch.no_grad():
        states = model(input_ids=ids.long()).last_hidden_state[0]
    vector = {"mean": states.mean(0), "max": states.max(0).values, "cls": states[0], "last": states[-1]}[pooling]
    return torch.nn.functional.normalize(vector, dim=0).numpy()


@pytest.mark.parametrize("pooling", ["mean", "max", "cls", "last"])
def test_every_pooling_equals_a_text_on_its_own(pooling, toy_encoder):
    found = encoders.load(f"{toy_encoder}?pooling={pooling}", device="cpu", runtime="torch").encode(TEXTS)
    np.testing.assert_allclose(found, [_alone(toy_encoder, t, pooling) for t in TEXTS], atol=1e-5)


def test_the_last_token_is_found_without_a_padding_token(decoder):
    found = encoders.load(f"{decoder}?pooling=last", device="cpu", runtime="torch").encode(TEXTS)
    np.testing.assert_allclose(found, [_alone(decoder, t, "last") for t in TEXTS], atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "max", "cls", "last"])
def test_padding_on_either_side_changes_nothing(pooling):
    import torch

    states = torch.randn(1, 3, 4)
    alone = backbone.pool(states, torch.ones(1, 3, dtype=torch.long), pooling)
    noise = torch.full((1, 2, 4), 99.0)
    for parts, mask in (((noise, states), [0, 0, 1, 1, 1]), ((states, noise), [1, 1, 1, 0, 0])):
        padded = backbone.pool(torch.cat(parts, dim=1), torch.tensor([mask]), pooling)
        torch.testing.assert_close(padded, alone)


def test_a_prefix_is_read_before_every_text(toy_encoder):
    plain = encoders.load(toy_encoder, device="cpu", runtime="torch")
    prefixed = encoders.load(f"{toy_encoder}?prefix=query:%20", device="cpu", runtime="torch")
    np.testing.assert_allclose(prefixed.encode(TEXTS), plain.encode([f"query: {t}" for t in TEXTS]), atol=1e-6)


def test_everything_that_changes_a_vector_changes_the_digest(toy_encoder):
    options = ["", "?prefix=query:%20", "?prefix=query:", "?pooling=cls", "?max_length=16", "?precision=int8"]
    options += ["?precision=bf16", "?prefix=query:%20&pooling=cls"]
    assert len({encoders.digest(toy_encoder + o) for o in options}) == len(options)
    assert encoders.digest(f"{toy_encoder}?prefix=") == encoders.digest(f"{toy_encoder}?pooling=mean")


def test_the_bundled_encoder_keeps_the_digest_under_which_vectors_are_stored():
    assert encoders.digest("minilm-l6").startswith("212f2e0ff29425ee")


def test_a_name_says_the_same_after_it_was_read():
    name = naming.parse("a/b?prefix=query: &pooling=last&max_length=64&precision=bf16")
    assert (name.prefix, name.pooling, name.max_length, name.precision) == ("query: ", "last", 64, "bf16")
    assert naming.parse(str(name)) == name
    assert str(naming.parse("minilm-l6")) == "minilm-l6"
    assert encoders.in_precision("a/b?prefix=x", "int8") == "a/b?prefix=x&precision=int8"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a?pooling=sum", "pooling of an encoder is"),
        ("a?colour=red", "do not exist: colour"),
        ("a?precision=fp8", "fp32, bf16, int8"),
        ("a?max_length=two", "number of tokens"),
        ("a?pooling", "pooling of an encoder is"),
        ("a?prefix=x&prompt=y", "not both"),
        ("?pooling=mean", "needs a name"),
    ],
)
def test_impossible_names_are_refused_in_words(name, words):
    with pytest.raises(LearningError, match=words):
        naming.parse(name)


def test_character_ngrams_take_no_options():
    with pytest.raises(LearningError, match="no options"):
        encoders.load("char-ngrams?pooling=cls")


def test_dense_layers_give_what_sentence_transformers_gives(toy_encoder, tmp_path):
    import sentence_transformers as library
    from sentence_transformers.sentence_transformer import modules as models
    from torch import nn

    parts = [models.Transformer(toy_encoder), models.Pooling(16, pooling_mode="cls")]
    parts += [
        models.Dense(16, 8, activation_function=nn.Tanh()),
        models.Dense(8, 6, bias=False, activation_function=nn.Identity()),
    ]
    theirs = library.SentenceTransformer(modules=[*parts, models.Normalize()], device="cpu")
    theirs.save(str(tmp_path / "st"))
    ours = encoders.load(str(tmp_path / "st"), device="cpu", runtime="torch")
    assert (ours.dimension, encoders.dimension(str(tmp_path / "st"))) == (6, 6)
    np.testing.assert_allclose(ours.encode(TEXTS), theirs.encode(TEXTS), atol=1e-5)
    through_onnx = encoders.load(str(tmp_path / "st"), device="cpu", runtime="onnx-fp32", cache=tmp_path / "cache")
    np.testing.assert_allclose(through_onnx.encode(TEXTS), theirs.encode(TEXTS), atol=1e-5)
    assert encoders.dimension(f"{tmp_path / 'st'}?pooling=mean") == 16


def test_a_module_that_is_not_reproduced_is_refused_until_a_pooling_is_named(house):
    listed = [{"idx": 0, "path": "", "type": "x.Transformer"}, {"idx": 1, "path": "1_LSTM", "type": "x.LSTM"}]
    (house / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(LearningError, match="module “LSTM”"):
        encoders.digest(str(house))
    assert len(encoders.digest(f"{house}?pooling=mean")) == 64


def test_a_pooling_that_is_not_reproduced_is_refused(house):
    (house / "1_Pooling").mkdir()
    (house / "1_Pooling" / "config.json").write_text('{"pooling_mode_weightedmean_tokens": true}')
    with pytest.raises(LearningError, match="pools by weightedmean_tokens"):
        encoders.digest(str(house))


def test_prompts_of_the_model_are_used_by_name_or_by_default(house):
    told = {"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "passage"}
    (house / "config_sentence_transformers.json").write_text(json.dumps(told))
    assert backbone.spec(str(house)).prefix == "passage: "
    assert backbone.spec(f"{house}?prompt=query").prefix == "query: "
    assert backbone.spec(f"{house}?prefix=").prefix == ""
    with pytest.raises(LearningError, match="has no prompt “title”; it has passage, query"):
        backbone.spec(f"{house}?prompt=title")
