import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.projects.models import Membership, Project, Role
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db


def _another(user: User, n: int) -> None:
    project = Project.objects.create(slug=f"p{n}", name=f"Project {n}", encoder="char-ngrams")
    Membership.objects.create(project=project, user=user, role=Role.VIEWER)


def test_home_lists_my_projects_and_nobody_elses(bob: User, charlie: User, client_of: ClientOf) -> None:
    _another(charlie, 1)
    page = client_of(bob).get("/").content.decode()
    assert "Bank questions" in page
    assert "Project 1" not in page
    assert "Annotator" in page


def test_a_person_without_a_project_is_told_what_to_do(charlie: User, client_of: ClientOf) -> None:
    page = client_of(charlie).get("/").content.decode()
    assert "charlie@example.org" in page
    assert "No project yet" in page


def test_home_costs_the_same_for_one_project_and_for_nine(bob: User, client_of: ClientOf) -> None:
    client = client_of(bob)
    client.get("/")
    with CaptureQueriesContext(
        connection,
    ) as one:
        client.get("/")
    for n in range(8):
        _another(bob, n)
    with CaptureQueriesContext(connection) as nine:
        client.get("/")
    assert len(nine) == len(one) <= 8


def test_the_overview_says_what_to_do_next(alice: User, bob: User, client_of: ClientOf) -> None:
    assert 'href="/p/bank/content/"' in client_of(alice).get("/p/bank/").content.decode()
    page = client_of(bob).get("/p/bank/").content.decode()
    assert "Its administrator brings it in." in page


def test_an_archived_project_is_gone_for_everybody(project: Project, alice: User, client_of: ClientOf) -> None:
    Project.objects.update(archived_at=project.created_at)
    assert client_of(alice).get("/p/bank/").status_code == 404
    assert "Bank questions" not in client_of(alice).get("/").content.decode()


def test_an_anonymous_person_is_sent_to_sign_in_and_back(client: Client, project: Project) -> None:
    assert client.get("/p/bank/").headers["Location"] == "/accounts/login/?next=/p/bank/"


def test_a_superuser_makes_a_project_and_is_its_administrator(charlie: User, client_of: ClientOf) -> None:
    User.objects.filter(pk=charlie.pk).update(is_superuser=True)
    body = {"name": "外卖 评论", "language": "zh-hans", "encoder": "char-ngrams", "names": "good\n bad \n\ngood"}
    response = client_of(charlie).post("/projects/new/", body)
    made = Project.objects.get(name="外卖 评论")
    assert response.headers["Location"] == f"/p/{made.slug}/"
    assert list(made.labels.values_list("name", "position", "color")) == [("good", 1, 1), ("bad", 2, 2)]
    assert made.memberships.get().role == Role.ADMINISTRATOR


def test_two_projects_of_one_name_get_two_addresses(charlie: User, client_of: ClientOf) -> None:
    User.objects.filter(pk=charlie.pk).update(is_superuser=True)
    client = client_of(charlie)
    for _time in range(2):
        client.post("/projects/new/", {"name": "Twin", "language": "en", "encoder": "minilm-l6"})
    slugs = set(Project.objects.filter(name="Twin").values_list("slug", flat=True))
    assert len(slugs) == 2
    assert "twin" in slugs


def test_a_project_whose_labels_are_refused_is_not_made(charlie: User, client_of: ClientOf) -> None:
    User.objects.filter(pk=charlie.pk).update(is_superuser=True)
    body = {"name": "Half", "language": "en", "encoder": "minilm-l6", "names": "x" * 121}
    response = client_of(charlie).post("/projects/new/", body)
    assert response.status_code == 422
    assert "longer than 120" in response.content.decode()
    assert not Project.objects.filter(name="Half").exists()


def test_a_new_project_may_be_about_several_labels_or_spans(charlie: User, client_of: ClientOf) -> None:
    User.objects.filter(pk=charlie.pk).update(is_superuser=True)
    body = {"name": "Slots", "task_kind": "spans", "language": "en", "encoder": "minilm-l6"}
    client_of(charlie).post("/projects/new/", body)
    assert Project.objects.get(name="Slots").task_kind == Project.TaskKind.SPANS
    response = client_of(charlie).post("/projects/new/", body | {"name": "Odd", "task_kind": "poems"})
    assert response.status_code == 422
