"""Hand-out under fire: real connections, many threads, and the promises checked in SQL afterwards."""

import random
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Annotation, Lease, Resolution, Task
from apps.annotation.services import Answer
from apps.common.errors import DomainError
from apps.projects.models import Label, Project
from tests.annotation import make

T = TypeVar("T")
R = TypeVar("R")
everybody = pytest.mark.django_db(transaction=True)


def at_once(do: Callable[[T], R], given: Iterable[T], threads: int = 64) -> list[R]:
    def alone(one: T) -> R:
        try:
            return do(one)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(alone, given))


def violations() -> dict[str, int]:
    """Every way in which the hand-out could have broken its word; all zero when it kept it."""
    checks = {
        "overbooked": "SELECT count(*) FROM annotation_task WHERE taken > wanted",
        "places do not add up": """
            SELECT count(*) FROM annotation_task t WHERE reason <> 'gold' AND taken <> (
                SELECT count(*) FROM annotation_lease l WHERE l.task_id = t.id AND (l.state = 'active' OR EXISTS (
                    SELECT 1 FROM (SELECT DISTINCT ON (annotator_id) annotator_id, retracted, late
                                   FROM annotation_annotation a WHERE a.task_id = t.id
                                   ORDER BY annotator_id, revision DESC) newest
                    WHERE newest.annotator_id = l.annotator_id AND NOT retracted AND NOT late AND l.state = 'answered')))""",
        "state does not follow": """
            SELECT count(*) FROM annotation_task
            WHERE (state = 'open' AND taken >= wanted) OR (state IN ('full', 'done') AND taken <> wanted)""",
        "twice to one person": """
            SELECT count(*) FROM (SELECT 1 FROM annotation_lease GROUP BY task_id, annotator_id HAVING count(*) > 1) d""",
        "the same item twice to one person": """
            SELECT count(*) FROM (SELECT 1 FROM annotation_lease GROUP BY item_id, annotator_id
                                  HAVING count(*) FILTER (WHERE NOT again) > 1) d""",
        "done without truth": """
            SELECT count(*) FROM annotation_task t WHERE state = 'done' AND wanted = 1
            AND NOT EXISTS (SELECT 1 FROM annotation_resolution r WHERE r.item_id = t.item_id)""",
    }
    found = {}
    with connection.cursor() as cursor:
        for name, sql in checks.items():
            cursor.execute(sql)
            found[name] = cursor.fetchone()[0]
    return found


NONE = dict.fromkeys(
    [
        *("overbooked", "places do not add up", "state does not follow", "twice to one person"),
        *("the same item twice to one person", "done without truth"),
    ],
    0,
)


@everybody
@pytest.mark.slow
def test_sixty_four_people_empty_a_queue_and_nothing_is_handed_out_twice(project: Project) -> None:
    make.items(project, 3000)
    services.take_in(project)
    label = project.labels.first()
    assert label is not None

    def work(user: User) -> int:
        answered = 0
        leases = services.claim(project, user)
        while leases:
            leases = services.submit(project, user, Answer(leases[0].token, uuid4(), label.pk)).next
            answered += 1
        return answered

    answered = at_once(work, make.people(project, 64))
    assert sum(answered) == 3000
    assert Annotation.objects.count() == Resolution.objects.count() == 3000
    assert Lease.objects.values("task").distinct().count() == Lease.objects.count() == 3000
    assert Task.objects.filter(state="done").count() == 3000
    assert violations() == NONE


@everybody
@pytest.mark.slow
def test_three_opinions_an_item_means_three_people_each(project: Project) -> None:
    project.wanted = 3
    project.save()
    make.items(project, 60)
    services.take_in(project)
    labels = list(project.labels.all())

    def work(user: User) -> None:
        leases = services.claim(project, user)
        draw = random.Random(user.pk)
        while leases:
            leases = services.submit(project, user, Answer(leases[0].token, uuid4(), draw.choice(labels).pk)).next

    everyone = make.people(project, 16)
    at_once(work, everyone, threads=16)
    # the last answer on a text may make it one for a fourth person when the others have gone; they come back
    while any(services.claim(project, user) for user in everyone):
        for user in everyone:
            work(user)
    assert violations() == NONE
    for task in Task.objects.all():
        people = set(Annotation.objects.filter(task=task).values_list("annotator", flat=True))
        assert len(people) == task.taken == task.wanted >= 3
    undecided = Task.objects.filter(state="done", item__resolution=None)
    assert all(task.wanted == 6 for task in undecided), "a tie asks three more people before it is left to a reviewer"


@everybody
def test_two_tabs_of_one_person_claiming_at_once_share_their_leases(project: Project) -> None:
    project.wanted = 2
    project.save()
    make.items(project, 40)
    services.take_in(project)
    (user,) = make.people(project, 1)
    for _ in range(5):
        at_once(lambda _: services.claim(project, user), range(8), threads=8)
        assert violations() == NONE
        for lease in services.claim(project, user):
            services.skip(project, user, lease.token)
    assert violations() == NONE


@everybody
def test_answers_sent_several_times_in_any_order_are_stored_once(project: Project, bob: User) -> None:
    make.items(project, 30)
    services.take_in(project)
    label = project.labels.first()
    assert label is not None
    answers = [Answer(lease.token, uuid4(), label.pk) for lease in services.claim(project, bob, ahead=12)]
    sent = answers * 4
    random.Random(7).shuffle(sent)
    kept = at_once(lambda answer: services.submit(project, bob, answer).kept_as, sent, threads=16)
    assert sorted(kept) == ["answer"] * 12 + ["repeat"] * 36
    assert Annotation.objects.count() == 12
    assert violations() == NONE


@everybody
def test_the_sweeper_among_working_people_frees_only_what_ran_out(project: Project) -> None:
    make.items(project, 400)
    services.take_in(project)
    label = project.labels.first()
    assert label is not None
    swept, stop = threading.Event(), threading.Event()

    freed = 0

    def sweep() -> None:
        nonlocal freed
        while not stop.is_set():
            if freed:
                swept.set()
            held = list(Lease.objects.filter(state="active").values_list("pk", flat=True))
            Lease.objects.filter(state="active", pk__in=held[::2]).update(expires_at=timezone.now())
            freed += services.sweep()
        connections.close_all()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()

    def work(user: User) -> int:
        said = 0
        while leases := services.claim(project, user):
            swept.wait(60)  # the sweeper may be the slowest of all
            services.submit(project, user, Answer(leases[-1].token, uuid4(), label.pk))
            said += 1
        return said

    try:
        said = sum(at_once(work, make.people(project, 12), threads=12))
    finally:
        stop.set()
        sweeper.join()
    assert freed
    assert Annotation.objects.count() == said
    assert Annotation.objects.filter(late=False).count() == Resolution.objects.count() == 400
    assert violations() == NONE


@everybody
def test_claims_while_the_head_ranks_the_queue_never_come_back_empty(project: Project) -> None:
    items = make.items(project, 60)
    services.take_in(project)
    stop = threading.Event()

    def rank() -> None:
        while not stop.is_set():
            services.set_top(project, [services.TopChoice(item.pk, "uncertain", 0.1, None) for item in items])
        connections.close_all()

    head = threading.Thread(target=rank)
    head.start()
    users = make.people(project, 8)
    try:
        found = at_once(lambda user: len(services.claim(project, user)), users, threads=8)
    finally:
        stop.set()
        head.join()
    assert all(found)
    assert violations() == NONE


def test_an_expired_lease_goes_to_somebody_else_and_its_owner_may_still_answer(
    project: Project, bob: User, rita: User
) -> None:
    make.items(project, 1)
    services.take_in(project)
    label, other = project.labels.all()[:2]
    (mine,) = services.claim(project, bob)
    assert services.claim(project, rita) == []
    Lease.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    assert services.sweep() == 1
    (theirs,) = services.claim(project, rita)
    assert services.submit(project, rita, Answer(theirs.token, uuid4(), label.pk)).kept_as == "answer"
    done = services.submit(project, bob, Answer(mine.token, uuid4(), other.pk))
    assert (done.kept_as, done.annotation.late) == ("late", True)
    assert Resolution.objects.get().label_id == label.pk
    assert Annotation.objects.count() == 2
    assert violations() == NONE


def test_a_late_answer_counts_while_its_place_is_still_free(project: Project, bob: User) -> None:
    make.items(project, 1)
    services.take_in(project)
    (lease,) = services.claim(project, bob)
    Lease.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    services.sweep()
    label = project.labels.first()
    assert label is not None
    assert services.submit(project, bob, Answer(lease.token, uuid4(), label.pk)).kept_as == "answer"
    assert Task.objects.get().state == "done"
    assert violations() == NONE


def test_a_lease_that_ran_out_is_revived_for_its_owner_with_its_token(project: Project, bob: User) -> None:
    make.items(project, 1)
    services.take_in(project)
    (lease,) = services.claim(project, bob)
    Lease.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    services.sweep()
    (again,) = services.claim(project, bob)
    assert (again.pk, again.token) == (lease.pk, lease.token)
    assert violations() == NONE


def test_activity_renews_leases_and_the_sweeper_leaves_them(project: Project, bob: User) -> None:
    make.items(project, 3)
    services.take_in(project)
    leases = services.claim(project, bob)
    Lease.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    assert services.renew(project, bob, [leases[0].token, uuid4()]) == 1
    assert services.sweep() == 1
    Lease.objects.filter(pk=leases[0].pk).update(expires_at=timezone.now() + timedelta(seconds=5))
    services.claim(project, bob)
    renewed = Lease.objects.get(pk=leases[0].pk)
    assert renewed.expires_at > timezone.now() + timedelta(seconds=project.lease_seconds / 2)


def test_a_skipped_item_goes_to_others_and_never_back_to_the_same_person(
    project: Project, bob: User, rita: User
) -> None:
    make.items(project, 1)
    services.take_in(project)
    (lease,) = services.claim(project, bob)
    assert services.skip(project, bob, lease.token) == []
    assert services.skip(project, bob, lease.token) == []
    assert [theirs.task_id for theirs in services.claim(project, rita)] == [lease.task_id]
    assert violations() == NONE


def test_nobody_answers_or_skips_with_a_token_that_is_not_theirs(project: Project, bob: User, rita: User) -> None:
    make.items(project, 2)
    services.take_in(project)
    lease = services.claim(project, bob)[0]
    label = project.labels.first()
    assert label is not None
    elsewhere = Project.objects.create(slug="other", name="Other", encoder="char-ngrams")
    for where, who in ((project, rita), (elsewhere, bob)):
        with pytest.raises(DomainError):
            services.submit(where, who, Answer(lease.token, uuid4(), label.pk))
        with pytest.raises(DomainError):
            services.skip(where, who, lease.token)
        assert services.renew(where, who, [lease.token]) == 0
    assert not Annotation.objects.exists()
    assert Lease.objects.get(pk=lease.pk).state == "active"


def test_claim_is_one_index_scan_from_the_head_of_the_queue(project: Project, bob: User) -> None:
    make.items(project, 500)
    services.take_in(project)
    from apps.annotation.services.claim_sql import CLAIMS
    from apps.annotation.services.handout import _values

    values = _values(project, bob, 2)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE annotation_task")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + CLAIMS[True, False], values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Index Scan using task_queue on annotation_task" in plan
    assert "Anti Join" not in plan


def test_an_archived_or_foreign_label_is_refused(project: Project, bob: User) -> None:
    make.items(project, 1)
    services.take_in(project)
    (lease,) = services.claim(project, bob)
    elsewhere = Project.objects.create(slug="other", name="Other", encoder="char-ngrams")
    foreign = Label.objects.create(project=elsewhere, name="foreign")
    archived = Label.objects.create(project=project, name="old", archived_at=timezone.now())
    for label in (foreign.pk, archived.pk, None):
        with pytest.raises(DomainError) as refusal:
            services.submit(project, bob, Answer(lease.token, uuid4(), label))
        assert refusal.value.status == 422
    assert services.submit(project, bob, Answer(lease.token, uuid4(), None, flagged=True)).kept_as == "answer"
    assert not Resolution.objects.exists(), "a flag without a label settles nothing"
