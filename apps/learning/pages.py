"""What the Train pages show, gathered from queries and services."""

from dataclasses import dataclass
from typing import Any

from apps.feedback.services import outcomes
from apps.feedback.services.outcomes import CaseChanges
from apps.learning import answers, case_pages, headlines, queries, reports
from apps.learning.models import Evaluation, Repredict, TrainingRun
from apps.learning.queries import LabelCount
from apps.learning.services import evaluation, stopping
from apps.learning.services.evaluation import Comparison
from apps.projects.models import Label, Project
from apps.registry import queries as registry
from apps.registry.models import Deployment, ModelVersion
from workers.learning.types import StoppingAdvice

RUNS, VERSIONS, HISTORY, SMALLEST, LISTED = 8, 12, 12, 6, 50


@dataclass(frozen=True, slots=True)
class Data:
    """What there is to learn from and to measure on."""

    counts: list[LabelCount]
    examples: int
    missing: list[LabelCount]
    smallest: list[LabelCount]
    taught: int  # labels with examples
    holdout: int
    holdout_target: int


@dataclass(frozen=True, slots=True)
class Measured:
    version: ModelVersion
    evaluation: Evaluation | None
    served: bool


def data(project: Project) -> Data:
    counts = queries.label_counts(project)
    filled = sorted((count for count in counts if count.n), key=lambda count: count.n)
    return Data(
        counts=counts,
        examples=queries.n_examples(project),
        missing=[count for count in counts if not count.n],
        smallest=filled[:SMALLEST],
        taught=len(filled),
        holdout=len(queries.holdout_truth(project)),
        holdout_target=project.holdout_target,
    )


def train(project: Project) -> dict[str, Any]:
    live = registry.serving(project)
    candidate = _candidate(project, live)
    verdict = evaluation.compare(candidate, live.version if live else None) if candidate else None
    return {
        "project": project,
        "live": live,
        "live_evaluation": evaluation.latest(live.version) if live else None,
        "progress": progress(live.version) if live else None,
        "candidate": candidate,
        "candidate_evaluation": evaluation.latest(candidate) if candidate else None,
        "comparison": verdict,
        "interval": _interval(verdict),
        "data": data(project),
        "advice": _advice(project),
        "versions": _measured(project),
        "metric_name": headlines.NAMES[headlines.OF_TASK[project.task_kind]],
        "deployments": list(registry.deployments(project)[:HISTORY]),
        "roll_back_to": live.previous if live else None,
        "going_back": _going_back(live),
        "seen": live.sequence if live else 0,
        **runs(project),
    }


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether more labels are worth their while. Never more than advice."""

    sentence: str
    found: StoppingAdvice


def _advice(project: Project) -> Advice | None:
    found = stopping.advice(project)
    return Advice(stopping.sentence(found), found) if found else None


def _interval(verdict: Comparison | None) -> reports.Interval | None:
    if verdict is not None and verdict.metric == "log_loss":
        return None  # nats have no axis of points
    if verdict is None or verdict.low is None or verdict.high is None or verdict.difference is None:
        return None
    return reports.interval(verdict.low, verdict.difference, verdict.high)


def runs(project: Project) -> dict[str, Any]:
    found = list(queries.runs(project)[:RUNS])
    return {"project": project, "runs": found, "run_is_live": any(run.state in TrainingRun.LIVE for run in found)}


def _candidate(project: Project, live: Deployment | None) -> ModelVersion | None:
    """The newest version, when it is newer than what serves and has not served before."""
    newest = registry.versions(project).first()
    if newest is None or (live and newest.number <= live.version.number) or registry.has_served(newest):
        return None
    return newest


def _going_back(live: Deployment | None) -> CaseChanges | None:
    """What rolling back would do to the regression cases."""
    return outcomes.changes(live.previous, live.version) if live and live.previous else None


def progress(version: ModelVersion) -> Repredict | None:
    job = queries.repredict_of(version)
    return job if job and (job.finished_at is None or job.error) else None


def _measured(project: Project) -> list[Measured]:
    versions = list(registry.versions(project)[:VERSIONS])
    newest = {found.version_id: found for found in Evaluation.objects.filter(version__in=versions).order_by("at", "pk")}
    served = set(Deployment.objects.filter(version__in=versions).values_list("version_id", flat=True))
    return [Measured(version, newest.get(version.pk), version.pk in served) for version in versions]


def labels(project: Project) -> dict[int, Label]:
    return {label.pk: label for label in Label.objects.filter(project=project)}


def comparison(candidate: ModelVersion, against: ModelVersion | None) -> dict[str, Any]:
    verdict: Comparison = evaluation.compare(candidate, against)
    pair, names = [against, candidate] if against else [], labels(candidate.project)
    return {
        "project": candidate.project,
        "version": candidate,
        "against": against,
        "comparison": verdict,
        "interval": _interval(verdict),
        "metric": headlines.NAMES.get(verdict.metric, verdict.metric),
        "evaluations": [(each, headlines.of(found)) for each in pair if (found := evaluation.latest(each))],
        "fixes": answers.judged(verdict.fixes[:LISTED], pair, names),
        "breaks": answers.judged(verdict.breaks[:LISTED], pair, names),
        "cases": verdict.cases,
        "case_groups": case_pages.groups(verdict.cases, pair or [candidate], names) if verdict.cases else [],
        "others": registry.versions(candidate.project).exclude(pk=candidate.pk)[:VERSIONS],
    }
