"""The ways to a model that a person can choose from: what each is called, what it does, what it asks a worker for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.learning.models import TrainingRun
from apps.projects.models import Project

Kind = TrainingRun.Kind
Words = str | Promise


@dataclass(frozen=True, slots=True)
class Way:
    name: str
    title: Words
    help: Words
    kind: TrainingRun.Kind
    config: Mapping[str, Any] = field(default_factory=dict)
    sources: int = 0  # versions that it starts from, at least

    @property
    def fine_tunes(self) -> bool:
        return self.kind in (Kind.TRANSFORMER, Kind.SEARCH)


@dataclass(frozen=True, slots=True)
class Group:
    title: Words
    ways: tuple[Way, ...]


_ANEW = (
    Way(
        "head", _("Head only"), _("The encoder stays as it is. Takes seconds; hard to beat with few labels."), Kind.HEAD
    ),
    Way(
        "full",
        _("Full fine-tuning"),
        _("Changes the whole encoder. Best with many labels; takes minutes on a CPU."),
        Kind.TRANSFORMER,
        {"method": "full"},
    ),
    Way(
        "setfit",
        _("Few-shot"),
        _("Pulls texts of one label together first, then fits a head. Made for a handful of examples per label."),
        Kind.TRANSFORMER,
        {"method": "setfit"},
    ),
    Way(
        "lora",
        _("LoRA"),
        _("Trains small matrices beside the large ones and merges them. Less memory, forgets less."),
        Kind.TRANSFORMER,
        {"method": "lora"},
    ),
    Way(
        "adalora",
        _("AdaLoRA"),
        _("LoRA that moves its capacity to the layers that need it."),
        Kind.TRANSFORMER,
        {"method": "adalora"},
    ),
    Way(
        "prefix",
        _("Prefix tuning"),
        _("Learns a few virtual words in front of every layer; the encoder's own weights stay."),
        Kind.TRANSFORMER,
        {"method": "prefix"},
    ),
    Way(
        "ia3",
        _("IA³"),
        _("Learns only how strongly each channel counts: the fewest weights of all."),
        Kind.TRANSFORMER,
        {"method": "ia3"},
    ),
    Way(
        "search",
        _("Search for the best settings"),
        _("Tries settings one after the other, stops hopeless ones early and keeps the best. Takes many times longer."),
        Kind.SEARCH,
    ),
)
_GO_ON = (
    Way(
        "incremental",
        _("Go on from a version"),
        _(
            "LoRA on the newest labels with a share of older ones mixed in. Quicker than starting anew, but it forgets "
            "a little, and texts that were deleted since live on in its weights."
        ),
        Kind.TRANSFORMER,
        {"method": "lora"},
        sources=1,
    ),
)
_SMALLER = (
    Way(
        "onnx",
        _("Export to ONNX"),
        _("The same answers from a file that other programs read, often quicker on a CPU."),
        Kind.ONNX,
        {"int8": False},
        sources=1,
    ),
    Way(
        "onnx_int8",
        _("Export to ONNX with 8-bit weights"),
        _("A quarter of the size and about twice as quick on a CPU; the report says whether the answers changed."),
        Kind.ONNX,
        {"int8": True},
        sources=1,
    ),
    Way(
        "prune",
        _("Prune"),
        _("Sets the smallest weights to zero."),
        Kind.PRUNE,
        sources=1,
    ),
    Way(
        "distil",
        _("Distil"),
        _("A smaller model learns to answer like this one, from labelled and unlabelled texts."),
        Kind.DISTIL,
        sources=1,
    ),
    Way(
        "ensemble",
        _("Join versions"),
        _("Several versions answer together; their probabilities are averaged. Slower, often a little better."),
        Kind.ENSEMBLE,
        sources=2,
    ),
)

GROUPS = (
    Group(_("Learn from all labels anew"), _ANEW),
    Group(_("Go on from a version"), _GO_ON),
    Group(_("Make a version smaller, faster or steadier"), _SMALLER),
)
WAYS: dict[str, Way] = {way.name: way for group in GROUPS for way in group.ways}
NOT_FOR_SPANS = frozenset({"head", "setfit", "distil"})  # nothing reads a whole text as one vector there
NOT_FOR_CLICKS = frozenset({"setfit"})  # pairs of texts need labels that are certain


def of_choice(kind: str, method: str) -> Way:
    """The way that a suggestion means."""
    return WAYS["head" if kind == Kind.HEAD else method]


def of_run(run: TrainingRun) -> Way:
    """The way that a run went, as its row remembers it."""
    config = run.config or {}
    if run.kind == Kind.TRANSFORMER:
        return WAYS["incremental" if config.get("parents") else str(_option(config, "method", "full"))]
    if run.kind == Kind.ONNX:
        return WAYS["onnx_int8" if _option(config, "int8", False) else "onnx"]
    return WAYS[run.kind]


def _option(config: Mapping[str, Any], name: str, default: Any) -> Any:
    return (config.get("options") or config).get(name, default)


def fits_task(way: Way, task: str) -> bool:
    if task == Project.TaskKind.ENGAGEMENT:
        return way.name not in NOT_FOR_CLICKS
    return not (task == Project.TaskKind.SPANS and way.name in NOT_FOR_SPANS)
