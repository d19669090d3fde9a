"""Every setting of a run: what it is called, what it does in one line, and for which ways it means anything.

Bounds and choices come from the engine; an empty field means “as chosen for this data”.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from workers.learning.finetune.config import CHOICES, LIMITS, Config

Words = str | Promise
FINE_TUNING = ("full", "setfit", "lora", "adalora", "prefix", "ia3", "search", "incremental")
STEPPING = tuple(name for name in FINE_TUNING if name != "setfit")  # those that fine-tune in epochs


@dataclass(frozen=True, slots=True)
class Option:
    name: str
    label: Words
    help: Words
    ways: tuple[str, ...] = FINE_TUNING


@dataclass(frozen=True, slots=True)
class OptionGroup:
    title: Words
    options: tuple[Option, ...]


GROUPS = (
    OptionGroup(
        _("Learning"),
        (
            Option(
                "epochs",
                _("Epochs at most"),
                _("Passes over the examples; early stopping often ends sooner."),
                STEPPING,
            ),
            Option("learning_rate", _("Learning rate"), _("The highest step size, reached after the warm-up.")),
            Option(
                "head_learning_rate",
                _("Learning rate of the last layer"),
                _("It is new and may take larger steps."),
                STEPPING,
            ),
            Option(
                "layer_decay",
                _("Decay per layer"),
                _("Each layer further down learns this much slower; 1 is no decay."),
                ("full", "search"),
            ),
            Option("batch_size", _("Batch size"), _("Examples per pass. Halved by itself when memory runs out.")),
            Option(
                "accumulation",
                _("Batches per step"),
                _("More of them act like a larger batch without its memory."),
                STEPPING,
            ),
            Option("warmup", _("Warm-up"), _("Share of the steps in which the rate rises.")),
            Option("schedule", _("How the rate falls"), _("In a straight line or along a cosine."), STEPPING),
            Option("weight_decay", _("Weight decay"), _("Pulls weights towards zero.")),
            Option("clip", _("Largest gradient"), _("Longer ones are cut to this norm.")),
            Option("patience", _("Patience"), _("Epochs without a better score before it ends."), STEPPING),
            Option(
                "dev_share",
                _("Share kept back"),
                _("Of the labelled pool, to know when to stop. Never the held-out items."),
            ),
        ),
    ),
    OptionGroup(
        _("Labels and texts"),
        (
            Option(
                "balance",
                _("Rare labels"),
                _("Weigh their mistakes more, or draw their examples more often."),
                (*FINE_TUNING, "head"),
            ),
            Option(
                "label_smoothing", _("Label smoothing"), _("Share of the truth spread over the other labels."), STEPPING
            ),
            Option("augment", _("Words hidden"), _("Share of tokens masked or dropped while training."), STEPPING),
            Option("max_length", _("Tokens read per text"), _("0 reads as many as 99 of 100 texts have.")),
        ),
    ),
    OptionGroup(
        _("Method"),
        (
            Option(
                "c",
                _("Trust in the examples"),
                _("C of the logistic regression; less keeps the head simpler."),
                ("head",),
            ),
            Option(
                "features",
                _("What the head reads"),
                _("Letters and words help with spelling and rare names."),
                ("head",),
            ),
            Option(
                "rank",
                _("Rank"),
                _("Of the small matrices: capacity against memory."),
                ("lora", "adalora", "incremental"),
            ),
            Option(
                "alpha",
                _("Scale"),
                _("The small matrices count alpha / rank times."),
                ("lora", "adalora", "incremental"),
            ),
            Option("dropout", _("Dropout"), _("Inside the small matrices."), ("lora", "adalora", "incremental")),
            Option("virtual_tokens", _("Virtual words"), _("Learned in front of each layer."), ("prefix",)),
            Option(
                "pairs",
                _("Pairs per example"),
                _("Alike and unlike texts that each example is held against."),
                ("setfit",),
            ),
            Option("contrastive_epochs", _("Passes over the pairs"), _("One is mostly enough."), ("setfit",)),
            Option("start_c", _("Start from a head"), _("Its C; 0 starts the last layer from chance."), STEPPING),
            Option(
                "train_embeddings",
                _("Train word vectors too"),
                _("Worth it for languages that the encoder hardly knows."),
                ("full", "search"),
            ),
            Option(
                "replay",
                _("Share of older examples"),
                _("Mixed in, balanced over the labels, against forgetting."),
                ("incremental",),
            ),
        ),
    ),
    OptionGroup(
        _("Machine and records"),
        (
            Option("precision", _("Precision"), _("bf16 halves the memory on newer GPUs; auto takes it there.")),
            Option("gradient_checkpointing", _("Save memory"), _("Recomputes instead of keeping; a third slower.")),
            Option("threads", _("Threads"), _("CPU cores it may use.")),
            Option("checkpoint_seconds", _("Seconds between checkpoints"), _("What a crash can cost at most.")),
            Option("tensorboard", _("TensorBoard files"), _("Written beside the run.")),
            Option("mlflow_uri", _("MLflow address"), _("Also log there, if MLflow is installed on the worker.")),
        ),
    ),
)
OPTIONS: dict[str, Option] = {option.name: option for group in GROUPS for option in group.options}
HEAD = {"c": 30.0, "features": "vectors"}  # what a head has besides
_CHOICES = {**CHOICES, "features": ("vectors", "ngrams", "both")}
_LIMITS = {**LIMITS, "c": (1e-3, 1e6)}
_DEFAULTS = {field.name: field.default for field in fields(Config)} | HEAD
CHOICE_WORDS: dict[str, Words] = {
    "linear": _("straight line"),
    "cosine": _("cosine"),
    "none": _("leave them"),
    "weights": _("weigh mistakes"),
    "resample": _("draw more often"),
    "vectors": _("the encoder's vectors"),
    "ngrams": _("letters and words"),
    "both": _("both"),
    "auto": _("automatic"),
    "fp32": _("32 bit"),
    "bf16": _("bf16"),
}


def form_field(option: Option) -> forms.Field:
    """An optional control of the right kind and bounds."""
    common: dict[str, Any] = {"label": option.label, "help_text": option.help, "required": False}
    default = _DEFAULTS[option.name]
    if option.name in _CHOICES:
        words = [(value, CHOICE_WORDS.get(value, value)) for value in _CHOICES[option.name]]
        return forms.ChoiceField(choices=[("", _("as chosen")), *words], **common)
    if isinstance(default, bool):
        yes_no = [("", _("as chosen")), ("yes", _("yes")), ("no", _("no"))]
        return forms.TypedChoiceField(choices=yes_no, coerce=lambda value: value == "yes", empty_value=None, **common)
    if isinstance(default, str):
        return forms.CharField(max_length=300, **common)
    low, high = _LIMITS[option.name]
    if isinstance(default, float):
        return forms.FloatField(
            min_value=low, max_value=high, widget=forms.NumberInput(attrs={"step": "any"}), **common
        )
    return forms.IntegerField(min_value=int(low), max_value=int(high), **common)


def given(cleaned: Mapping[str, Any], way: str) -> dict[str, Any]:
    """What a person set by hand, of the settings that mean something for this way."""
    return {
        name: cleaned[name]
        for name, option in OPTIONS.items()
        if way in option.ways and cleaned.get(name) not in (None, "")
    }


def shown(value: Any) -> Words:
    """A setting's value in words."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, str):
        return CHOICE_WORDS.get(value, value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


_NAMES: dict[str, Words] = {
    "method": _("Method"),
    "int8": _("8-bit weights"),
    "share": _("Share of weights to prune"),
    "student": _("Student"),
}


def name_of(setting: str) -> Words:
    """What people call a setting of the engine."""
    option = OPTIONS.get(setting)
    return option.label if option else _NAMES.get(setting, setting)
