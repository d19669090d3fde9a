"""From a finished run to a version on record, and from a version on record to the one that serves."""

import os
import shutil
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.feedback.services import outcomes
from apps.learning.models import TrainingRun
from apps.learning.services import evaluation, gate, jobs, repredictions, runs
from apps.learning.services.jobs import models_root
from apps.projects.models import Project
from apps.registry import queries as registry
from apps.registry import services as registrar
from apps.registry.models import Deployment, ModelVersion


def folder_of(version: ModelVersion) -> Path:
    return models_root() / version.path


def record(run: TrainingRun, artefact: Path, manifest: dict[str, Any]) -> ModelVersion | None:
    """Give a finished run's artefact its place and its row, in that order: a row never points at nothing.

    A crash in between leaves a folder without a row, which the next attempt replaces. None: the run is no longer this
    attempt's to finish.
    """
    number, parents = registry.next_number(run.project), jobs.parents_of(run)
    path = f"{run.project_id}/{number}"
    _place(artefact, models_root() / path)
    try:
        with transaction.atomic():
            version = ModelVersion.objects.create(
                project=run.project,
                number=number,
                kind=manifest["kind"],
                task=manifest["task"],
                encoder=manifest["encoder"],
                encoder_digest=manifest["encoder_digest"],
                label_order=manifest["label_order"],
                thresholds=manifest["thresholds"],
                snapshot_hash=run.snapshot.hash if run.snapshot else _inherited(parents),
                seed=run.seed,
                config=_config(run, manifest["config"]),
                metrics=manifest["metrics"],
                parent=parents[0] if parents else registry.live_version(run.project),
                path=path,
                digest=manifest["digest"],
                created_by=run.by,
            )
            repredictions.want(version, pool=False)
            if runs.report(run, version=version) is None:
                raise repredictions.Superseded("")
            return version
    except (repredictions.Superseded, IntegrityError):
        return None


def _inherited(parents: list[ModelVersion]) -> str:
    """What was made of versions that learnt from one and the same snapshot learnt from it too."""
    hashes = {version.snapshot_hash for version in parents}
    return hashes.pop() if len(hashes) == 1 else ""


def _config(run: TrainingRun, config: dict[str, Any]) -> dict[str, Any]:
    """What decided the model; folders of this machine mean nothing elsewhere, so parents are named by number."""
    said = {name: value for name, value in config.items() if name not in ("parent", "parents")}
    return said | {
        "made_by": run.kind,
        "parents": run.config.get("parents", []),
        "left_out": run.config.get("left_out", []),
    }


def _place(artefact: Path, target: Path) -> None:
    """The whole folder under its new name or nothing. Hard links: the run keeps its files until it has succeeded."""
    temporary = target.with_name(f".{target.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(artefact, temporary, copy_function=_link)
    if target.exists():
        shutil.rmtree(target)
    temporary.replace(target)
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        # another file system, or one without hard links
        shutil.copy2(source, target)
    return target


@transaction.atomic
def promote(project: Project, version: ModelVersion, *, by: User, why: str = "", seen: int | None = None) -> Deployment:
    """Let a version serve. The verdict it was decided on is stored beside who and why."""
    serving = registry.serving(project)
    verdict = evaluation.compare(version, serving.version if serving else None)
    if not why.strip() and (objections := gate.objections(version, verdict)):
        raise InvalidInput(
            _("%(sentence)s If it should go live all the same, say why.") % {"sentence": " ".join(objections)},
            field="why",
        )
    return _deployed(project, version, Deployment.Kind.PROMOTE, serving, verdict, by=by, why=why, seen=seen)


@transaction.atomic
def roll_back(
    project: Project, version: ModelVersion, *, by: User, why: str = "", seen: int | None = None
) -> Deployment:
    """Let a version serve again that served before. Its artefact and predictions are still there.

    Always allowed: what it breaks is recorded, and its tickets come back.
    """
    if not registry.has_served(version):
        raise DomainError(_("%(version)s was never live, so there is nothing to roll back to.") % {"version": version})
    serving = registry.serving(project)
    verdict = evaluation.compare(version, serving.version if serving else None)
    return _deployed(project, version, Deployment.Kind.ROLLBACK, serving, verdict, by=by, why=why, seen=seen)


def _deployed(
    project: Project,
    version: ModelVersion,
    kind: Deployment.Kind,
    serving: Deployment | None,
    verdict: evaluation.Comparison,
    *,
    by: User,
    why: str,
    seen: int | None,
) -> Deployment:
    """What serves has its predictions of the whole pool kept up to date, and the tickets follow it."""
    held_against = serving.sequence if serving else 0  # the verdict is about this one; another means: decide anew
    deployment = registrar.deploy(
        project,
        version,
        kind=kind,
        by=by,
        why=why.strip(),
        verdict=verdict.as_dict(),
        seen=held_against if seen is None else seen,
    )
    repredictions.want(version, pool=True)
    outcomes.after_deployment(deployment)
    return deployment


def manifest(version: ModelVersion) -> dict[str, Any]:
    """What the version's row says about it: everything but the weights."""
    return {
        "version": version.number,
        "kind": version.kind,
        "task": version.task,
        "encoder": version.encoder,
        "encoder_digest": version.encoder_digest,
        "label_order": version.label_order,
        "thresholds": version.thresholds,
        "snapshot_hash": version.snapshot_hash,
        "seed": version.seed,
        "config": version.config,
        "metrics": version.metrics,
        "parent": version.parent.number if version.parent else None,
        "digest": version.digest,
        "created_at": version.created_at.isoformat(),
    }
