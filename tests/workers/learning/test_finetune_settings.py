"""Settings: what is impossible, and what is chosen for somebody who only presses Train."""

import subprocess
import sys

import pytest

from workers.learning.finetune.config import CHOICES, LIMITS, Config
from workers.learning.finetune.defaults import choose
from workers.learning.types import LearningError

MINE = {"encoder": "minilm-l6", "device": "cpu"}


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"epoch": 3}, "Unknown training settings: epoch"),
        ({"epochs": 0}, "between 1"),
        ({"epochs": 2.5}, "whole number"),
        ({"epochs": "3"}, "must be a number"),
        ({"epochs": True}, "must be a number"),
        ({"learning_rate": float("nan")}, "between"),
        ({"augment": 0.6}, "between 0 and 0.5"),
        ({"dev_share": 0.9}, "0.499"),
        ({"method": "magic"}, "none of them"),
        ({"tensorboard": "yes"}, "true or false"),
        ({"parent": 3}, "must be a text"),
    ],
)
def test_impossible_settings_are_refused_in_words(config, word):
    with pytest.raises(LearningError, match=word):
        Config.of(config)


def test_numbers_take_the_kind_of_their_setting():
    config = Config.of({"epochs": 3.0, "learning_rate": 1, "threads": None})
    assert (config.epochs, type(config.epochs)) == (3, int)
    assert type(config.learning_rate) is float


def test_every_number_has_limits_and_its_default_lies_within():
    plain = Config()
    for name, (low, high) in LIMITS.items():
        assert getattr(plain, name) is None or low <= getattr(plain, name) <= high
    for name, values in CHOICES.items():
        assert getattr(plain, name) in values


@pytest.mark.parametrize("task", ["single", "multi", "spans"])
@pytest.mark.parametrize("n", [10, 400, 4_000, 100_000])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_choice_is_possible_and_every_chosen_setting_has_a_reason(task, n, device):
    choice = choose(task, n, 10, encoder="minilm-l6", device=device, lengths=[30] * 90 + [900] * 10)
    Config.of(choice.changed())
    assert set(choice.changed()) <= set(choice.reasons)
    assert all(reason.endswith(".") for reason in choice.reasons.values())


@pytest.mark.parametrize(
    ("task", "n", "k", "encoder", "kind"),
    [
        ("single", 100, 2, "minilm-l6", "head"),
        ("single", 300, 77, "minilm-l6", "head"),
        ("single", 500, 77, "minilm-l6", "transformer"),
        ("single", 9_000, 2, "char-ngrams", "head"),
        ("spans", 40, 3, "minilm-l6", "transformer"),
    ],
)
def test_the_kind_follows_from_the_data(task, n, k, encoder, kind):
    assert choose(task, n, k, encoder=encoder, device="cpu").kind == kind


def test_somebody_who_wants_a_transformer_gets_its_settings():
    choice = choose("single", 60, 5, kind="transformer", **MINE)
    assert choice.kind == "transformer"
    assert choice.config.epochs > 3
    assert choose("single", 60, 5, **MINE).config == Config()


def test_more_data_needs_fewer_passes():
    assert choose("single", 500, 5, **MINE).config.epochs > choose("single", 9_000, 5, **MINE).config.epochs


def test_settings_are_read_without_torch():
    code = (
        "import sys; from workers.learning.finetune import Config; import workers.learning.finetune.defaults; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
