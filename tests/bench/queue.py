"""Hand-out and submit under load: the real server, browser sessions with CSRF, and the promises checked in SQL."""

import argparse
import contextlib
import http.client
import multiprocessing
import os
import random
import re
import statistics
import time
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil

from tests.bench.server import Product, product

LABELS = 77
SLUG = "bench-queue"

_ITEMS = """
INSERT INTO content_item (project_id, external_id, text, text_hash, split, language, subject, meta, created_at)
SELECT %(project)s, 'q' || n, 'question ' || n || ': ' || repeat(md5(n::text) || ' ', 3),
       sha256(convert_to('question ' || n, 'UTF8')),
       CASE WHEN n %% 1000 = 0 THEN 'holdout' ELSE 'pool' END, 'en', '', '{}', now()
FROM generate_series(1, %(items)s) AS n
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--annotators", type=int, default=32)
    parser.add_argument("--each", type=int, default=100, help="answers of every annotator")


@dataclass(frozen=True)
class Session:
    url: str
    cookie: str
    each: int
    labels: tuple[int, ...]


@dataclass
class Log:
    took: list[float]  # seconds of each submit + next, as the client saw it
    stored: list[str]  # keys that the server acknowledged
    refused: int = 0


def run(args: argparse.Namespace) -> dict[str, Any]:
    with product(workers=False) as server:
        # the settings look for the running database when they are first read
        os.environ["MARGINALIA_HOME"], os.environ["DJANGO_SETTINGS_MODULE"] = str(server.home), "apps.config.settings"
        import django

        django.setup()
        figures = prepare(args.items)
        crowd = sessions(server, args.annotators + 1, args.each)
        # what is measured comes from a process of its own, so that clients and bookkeeping do not share a lock
        with multiprocessing.get_context("spawn").Pool(1) as client:
            client.apply(annotate, ([one_of(session, 10) for session in crowd],))  # pages compiled, pools filled
            started, busy = time.monotonic(), cpu_seconds(server.pid)
            logs = client.apply(annotate, (crowd[:-1],))
            seconds, busy = time.monotonic() - started, cpu_seconds(server.pid) - busy
            alone = client.apply(annotate, ([one_of(crowd[-1], max(200, args.each))],))
        figures |= summary(logs, seconds) | {"single_p95_ms": percentile(alone[0].took, 95)}
        # on a machine that does other work as well, this says more than the rate
        figures["server_cpu_ms_per_answer"] = round(busy / figures["answers"] * 1000, 2)
        return figures | verify(logs + alone)


def cpu_seconds(tree: int) -> float:
    """Spent so far by the web processes, the database and the broker."""
    total = 0.0
    for process in psutil.Process(tree).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            spent = process.cpu_times()
            total += spent.user + spent.system
    return total


def one_of(session: Session, each: int) -> Session:
    return Session(session.url, session.cookie, each, session.labels)


def prepare(items: int) -> dict[str, Any]:
    from django.db import connection

    from apps.annotation import services
    from apps.projects.models import Label, Project

    project = Project.objects.create(slug=SLUG, name="Queue bench", encoder="char-ngrams")
    Label.objects.bulk_create(
        Label(project=project, name=f"label {n}", position=n, color=n % 12 + 1) for n in range(1, LABELS + 1)
    )
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS, {"project": project.pk, "items": items})
    started = time.monotonic()
    opened = services.take_in(project)
    seconds = time.monotonic() - started
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    connection.close()
    print(f"took in {opened:,} items in {seconds:.1f} s", flush=True)
    return {"items": items, "take_in_items_per_s": round(opened / seconds)}


def sessions(server: Product, people: int, each: int) -> list[Session]:
    from django.test import Client

    from apps.accounts.models import User
    from apps.projects.models import Membership, Project, Role

    project = Project.objects.get(slug=SLUG)
    labels = tuple(project.labels.values_list("pk", flat=True))
    users = User.objects.bulk_create(User(email=f"annotator-{n}@example.org") for n in range(people))
    Membership.objects.bulk_create(Membership(project=project, user=user, role=Role.ANNOTATOR) for user in users)
    made = []
    for user in users:
        client = Client()
        client.force_login(user, "apps.accounts.backend.EmailBackend")
        made.append(Session(server.url, client.cookies["session"].value, each, labels))
    return made


def annotate(crowd: list[Session]) -> list[Log]:
    with ThreadPoolExecutor(len(crowd)) as pool:
        return list(pool.map(_annotate, crowd))


def _annotate(session: Session) -> Log:
    """One browser: loads the page once, then every answer brings the next card."""
    connection = http.client.HTTPConnection(urlsplit(session.url).netloc, timeout=60)
    status, headers, page = _call(connection, "GET", f"/p/{SLUG}/label/", {"Cookie": f"session={session.cookie}"})
    assert status == 200, (status, page[:300])
    csrf = re.search(r"csrf=([^;]+)", headers.get("Set-Cookie", ""))
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert csrf is not None
    assert token is not None
    browser = {
        "Cookie": f"session={session.cookie}; csrf={csrf.group(1)}",
        "X-CSRFToken": token.group(1),
        "HX-Request": "true",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    held = deque(dict.fromkeys(re.findall(r'data-token="([^"]+)"', page)))
    log, draw = Log([], []), random.Random(session.cookie)
    while held and len(log.took) < session.each:
        lease, key = held.popleft(), str(uuid.uuid4())
        label = draw.choice(session.labels)
        answer = {"token": lease, "key": key, "label": label, "seconds": "1.5", "have": ",".join(held)}
        started = time.perf_counter()
        status, _headers, piece = _call(connection, "POST", f"/p/{SLUG}/label/submit/", browser, urlencode(answer))
        log.took.append(time.perf_counter() - started)
        if status == 200:
            log.stored.append(key)
        else:
            log.refused += 1
        held.extend(token for token in re.findall(r'data-token="([^"]+)"', piece) if token not in held)
    connection.close()
    return log


def _call(
    connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str], body: str = ""
) -> tuple[int, Any, str]:
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read().decode()


def percentile(took: list[float], share: int) -> float:
    return round(statistics.quantiles(took, n=100, method="inclusive")[share - 1] * 1000, 1)


def summary(logs: list[Log], seconds: float) -> dict[str, Any]:
    took = [one for log in logs for one in log.took]
    return {
        "annotators": len(logs),
        "answers": len(took),
        "refused": sum(log.refused for log in logs),
        "rate_per_s": round(len(took) / seconds, 1),
        "submit_next_p50_ms": percentile(took, 50),
        "submit_next_p95_ms": percentile(took, 95),
        "submit_next_p99_ms": percentile(took, 99),
    }


def verify(logs: list[Log]) -> dict[str, int]:
    """A task wanted one person: more leases or more people's answers on it are a broken promise."""
    from django.db import connection

    acknowledged = [uuid.UUID(key) for log in logs for key in log.stored]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM annotation_task t JOIN projects_project p ON p.id = t.project_id
            WHERE p.slug = %s AND (
                t.taken > t.wanted
                OR (SELECT count(*) FROM annotation_lease l WHERE l.task_id = t.id) > t.wanted
                OR (SELECT count(DISTINCT annotator_id) FROM annotation_annotation a WHERE a.item_id = t.item_id) > t.wanted)
            """,
            [SLUG],
        )
        double = cursor.fetchone()[0]
        cursor.execute(
            "SELECT count(*) FROM unnest(%s::uuid[]) AS sent (key) WHERE (SELECT count(*) FROM annotation_annotation a "
            "WHERE a.key = sent.key) <> 1",
            [acknowledged],
        )
        lost = cursor.fetchone()[0]
    return {"double_handouts": double, "lost_answers": lost}
