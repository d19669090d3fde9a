"""Several people an item: many at once empty a queue, and the promises are checked in SQL.

Straight on the services, every thread with a connection of its own; some people work in two tabs, some answers are sent
twice, some texts are skipped, and some items are asked about again while all this goes on.
"""

import argparse
import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from tests.bench.server import product

SLUG = "bench-overlap"
LABELS = 5
KNOWN = 0.8  # how often somebody says what the others say

_ITEMS = """
INSERT INTO content_item (project_id, external_id, text, text_hash, split, language, subject, meta, created_at)
SELECT %(project)s, 'q' || n, 'question ' || n, sha256(convert_to('question ' || n, 'UTF8')),
       CASE WHEN n %% 50 = 0 THEN 'holdout' ELSE 'pool' END, 'en', '', '{}', now()
FROM generate_series(1, %(items)s) AS n
"""

# each a promise; what is counted are the places where it was broken
VIOLATIONS = {
    "same_task_twice": """
        SELECT count(*) FROM (SELECT 1 FROM annotation_lease l JOIN annotation_task t ON t.id = l.task_id
                              WHERE t.project_id = %(project)s GROUP BY l.task_id, l.annotator_id
                              HAVING count(*) > 1) twice""",
    # but for what was asked about again on purpose
    "same_item_twice": """
        SELECT count(*) FROM (SELECT 1 FROM annotation_lease l JOIN annotation_task t ON t.id = l.task_id
                              WHERE t.project_id = %(project)s AND NOT (t.reason IN ('feedback', 'flip'))
                              GROUP BY t.item_id, l.annotator_id HAVING count(DISTINCT t.id) > 1) twice""",
    "overbooked": "SELECT count(*) FROM annotation_task WHERE project_id = %(project)s AND taken > wanted",
    "places_do_not_add_up": """
        SELECT count(*) FROM annotation_task t WHERE t.project_id = %(project)s AND t.reason <> 'gold'
          AND t.taken <> (SELECT count(DISTINCT a.annotator_id) FROM annotation_annotation a
                          WHERE a.task_id = t.id AND NOT a.late AND NOT a.retracted)
                       + (SELECT count(*) FROM annotation_lease l WHERE l.task_id = t.id AND l.state = 'active')""",
    "done_by_too_few": """
        SELECT count(*) FROM annotation_task t WHERE t.project_id = %(project)s AND t.state = 'done'
          AND (SELECT count(DISTINCT a.annotator_id) FROM annotation_annotation a
               WHERE a.task_id = t.id AND NOT a.late) < t.wanted""",
    "answers_twice": """
        SELECT count(*) FROM (SELECT 1 FROM annotation_annotation WHERE project_id = %(project)s
                              GROUP BY annotator_id, task_id HAVING count(*) > 1) twice""",
    "gold_counted": """
        SELECT count(*) FROM annotation_task WHERE project_id = %(project)s AND reason = 'gold'
          AND (taken > 0 OR state <> 'gold')""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--share", type=float, default=0.1, help="of the items that several people label")
    parser.add_argument("--people", type=int, default=3, help="how many label those")


def run(args: argparse.Namespace) -> dict[str, Any]:
    with product(workers=False) as server:
        # the settings look for the running database when they are first read
        os.environ["MARGINALIA_HOME"], os.environ["DJANGO_SETTINGS_MODULE"] = str(server.home), "apps.config.settings"
        import django

        django.setup()
        project = prepare(args.items, share=args.share, people=args.people)
        return work(project, crowd(project, args.threads), args.threads)


def prepare(items: int, *, share: float, people: int, gold: int = 50) -> Any:
    """A project with its queue; `gold` of its items are gold and mixed in."""
    from django.db import connection

    from apps.annotation import services
    from apps.annotation.models import Gold, Task
    from apps.projects.models import Label, Project

    project = Project.objects.create(
        slug=SLUG,
        name="Overlap bench",
        encoder="char-ngrams",
        overlap_share=share,
        overlap_wanted=people,
        blind_share=0.2,
        gold_share=0.05,
    )
    Label.objects.bulk_create(
        Label(project=project, name=f"label {n}", position=n, color=n) for n in range(1, LABELS + 1)
    )
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS, {"project": project.pk, "items": items})
    services.take_in(project)
    chosen = list(project.items.filter(split="pool").order_by("pk")[:gold])
    Task.objects.filter(item__in=chosen).update(state="closed")
    label = project.labels.all()[0]
    Gold.objects.bulk_create(Gold(item=item, project=project, label=label) for item in chosen)
    Task.objects.bulk_create(
        Task(project=project, item=item, split="pool", reason="gold", state="gold", rank=Task.LAST) for item in chosen
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return project


def crowd(project: Any, threads: int) -> list[Any]:
    """A user for every thread; one in eight works in two of them."""
    from apps.accounts.models import User
    from apps.projects.models import Membership, Role

    n = threads - threads // 8
    users = User.objects.bulk_create(User(email=f"overlap-{place}@example.org") for place in range(n))
    Membership.objects.bulk_create(Membership(project=project, user=user, role=Role.ANNOTATOR) for user in users)
    return [users[place % n] for place in range(threads)]


def work(project: Any, users: list[Any], threads: int) -> dict[str, Any]:
    """Everybody answers until nothing is left for them; then the promises are counted."""
    from django.db import connection

    from apps.annotation.models import Annotation, Task

    started = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        done = list(pool.map(lambda place: _empty(project, users[place], random.Random(place)), range(len(users))))
    answered, conflicts = sum(each[0] for each in done), sum(each[1] for each in done)
    errors = sum((each[2] for each in done), Counter[str]())
    seconds = time.monotonic() - started
    broken = {}
    with connection.cursor() as cursor:
        for name, sql in VIOLATIONS.items():
            cursor.execute(sql, {"project": project.pk})
            broken[name] = cursor.fetchone()[0]
    tasks = Task.objects.filter(project=project)
    return {
        "items": project.items.count(),
        "threads": threads,
        "answers": answered,
        "stored": Annotation.objects.filter(project=project).count(),
        "several_people": tasks.filter(wanted__gt=1).count(),
        "asked_again": tasks.filter(reason="feedback").count(),
        "left_open": tasks.filter(state__in=["open", "full"]).count(),
        "rate_per_s": round(answered / seconds, 1),
        "conflicts": conflicts,
        "errors": sum(errors.values()),
        "violations": sum(broken.values()),
    } | broken


def _empty(project: Any, user: Any, draw: random.Random) -> tuple[int, int, Counter[str]]:
    from django.db import connections

    from apps.annotation import services
    from apps.annotation.models import Task
    from apps.annotation.services import Answer, Conflict
    from apps.common.errors import DomainError

    labels = list(project.labels.order_by("position").values_list("pk", flat=True))
    answered, conflicts, failed = 0, 0, Counter[str]()
    try:
        while leases := services.claim(project, user):
            lease, dice = leases[0], draw.random()
            usual = labels[lease.task.item_id % LABELS] if draw.random() < KNOWN else draw.choice(labels)
            answer = Answer(lease.token, uuid4(), usual, base=0)
            try:
                if dice < 0.02:
                    services.skip(project, user, lease.token)
                    continue
                done = services.submit(project, user, answer)
                answered += done.kept_as == "answer"
                if dice > 0.98:
                    assert services.submit(project, user, answer).kept_as == "repeat"
                elif dice > 0.97 and lease.task.split == "pool":
                    services.ask(project, lease.task.item, reason=Task.Reason.FEEDBACK)
            except Conflict:
                conflicts += 1  # the other tab of this person was quicker
            except DomainError as error:
                failed[str(error)] += 1
    finally:
        connections.close_all()
    return answered, conflicts, failed
