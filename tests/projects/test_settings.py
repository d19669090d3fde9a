from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.projects.models import Project
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db
GOOD: dict[str, Any] = {
    "name": "Bank",
    "language": "en",
    "guidelines": "# Read",
    "encoder": "minilm-l6",
    "wanted": 2,
    "random_share": 0.2,
    "holdout_share": 0.3,
    "holdout_target": 300,
    "holdout_fraction": 0.1,
    "holdout_cap": 900,
    "lease_seconds": 300,
}


@pytest.fixture
def client(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


def test_settings_are_saved(client: Client, project: Project) -> None:
    assert client.post("/p/bank/settings/", GOOD).status_code == 302
    project.refresh_from_db()
    assert {name: getattr(project, name) for name in GOOD} == GOOD


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("language", "xx"),
        ("wanted", 0),
        ("wanted", 21),
        ("random_share", 1.1),
        ("random_share", "1e999"),
        ("random_share", "nan"),
        ("holdout_share", 0.9),
        ("holdout_fraction", 0.6),
        ("lease_seconds", 5),
        ("encoder", "../../etc/passwd"),
        ("encoder", "x\ny"),
        ("holdout_target", 2**31),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(
    client: Client, project: Project, field: str, value: object
) -> None:
    response = client.post("/p/bank/settings/", GOOD | {field: value})
    assert response.status_code == 422
    assert f'id="id_{field}_error"' in response.content.decode()
    project.refresh_from_db()
    assert project.name == "Bank questions"


def test_what_the_form_does_not_name_cannot_be_set(client: Client, project: Project) -> None:
    client.post("/p/bank/settings/", GOOD | {"slug": "stolen", "task_kind": "spans", "archived_at": "2020-01-01"})
    project.refresh_from_db()
    assert (project.slug, project.task_kind, project.archived_at) == ("bank", "single", None)
