"""Taking back an answer that is not the newest one of all windows."""

from uuid import UUID

from django.test import Client

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Annotation, Resolution
from apps.projects.models import Project
from tests.annotation import make
from tests.conftest import ClientOf


def answers(project: Project, user: User, n: int = 2) -> list[Annotation]:
    make.items(project, n + 2)
    services.take_in(project)
    first, second, _third = project.labels.all()
    return [make.answer_next(project, user, (first, second)[at % 2].pk).annotation for at in range(n)]


def test_the_answer_that_a_window_means_is_taken_back_though_another_window_answered_since(
    project: Project, bob: User
) -> None:
    mine, later = answers(project, bob)
    lease = services.undo(project, bob, of=mine.key)
    assert lease is not None
    assert lease.task.item_id == mine.item_id
    assert list(Resolution.objects.values_list("item", flat=True)) == [later.item_id]
    assert services.undo(project, bob, of=mine.key) is None  # the same wish once more
    assert Resolution.objects.count() == 1


def test_an_answer_that_was_changed_since_is_not_taken_back_by_its_old_name(project: Project, bob: User) -> None:
    mine, _later = answers(project, bob)
    services.revise(project, bob, mine.item_id, UUID(int=7), label=project.labels.all()[2].pk)
    assert services.undo(project, bob, of=mine.key) is None
    assert services.undo(project, bob, of=UUID(int=7)) is not None


def test_nobody_takes_back_the_answer_of_another(project: Project, bob: User, rita: User) -> None:
    mine, _later = answers(project, bob)
    assert services.undo(project, rita, of=mine.key) is None


def test_the_page_shows_what_was_taken_back(project: Project, bob: User, client_of: ClientOf) -> None:
    mine, _later = answers(project, bob)
    browser: Client = client_of(bob)
    page = browser.post("/p/bank/label/undo/", {"of": mine.key}, headers={"HX-Request": "true"}).content.decode()
    assert f'data-item="{mine.item_id}"' in page
    assert f'data-answer="{mine.label_id}"' in page
