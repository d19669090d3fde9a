"""The OpenAPI document is whole, and whatever fits it is answered without an error of ours."""

from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.urls import Resolver404, ResolverMatch, resolve
from hypothesis import HealthCheck, Phase, given, settings

from apps.accounts import services
from apps.accounts.models import User
from apps.projects.models import Project
from tests.access_objects import Objects

pytestmark = pytest.mark.django_db
EXAMPLES = 6  # per operation; the door to the code behind it is open in each
SMALL = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """The requests run inside the test's transaction, as with Django's own test client."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


def test_the_document_is_valid_and_without_warnings() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())


@pytest.fixture
def headers(alice: User) -> dict[str, str]:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    _row, token = services.make_token(alice, name="fuzz", scopes=["manage"], days=1)
    return {"Authorization": f"Bearer {token}", "Host": "localhost"}


def _aim(case: Any, objects: Objects) -> None:
    """Made-up ids meet only 404; every address here names a row that is there."""
    names = {key: {"id": "pk"}.get(key, key) for key in case.path_parameters or {}}
    match = _resolved(case.path, names)
    real = objects.parameters(match.url_name or "", frozenset(names.values()), objects.owner)
    found = {key: real[name] for key, name in names.items()}
    case.path_parameters = {key: str(value) if isinstance(value, UUID) else value for key, value in found.items()}


def _resolved(path: str, names: dict[str, str]) -> ResolverMatch:
    for made_up in (1, "6a204bd8-9f4e-4bb6-8f0b-0d4a8c3b6f11"):
        with suppress(Resolver404):
            return resolve(path.format(**dict.fromkeys(names, made_up) | {"slug": "bank"}))
    raise Resolver404(path)


def test_nothing_that_fits_the_document_is_answered_with_a_server_error(
    project: Project, alice: User, headers: dict[str, str]
) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", app=get_wsgi_application(), headers=headers)
    objects, broken, met = Objects(project, owner=alice), [], set()

    def meet(operation: Any) -> None:
        @SMALL
        @given(case=operation.as_strategy())
        def run(case: Any) -> None:
            _aim(case, objects)
            mark = transaction.savepoint()
            response = case.call(headers=headers)
            transaction.savepoint_rollback(mark)
            met.add(operation.label)
            # 503 with Retry-After is no fault: the inference process does not run here
            later = response.status_code == 503 and response.headers.get("retry-after")
            if response.status_code >= 500 and not later:
                broken.append(f"{response.status_code} {operation.label} {case.query!r} {case.body!r}"[:400])

        run()

    for found in schema.get_all_operations():
        meet(found.ok())
    assert not broken, "\n".join(broken)
    assert {"GET /api/v1/me/", "PATCH /api/v1/projects/{slug}/"} <= met
