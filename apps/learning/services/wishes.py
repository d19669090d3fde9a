"""What a person may ask of a training run, and the refusals, in words, before any work is done."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.common.errors import DomainError, InvalidInput
from apps.common.numbers import listed
from apps.learning import queries
from apps.learning.models import TrainingRun
from apps.learning.queries import LabelCount
from apps.projects.models import Label, Project
from apps.registry import queries as registry
from apps.registry.models import ModelVersion
from workers.learning.finetune import Config, defaults
from workers.learning.types import LearningError

Kind = TrainingRun.Kind

LEAST_EXAMPLES = {Kind.HEAD: 10, Kind.TRANSFORMER: 40, Kind.SEARCH: 40, Kind.DISTIL: 0, Kind.PRUNE: 0}
NAMED = 5  # labels named in a refusal before "and 12 more"
CHAR_NGRAMS = "char-ngrams"
HEAD_OPTIONS: dict[str, Any] = {  # allowed values, or the largest number
    "c": 1e6,
    "balance": ("none", "weights"),
    "features": ("vectors", "ngrams", "both"),
}
TRIALS = (1, 200)  # of a search: fewest, most
MOST_PARENTS = 10
LENGTHS = 2_000  # texts that are looked at for a length
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")  # scripts that put no space between words


@dataclass(frozen=True, slots=True)
class Wish:
    """`options` are settings of finetune.Config by name; for the kinds that derive a version from others they are
    int8 (onnx), share (prune), student (distil: "head" or an encoder)."""

    kind: str  # a TrainingRun.Kind
    encoder: str = ""  # the project's own, or that of the first parent
    seed: int = 0
    epochs: int | None = None
    learning_rate: float | None = None
    leave_out: bool = False  # labels without an example
    method: str = ""  # of fine-tuning; empty: what suits the data
    options: Mapping[str, Any] = field(default_factory=dict)
    parents: tuple[int, ...] = ()  # numbers of versions: what is derived from, or what a transformer goes on from
    trials: int | None = None  # of a search
    weak_labels: bool | None = None  # listen to users as well; None: as the project's policy says


@dataclass(frozen=True, slots=True)
class Plan:
    """A wish that can be granted: the labels in the order of the model, and the run's config."""

    labels: list[Label]
    config: dict[str, Any]
    freezes: bool  # whether the run learns from a snapshot of the labels


def suggestion(project: Project, encoder: str = "", kind: defaults.Kind | None = None) -> defaults.Choice:
    """What suits the labels as they stand, every setting with its reason; `kind` when that is decided already."""
    counts = [count for count in queries.label_counts(project) if count.n]
    return _suggested(project, encoder or project.encoder or settings.DEFAULT_ENCODER, len(counts), kind)


def _suggested(project: Project, encoder: str, k: int, kind: defaults.Kind | None) -> defaults.Choice:
    texts = queries.some_texts(project, LENGTHS)
    return defaults.choose(
        project.task_kind,  # type: ignore[arg-type]
        queries.n_examples(project),
        k,
        encoder=encoder,
        device="cuda" if settings.DEVICE.startswith("cuda") else "cpu",
        lengths=[len(text.split()) + len(_WIDE.findall(text)) for text in texts],
        kind=kind,
    )


def plan(project: Project, wish: Wish) -> Plan:
    """Raises DomainError with a sentence when nothing could come of it."""
    if wish.kind not in Kind.values:
        raise InvalidInput(_("There is no such kind of training."), field="kind")
    if queries.live_run(project):
        raise one_at_a_time()
    return _derived(project, wish) if wish.kind in TrainingRun.DERIVED else _taught(project, wish)


def one_at_a_time() -> DomainError:
    return DomainError(_("Another run of this project is still going. Wait for it or cancel it first."))


# --- learning from labels ------------------------------------------------------------------------------
def _taught(project: Project, wish: Wish) -> Plan:
    encoder = wish.encoder or project.encoder or settings.DEFAULT_ENCODER
    if wish.kind != Kind.HEAD and encoder == CHAR_NGRAMS:
        raise InvalidInput(_("Character n-grams are no transformer: choose a published head."), field="encoder")
    if wish.kind == Kind.HEAD and project.task_kind == Project.TaskKind.SPANS:
        raise InvalidInput(
            _("A head reads a text as a whole and cannot mark spans in it: fine-tune a transformer."), field="kind"
        )
    counts = queries.label_counts(project)
    taught = _refuse_hopeless(project, counts, wish)
    return Plan(
        [count.label for count in taught],
        {
            "task": project.task_kind,
            "encoder": encoder,
            "left_out": [count.label.name for count in counts if not count.n],
            "labels": [[count.label.pk, count.label.name] for count in taught],
        }
        | ({"weak_labels": True} if _listens(project, wish) else {})
        | _settings(project, wish, encoder, len(taught)),
        freezes=True,
    )


def _listens(project: Project, wish: Wish) -> bool:
    """Whether what users said is learnt from: only by choice, the run's or the project's."""
    single = project.task_kind == Project.TaskKind.SINGLE
    if wish.weak_labels and not single:
        raise InvalidInput(_("What users say can be learnt from only where a text has one label."), field="weak_labels")
    if wish.weak_labels is None:
        return single and queries.listens_to_users(project)
    return wish.weak_labels


def _settings(project: Project, wish: Wish, encoder: str, k: int) -> dict[str, Any]:
    """What was chosen, by the person first and by the size of the data where nothing was said."""
    if wish.kind == Kind.HEAD:
        return {"options": _head_options(wish.options), "parents": []}
    given = dict(wish.options) | {
        name: value
        for name, value in (
            ("method", wish.method),
            ("epochs", wish.epochs),
            ("learning_rate", wish.learning_rate),
        )
        if value
    }
    if "parent" in given:
        raise InvalidInput(_("Name the version to go on from by its number."), field="parents")
    try:
        config = Config.of(_suggested(project, encoder, k, "transformer").changed() | given)
    except LearningError as error:
        raise InvalidInput(str(error), field="options") from error
    found = {
        "options": {name: value for name, value in asdict(config).items() if value != getattr(Config(), name)},
        "method": config.method,
        "epochs": config.epochs,
        "learning_rate": config.learning_rate,
        "parents": [version.number for version in _gone_on_from(project, wish, encoder)],
    }
    return found | ({"trials": _trials(wish)} if wish.kind == Kind.SEARCH else {})


def _head_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """How strongly the fit trusts the examples, how it weighs rare labels, what it reads."""
    for name, value in given.items():
        known = HEAD_OPTIONS.get(name)
        if known is None:
            raise InvalidInput(_("There is no setting called “%(name)s” here.") % {"name": name}, field="options")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value not in known if isinstance(known, tuple) else not (number and 0 < value <= known):
            raise InvalidInput(_("The setting %(name)s cannot be that.") % {"name": name}, field="options")
    return dict(given)


def _gone_on_from(project: Project, wish: Wish, encoder: str) -> list[ModelVersion]:
    if not wish.parents:
        return []
    parents = _versions(project, wish.parents)
    if len(parents) != 1 or parents[0].kind != ModelVersion.Kind.TRANSFORMER:
        raise InvalidInput(_("Training goes on from one fine-tuned transformer."), field="parents")
    if parents[0].encoder != encoder:
        raise InvalidInput(
            _("%(version)s was made from the encoder %(encoder)s; go on with that one.")
            % {"version": parents[0], "encoder": parents[0].encoder},
            field="encoder",
        )
    return parents


def _trials(wish: Wish) -> int:
    trials = 20 if wish.trials is None else wish.trials
    if not TRIALS[0] <= trials <= TRIALS[1]:
        raise InvalidInput(
            _("A search makes %(least)d to %(most)d trials.") % {"least": TRIALS[0], "most": TRIALS[1]}, field="trials"
        )
    return trials


def _refuse_hopeless(project: Project, counts: list[LabelCount], wish: Wish) -> list[LabelCount]:
    taught = [count for count in counts if count.n]
    if project.task_kind == Project.TaskKind.ENGAGEMENT and len(taught) < len(counts):
        raise DomainError(
            _("Clicks cannot be learnt yet: some items must have been shown and clicked, and some shown and not.")
        )
    fewest = 1 if project.task_kind == Project.TaskKind.SPANS else 2
    if len(taught) < fewest:
        raise DomainError(
            _("A model needs examples of at least two labels; so far %(n)d has some. Label more content first.")
            % {"n": len(taught)}
            if fewest > 1
            else _("No span is marked yet. Label some content first.")
        )
    n, least = queries.n_examples(project), LEAST_EXAMPLES[Kind(wish.kind)]
    if n < least:
        raise DomainError(
            _("%(kind)s needs at least %(least)d labelled examples; there are %(n)d. Label %(more)d more first.")
            % {"kind": Kind(wish.kind).label, "least": least, "n": n, "more": least - n}
        )
    missing = [count.label.name for count in counts if not count.n]
    if missing and not wish.leave_out:
        raise InvalidInput(
            ngettext(
                "No example yet of %(names)s. Label one, or tick “leave these labels out”: the model will then "
                "never answer with it.",
                "No example yet of %(names)s. Label some, or tick “leave these labels out”: the model will then "
                "never answer with them.",
                len(missing),
            )
            % {"names": _enumerated(missing)},
            field="leave_out",
        )
    return taught


def _enumerated(names: list[str]) -> str:
    shown = listed(f"“{name}”" for name in names[:NAMED])
    rest = len(names) - NAMED
    return shown if rest <= 0 else _("%(names)s and %(rest)d more") % {"names": shown, "rest": rest}


# --- made of versions that are there -------------------------------------------------------------------
def _derived(project: Project, wish: Wish) -> Plan:
    if wish.weak_labels:
        raise InvalidInput(_("Only a run that learns from labels can listen to users."), field="weak_labels")
    parents = _versions(project, wish.parents)
    if not parents:
        raise InvalidInput(_("Say which version it should be made of."), field="parents")
    first = parents[0]
    if wish.kind == Kind.ENSEMBLE:
        _refuse_choir(parents)
    elif len(parents) > 1:
        raise InvalidInput(_("It is made of one version; you named %(n)d.") % {"n": len(parents)}, field="parents")
    else:
        _refuse_source(first, Kind(wish.kind), wish.options)
    config = {
        "task": first.task,
        "encoder": first.encoder,
        "left_out": [],
        "labels": first.label_order,
        "options": _derived_options(Kind(wish.kind), wish.options),
        "parents": [version.number for version in parents],
    }
    labels = {label.pk: label for label in project.labels.all()}
    order = [labels[pk] for pk, _name in first.label_order if pk in labels]
    return Plan(order, config, freezes=wish.kind in (Kind.PRUNE, Kind.DISTIL))


def _refuse_choir(parents: Sequence[ModelVersion]) -> None:
    if len(parents) < 2:
        raise InvalidInput(_("An ensemble needs at least two versions."), field="parents")
    if any(version.label_order != parents[0].label_order for version in parents):
        raise InvalidInput(
            _("The versions of an ensemble need the same labels in the same order; train them on the same labels."),
            field="parents",
        )
    if any(version.kind == ModelVersion.Kind.ENSEMBLE for version in parents):
        raise InvalidInput(_("An ensemble cannot hold another ensemble: name its versions."), field="parents")


def _refuse_source(source: ModelVersion, kind: TrainingRun.Kind, options: Mapping[str, Any]) -> None:
    made = ModelVersion.Kind
    if source.kind in (made.ONNX, made.ENSEMBLE) and kind != Kind.DISTIL:
        raise InvalidInput(
            _("%(version)s was itself derived; choose the version that it was made of.") % {"version": source},
            field="parents",
        )
    if kind == Kind.PRUNE and source.kind != made.TRANSFORMER:
        raise InvalidInput(_("Only a fine-tuned transformer has weights to prune."), field="parents")
    if kind == Kind.ONNX and source.encoder == CHAR_NGRAMS:
        raise InvalidInput(
            _("Character n-grams are counted, not computed by a network: there is nothing to export."), field="parents"
        )
    if kind == Kind.DISTIL and source.task == Project.TaskKind.SPANS and options.get("student", "head") == "head":
        raise InvalidInput(_("A head cannot mark spans: choose a smaller encoder as the student."), field="options")


_DERIVED_OPTIONS: dict[str, dict[str, Any]] = {
    Kind.ONNX: {"int8": True},
    Kind.PRUNE: {"share": 0.3},
    Kind.DISTIL: {"student": "head"},
    Kind.ENSEMBLE: {},
}


def _derived_options(kind: TrainingRun.Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    """Only what this kind knows, of the right type."""
    known = _DERIVED_OPTIONS[kind]
    for name, value in given.items():
        if name not in known:
            raise InvalidInput(_("There is no setting called “%(name)s” here.") % {"name": name}, field="options")
        if not isinstance(value, type(known[name])):
            raise InvalidInput(_("The setting %(name)s cannot be that.") % {"name": name}, field="options")
    chosen = known | dict(given)
    if "share" in chosen and not 0 < chosen["share"] < 1:
        raise InvalidInput(_("The share of weights to prune lies between 0 and 1."), field="options")
    return chosen


def _versions(project: Project, numbers: Sequence[int]) -> list[ModelVersion]:
    if len(set(numbers)) != len(numbers) or len(numbers) > MOST_PARENTS:
        raise InvalidInput(_("Name each version once, and at most %(most)d.") % {"most": MOST_PARENTS}, field="parents")
    found = {version.number: version for version in registry.versions(project).filter(number__in=numbers)}
    for number in numbers:
        if number not in found:
            raise InvalidInput(_("There is no version %(number)d.") % {"number": number}, field="parents")
    return [found[number] for number in numbers]
