"""How a transformer is trained: every setting, what it means, and what is impossible. No torch: forms read this too."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from ..types import LearningError

Event = dict[str, Any]
OnEvent = Callable[[Event], None]

Method = Literal["full", "lora", "adalora", "prefix", "ia3", "setfit"]
Schedule = Literal["linear", "cosine"]
Balance = Literal["none", "weights", "resample"]
Precision = Literal["auto", "fp32", "bf16"]
METHODS: tuple[str, ...] = get_args(Method)
CHOICES = {
    "method": METHODS,
    "schedule": get_args(Schedule),
    "balance": get_args(Balance),
    "precision": get_args(Precision),
}
ADAPTERS = ("lora", "adalora", "prefix", "ia3")  # the methods that leave the encoder's own weights alone

# peak learning rates where none is given: few weights take larger steps, and the few-shot stage must not lose what the
# encoder knows
RATES = {"lora": 1e-3, "adalora": 2e-3, "prefix": 1e-2, "ia3": 1e-2, "setfit": 5e-5}

# lowest and highest value that makes sense; both may be taken
LIMITS: dict[str, tuple[float, float]] = {
    "epochs": (1, 100_000),
    "learning_rate": (1e-8, 1.0),
    "head_learning_rate": (1e-8, 1.0),
    "layer_decay": (0.1, 1.0),
    "batch_size": (1, 4_096),
    "accumulation": (1, 1_024),
    "warmup": (0.0, 0.9),
    "weight_decay": (0.0, 1.0),
    "clip": (1e-3, 1e6),
    "label_smoothing": (0.0, 0.5),
    "patience": (1, 100_000),
    "dev_share": (0.0, 0.499),
    "max_length": (0, 100_000),
    "start_c": (0.0, 1e6),
    "augment": (0.0, 0.5),
    "rank": (1, 512),
    "alpha": (1, 1_024),
    "dropout": (0.0, 0.9),
    "virtual_tokens": (1, 256),
    "pairs": (1, 1_000),
    "contrastive_epochs": (1, 100),
    "replay": (0.0, 1.0),
    "checkpoint_seconds": (0.0, 86_400.0),
    "threads": (1, 1_024),
}


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one fine-tuning run. `defaults.choose` fills it by the size of the data."""

    method: Method = "full"
    epochs: int = 8  # most of them; early stopping ends sooner
    learning_rate: float = 1e-4  # peak, after warm-up
    head_learning_rate: float = 1e-2  # the linear layer works on unit vectors and needs larger steps
    layer_decay: float = 1.0  # each layer below learns this much slower than the one above (Howard & Ruder 2018)
    batch_size: int = 32  # examples per forward pass
    accumulation: int = 1  # batches per step of the optimiser
    warmup: float = 0.1  # share of all steps
    schedule: Schedule = "linear"  # how the rate falls to zero after the warm-up
    weight_decay: float = 0.01
    clip: float = 1.0  # largest norm of the gradient
    label_smoothing: float = 0.0  # share of the truth spread over the other labels (Szegedy et al. 2016)
    balance: Balance = "none"  # rare labels: weigh their loss, or draw their examples more often
    patience: int = 10  # epochs without a better dev loss; as many as `epochs`: no early stop, the last one is kept
    dev_share: float = 0.1  # of the labelled pool, for early stopping; never the hold-out
    max_length: int = 0  # tokens; 0 means the 99th percentile of the texts
    start_c: float = 30.0  # of the head that the linear layer starts from; 0 starts from chance
    train_embeddings: bool = False  # word vectors of unseen words would only decay; frozen they also halve the state
    precision: Precision = "auto"
    gradient_checkpointing: bool = False  # recompute states instead of keeping them: less memory, a third more time
    augment: float = 0.0  # share of tokens masked or dropped while training
    rank: int = 8  # lora, adalora: of the two small matrices beside each large one
    alpha: int = 16  # lora, adalora: the product is scaled by alpha / rank
    dropout: float = 0.1  # lora, adalora: inside the adapter
    virtual_tokens: int = 16  # prefix: learnt keys and values in front of each layer
    pairs: int = 3  # setfit: partners of the same label drawn per example; the rest of the batch contrasts
    contrastive_epochs: int = 1  # setfit: times that so many are drawn anew
    parent: str = ""  # folder of the artefact to go on from; "" starts from the base encoder
    replay: float = 0.1  # with a parent: share of older examples mixed in, balanced over classes
    tensorboard: bool = False  # write event files beside the artefact
    mlflow_uri: str = ""  # also log there; needs mlflow installed
    checkpoint_seconds: float = 30.0
    threads: int | None = None

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Config":
        """From a form, a job file or the command line. Unknown names and impossible values are refused in words."""
        known = {f.name: f for f in fields(cls)}
        if unknown := sorted(set(values) - set(known)):
            raise LearningError(f"Unknown training settings: {', '.join(unknown)}.")
        checked = {name: _value(name, value, known[name].default) for name, value in values.items()}
        if checked.get("method") in RATES:
            checked.setdefault("learning_rate", RATES[checked["method"]])
        return cls(**checked)


def _value(name: str, value: Any, default: Any) -> Any:
    if name == "threads" and value is None:
        return None
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise LearningError(f"The setting {name} is either true or false.")
        return value
    if isinstance(default, str):
        return _word(name, value)
    return _number(name, value, whole=not isinstance(default, float))


def _word(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise LearningError(f"The setting {name} must be a text.")
    if name in CHOICES and value not in CHOICES[name]:
        raise LearningError(f"The setting {name} is one of {', '.join(CHOICES[name])}; “{value}” is none of them.")
    return value


def _number(name: str, value: Any, *, whole: bool) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LearningError(f"The setting {name} must be a number.")
    low, high = LIMITS[name]
    if not low <= value <= high:  # not a number fails here too
        raise LearningError(f"The setting {name} must lie between {low:g} and {high:g}; {value:g} does not.")
    if whole and value != int(value):
        raise LearningError(f"The setting {name} must be a whole number.")
    return int(value) if whole else float(value)
