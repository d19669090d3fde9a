"""The cast. Alice administers the project, Bob annotates, Rita reviews, Dana is its product manager, Vic may look;
Charlie has an account and nothing to do with it."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.core.cache import cache
from django.middleware import csrf
from django.test import Client

from apps.accounts.models import User
from apps.projects.models import Label, Membership, Project, Role

ClientOf = Callable[[User], Client]
LABELS = ("card arrival", "exchange rate", "top up failed")

# Tokens are drawn anew for every page: of letters and digits, one in four thousand spells "Bob" where no Bob may stand.
csrf.CSRF_ALLOWED_CHARS = "QXZ"


@pytest.fixture(autouse=True)
def _forget_the_last_test() -> None:
    """Throttles and sessions of one test must not reach the next."""
    cache.clear()


@pytest.fixture
def project(db: None) -> Project:
    project = Project.objects.create(slug="bank", name="Bank questions", encoder=settings.DEFAULT_ENCODER)
    Label.objects.bulk_create(
        Label(project=project, name=name, position=place, color=place, hotkey=str(place))
        for place, name in enumerate(LABELS, start=1)
    )
    return project


def _member(project: Project, name: str, role: Role) -> User:
    user = _person(name)
    Membership.objects.create(project=project, user=user, role=role)
    return user


def _person(name: str) -> User:
    return User.objects.create_user(f"{name.lower()}@example.org", "correct horse battery", name=name)


@pytest.fixture
def alice(project: Project) -> User:
    return _member(project, "Alice", Role.ADMINISTRATOR)


@pytest.fixture
def bob(project: Project) -> User:
    return _member(project, "Bob", Role.ANNOTATOR)


@pytest.fixture
def rita(project: Project) -> User:
    return _member(project, "Rita", Role.REVIEWER)


@pytest.fixture
def dana(project: Project) -> User:
    return _member(project, "Dana", Role.PRODUCT_MANAGER)


@pytest.fixture
def vic(project: Project) -> User:
    return _member(project, "Vic", Role.VIEWER)


@pytest.fixture
def charlie(db: None) -> User:
    return _person("Charlie")


@pytest.fixture
def client_of() -> ClientOf:
    """A browser session of a user, already signed in."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user, "apps.accounts.backend.EmailBackend")
        return client

    return signed_in


@pytest.fixture
def broker() -> str:
    """The address of a real broker, emptied."""
    return str(settings.BROKER_URL)
