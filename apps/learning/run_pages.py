"""What the form for a new run and the page of a run show."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.forms import BoundField

from apps.learning import options, parallel, reports, ways
from apps.learning.forms import RunForm
from apps.learning.models import TrainingRun
from apps.learning.services import wishes
from apps.learning.ways import WAYS, Way
from apps.projects.models import Project
from apps.registry import queries as registry
from apps.registry.models import ModelVersion
from workers.learning.finetune.defaults import Choice

VERSIONS_OFFERED = 30
BUILT_IN = ("minilm-l6", "char-ngrams")


@dataclass(frozen=True, slots=True)
class Chosen:
    """One setting that was chosen for this data, with its reason in the engine's words."""

    label: options.Words
    value: options.Words
    reason: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A way on the form: whether it can be taken now, and whether it is what the data suggest."""

    way: Way
    suggested: bool
    possible: bool


@dataclass(frozen=True, slots=True)
class OfferGroup:
    title: options.Words
    offers: list[Offer]


@dataclass(frozen=True, slots=True)
class OptionFields:
    title: options.Words
    fields: list[BoundField]


def offered_versions(project: Project) -> list[ModelVersion]:
    return list(registry.versions(project)[:VERSIONS_OFFERED])


def encoder_of(project: Project, asked: str = "") -> str:
    return asked.strip() or project.encoder or settings.DEFAULT_ENCODER


@dataclass(frozen=True, slots=True)
class LookedAt:
    """The way that a person looks at, beside the one that the data suggest."""

    way: Way
    suggested: Way
    why: str  # the suggestion, in the engine's words
    choice: Choice  # the settings of the way that is looked at


def looked_at(project: Project, encoder: str, name: str) -> LookedAt:
    choice = wishes.suggestion(project, encoder)
    suggested = ways.of_choice(choice.kind, choice.config.method)
    way, why = WAYS.get(name, suggested), choice.reasons.get("kind", "")
    if way.fine_tunes and choice.kind == "head":
        choice = wishes.suggestion(project, encoder, kind="transformer")
    return LookedAt(way, suggested, why, choice)


def form(project: Project, form: RunForm, way: str, encoder: str) -> dict[str, Any]:
    """Everything around the form's fields. `way` and `encoder` are what the person looks at."""
    found = looked_at(project, encoder_of(project, encoder), way)
    return {
        "project": project,
        "form": form,
        "way": found.way,
        "suggested": found.suggested,
        "is_suggested": found.way == found.suggested,
        "why": found.why,
        "chosen": _chosen(found),
        "groups": offers(project, found.suggested, list(form.known.values())),
        "option_groups": _option_groups(form, found.choice, found.way),
        "encoders": list(dict.fromkeys([project.encoder, *BUILT_IN])),
    }


def _chosen(found: LookedAt) -> list[Chosen]:
    """The settings that were chosen for this data, for ways that have any."""
    if not found.way.fine_tunes:
        return []
    values = asdict(found.choice.config)
    return [
        Chosen(options.OPTIONS[name].label, options.shown(values[name]), reason)
        for name, reason in found.choice.reasons.items()
        if name in options.OPTIONS and found.way.name in options.OPTIONS[name].ways
    ]


def _option_groups(form: RunForm, choice: Choice, way: Way) -> list[OptionFields]:
    """The settings that mean something for a way, by group; an empty field shows what stands in for it."""
    values = (
        options.HEAD
        | asdict(choice.config)
        | {name: value for name, value in way.config.items() if name in options.OPTIONS}
    )
    groups = []
    for group in options.GROUPS:
        names = [option.name for option in group.options if way.name in option.ways]
        for name in names:
            if values[name] not in (None, "") and not isinstance(values[name], bool):
                form.fields[name].widget.attrs["placeholder"] = options.shown(values[name])
        if names:
            groups.append(OptionFields(group.title, [form[name] for name in names]))
    return groups


def offers(project: Project, suggested: Way, versions: Sequence[ModelVersion]) -> list[OfferGroup]:
    """The ways by group. Those that start from versions appear once there are any."""
    groups: list[OfferGroup] = []
    for group in ways.GROUPS:
        found = [
            Offer(way, way == suggested, ways.fits_task(way, project.task_kind) and len(versions) >= way.sources)
            for way in group.ways
        ]
        if versions or not all(offer.way.sources for offer in found):
            groups.append(OfferGroup(group.title, found))
    return groups


def run(found: TrainingRun) -> dict[str, Any]:
    tried = trials(found)
    return {
        "project": found.project,
        "run": found,
        "way": ways.of_run(found),
        "is_live": found.state in TrainingRun.LIVE,
        "curves": reports.curves(found),
        "settings": _settings(found),
        "parents": list(registry.versions(found.project).filter(number__in=found.config.get("parents") or [])),
        "trials": tried,
        "best": parallel.best_of(tried),
        "varied": parallel.varied(tried),
        "picture": parallel.draw(tried),
    }


def trials(found: TrainingRun) -> list[parallel.Trial]:
    """In the order in which they were made; none for a run that is no search."""
    if found.kind != TrainingRun.Kind.SEARCH:
        return []
    rows = found.trials.order_by("number")
    return [parallel.Trial(row.number, row.params, row.value, row.state, row.seconds) for row in rows]


def _settings(found: TrainingRun) -> list[tuple[options.Words, options.Words]]:
    """What the run was asked to do, in words: the settings that differ from the plain ones."""
    values = found.config.get("options") or {}
    named = {"epochs": found.config.get("epochs"), "learning_rate": found.config.get("learning_rate")} | values
    fine_tunes = found.kind in (TrainingRun.Kind.TRANSFORMER, TrainingRun.Kind.SEARCH)
    return [
        (options.name_of(name), options.shown(value))
        for name, value in named.items()
        if value is not None and name not in ("method", "parent") and (fine_tunes or name in values)
    ]
