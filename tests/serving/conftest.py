from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from apps.accounts.models import User
from apps.accounts.services import make_token
from apps.projects.models import Project
from apps.registry.models import Deployment, ModelVersion
from tests.workers.serve.processes import Serving, head, serving

Promote = Callable[..., ModelVersion]


@pytest.fixture(scope="module")
def process() -> Iterator[Serving]:
    with serving(Path(django_settings.HOME), secret=django_settings.SECRET_KEY) as running:
        yield running


@pytest.fixture
def answering(process: Serving, settings) -> Serving:
    settings.SERVE_URL = process.url
    return process


@pytest.fixture
def promote(project: Project) -> Promote:
    """A version that always says one label, live."""

    def live(says: int = 0, *, task: str = "single", strength: float = 4.0, number: int | None = None) -> ModelVersion:
        number = number or ModelVersion.objects.filter(project=project).count() + 1
        order = [[label.pk, label.name] for label in project.labels.order_by("position")]
        path = f"{project.pk}/{number}"
        models = Path(django_settings.HOME) / "models"
        _path, digest = head(models, path, says=says, k=len(order), task=task, order=order, strength=strength)
        version = ModelVersion.objects.create(
            project=project,
            number=number,
            kind=ModelVersion.Kind.HEAD,
            task=task,
            encoder="char-ngrams",
            encoder_digest="e" * 64,
            label_order=order,
            thresholds=[0.5] * len(order) if task == "multi" else [],
            snapshot_hash="s" * 64,
            seed=0,
            config={},
            path=path,
            digest=digest,
        )
        deploy(project, version)
        return version

    return live


def deploy(project: Project, version: ModelVersion) -> Deployment:
    newest = Deployment.objects.filter(project=project).order_by("-sequence").first()
    return Deployment.objects.create(
        project=project,
        version=version,
        previous=newest.version if newest else None,
        kind=Deployment.Kind.PROMOTE,
        sequence=newest.sequence + 1 if newest else 1,
    )


@pytest.fixture
def bearer() -> Callable[..., dict[str, str]]:
    def headers(user: User, *scopes: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {make_token(user, name='host', scopes=list(scopes), days=None)[1]}"}

    return headers
