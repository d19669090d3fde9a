"""Maps as jobs: one at a time, fenced, revived, drawn by themselves."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.content.models import Item
from apps.explore import area, map_files
from apps.explore.models import Projection
from apps.explore.services import drawing, projection
from apps.learning.models import Encoding
from apps.projects.models import Project
from tests.explore import maps

State = Projection.State


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.learning.projection.ITERATIONS", 260)


def later(pk: int, **fields: object) -> None:
    Projection.objects.filter(pk=pk).update(**fields)


def test_a_map_holds_every_text_with_a_vector_held_out_ones_too(project: Project, alice: User) -> None:
    made = maps.texts(project, groups=6, each=40, holdout_every=10)
    Item.objects.filter(pk=made[3].pk).update(archived_at=timezone.now())
    asked = projection.ask(project, alice)
    drawing.draw(asked.pk)
    asked.refresh_from_db()
    ids, xy = map_files.read(asked.file)
    assert asked.state == State.SUCCEEDED
    assert asked.error == ""
    assert ids.tolist() == [item.pk for item in made if item != made[3]]
    assert asked.n == asked.total == 239
    assert xy.shape == (239, 2)
    assert asked.quality["trustworthiness"] > 0.9
    assert asked.progress == 1
    assert asked.seconds > 0
    # what the table says of a part is what its link leads to
    for region in asked.regions:
        assert len(area.items_in(project, area.text(asked.pk, region["outline"]))) == region["n"]


def test_a_map_without_vectors_is_refused_in_words(project: Project, alice: User) -> None:
    with pytest.raises(DomainError, match="vectors of at least 10 texts"):
        projection.ask(project, alice)


def test_one_map_is_drawn_at_a_time(project: Project, alice: User) -> None:
    maps.texts(project)
    first = projection.ask(project, alice)
    with pytest.raises(DomainError, match="being drawn already"):
        projection.ask(project, alice)
    assert projection.claim(first.pk) is not None
    assert projection.claim(first.pk) is None


def test_only_the_newest_attempt_writes(project: Project, alice: User) -> None:
    maps.texts(project)
    old = projection.claim(projection.ask(project, alice).pk)
    assert old is not None
    later(old.pk, heartbeat_at=timezone.now() - timedelta(minutes=5))
    assert projection.revive() == [old.pk]
    new = projection.claim(old.pk)
    assert new is not None
    assert new.attempt == 2
    assert not projection.report(old, 0.5)
    assert not projection.fail(old, "late")
    assert not projection.finish(old, file="late.map")
    assert projection.report(new, 0.5)
    new.refresh_from_db()
    assert (new.state, new.file, new.progress) == (State.RUNNING, "", 0.5)


def test_a_map_is_given_up_when_its_worker_keeps_dying(project: Project, alice: User) -> None:
    maps.texts(project)
    asked = projection.ask(project, alice)
    for _ in range(projection.ATTEMPTS):
        projection.claim(asked.pk)
        later(asked.pk, heartbeat_at=timezone.now() - timedelta(minutes=5))
        projection.revive()
    asked.refresh_from_db()
    assert asked.state == State.FAILED
    assert "3 times" in asked.error


def test_a_lost_message_is_sent_again_but_not_every_time(project: Project, alice: User) -> None:
    maps.texts(project)
    asked = projection.ask(project, alice)
    assert projection.revive() == []
    later(asked.pk, created_at=timezone.now() - timedelta(minutes=10))
    assert projection.revive() == [asked.pk]
    assert projection.revive() == []


def test_a_map_draws_itself_when_the_vectors_are_complete(project: Project) -> None:
    made = maps.texts(project)
    Encoding.objects.filter(project=project).update(through_item=made[-2].pk)
    assert projection.ask_due() == []
    Encoding.objects.filter(project=project).update(through_item=made[-1].pk)
    (pk,) = projection.ask_due()
    assert projection.ask_due() == []  # it is queued
    drawing.draw(pk)
    later(pk, created_at=timezone.now() - timedelta(hours=2))
    assert projection.ask_due() == []  # nothing has changed
    Encoding.objects.filter(project=project).update(done=40)
    assert len(projection.ask_due()) == 1  # far more texts


def test_a_failure_is_told_and_not_tried_again_by_itself(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    maps.texts(project)
    (pk,) = projection.ask_due()
    monkeypatch.setattr(drawing, "project", lambda *args, **kwargs: 1 / 0)
    drawing.draw(pk)
    failed = Projection.objects.get(pk=pk)
    assert failed.state == State.FAILED
    assert "ZeroDivisionError" in failed.error
    later(pk, created_at=timezone.now() - timedelta(hours=2))
    assert projection.ask_due() == []


def test_of_many_texts_a_random_part_is_drawn(project: Project, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    maps.texts(project, groups=4, each=50)
    monkeypatch.setattr(drawing, "MOST", 100)
    asked = projection.ask(project, alice)
    drawing.draw(asked.pk)
    asked.refresh_from_db()
    assert 50 < asked.n < 150
    assert asked.total == 200


def test_files_of_old_maps_go(project: Project, alice: User) -> None:
    maps.texts(project)
    for _ in range(projection.KEPT + 2):
        held = projection.claim(projection.ask(project, alice).pk)
        assert held is not None
        assert projection.finish(held, file=map_files.keep(np.array([1]), np.zeros((1, 2), dtype=np.float32)), n=1)
    drawn = Projection.objects.filter(project=project).order_by("-pk")
    assert [bool(each.file) for each in drawn] == [True] * projection.KEPT + [False] * 2


def test_an_area_gives_the_items_inside_and_refuses_everything_else_in_words(project: Project, alice: User) -> None:
    made = maps.texts(project, groups=1, each=4)
    shown = maps.projection(project, made, np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]))
    left = f"{shown.pk};-1.5,-2;0,-2;0,2;-1.5,2"
    assert area.items_in(project, left) == [made[0].pk, made[1].pk]
    other = Project.objects.create(slug="other", name="Other", encoder="minilm-l6")
    for project_, text, words in [
        (other, left, "not kept any more"),
        (project, left.replace(str(shown.pk), str(shown.pk + 99), 1), "not kept any more"),
        (project, f"{shown.pk};0,0;1,1", "not an area"),
        (project, f"{shown.pk};0,0;1,nan;1,0", "not an area"),
        (project, "x;0,0;1,1;1,0", "not an area"),
        (project, "", "not an area"),
        (project, f"{shown.pk};" + ";".join(["0,0"] * 500), "not an area"),
    ]:
        with pytest.raises(DomainError, match=words):
            area.items_in(project_, text)
    map_files.remove(shown.file)
    map_files.read.cache_clear()
    with pytest.raises(DomainError, match="not kept any more"):
        area.items_in(project, left)
