"""Feedback under load: the real server, one event a request, limits and look-ups included; then what was lost, in SQL."""

import argparse
import http.client
import json
import multiprocessing
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.bench.queue import cpu_seconds, percentile
from tests.bench.server import product

LABELS = 77
SERVED = 1_000  # predictions that the events are about
PATH = "/api/v1/feedback"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=16, help="connections that send at once")
    parser.add_argument("--batches", type=int, default=20, help="batches of 500, measured apart")


@dataclass(frozen=True)
class Load:
    url: str
    key: str
    secret: str
    predictions: tuple[str, ...]


@dataclass
class Log:
    took: list[float] = field(default_factory=list)  # seconds of each request, as the client saw it
    stored: list[str] = field(default_factory=list)  # ids that were answered with 202
    refused: int = 0


def run(args: argparse.Namespace) -> dict[str, Any]:
    with product(workers=False) as server:
        # the settings look for the running database when they are first read
        os.environ["MARGINALIA_HOME"], os.environ["DJANGO_SETTINGS_MODULE"] = str(server.home), "apps.config.settings"
        import django

        django.setup()
        load = prepare(server.url)
        each = max(1, args.events // args.clients)
        with multiprocessing.get_context("spawn").Pool(1) as clients:
            clients.apply(send, (load, args.clients, 20))  # pools filled, statements prepared
            started, busy = time.monotonic(), cpu_seconds(server.pid)
            logs = clients.apply(send, (load, args.clients, each))
            seconds, busy = time.monotonic() - started, cpu_seconds(server.pid) - busy
            alone = clients.apply(send, (load, 1, min(500, each)))
            started = time.monotonic()
            batches = clients.apply(send_batches, (load, args.batches))
            in_batches = time.monotonic() - started
        took = [one for log in logs for one in log.took]
        return {
            "events": len(took),
            "clients": args.clients,
            "events_per_s": round(len(took) / seconds, 1),
            "p50_ms": percentile(took, 50),
            "p95_ms": percentile(took, 95),
            "p99_ms": percentile(took, 99),
            "alone_p50_ms": percentile(alone[0].took, 50),
            "batched_events_per_s": round(len(batches.stored) / in_batches) if batches.stored else 0,
            # on a machine that does other work as well, this says more than the rate
            "server_cpu_ms_per_event": round(busy / len(took) * 1000, 2),
            "refused": sum(log.refused for log in [*logs, *alone, batches]),
            "lost": lost([*logs, *alone, batches]),
        }


def prepare(url: str) -> Load:
    from django.db import connection

    from apps.feedback.models import IntakeKey
    from apps.feedback.services import keys
    from apps.projects.models import Label, Project
    from tests.feedback import make

    project = Project.objects.create(slug="bench-intake", name="Intake bench", encoder="char-ngrams")
    Label.objects.bulk_create(Label(project=project, name=f"label {n}", position=n) for n in range(LABELS))
    label = project.labels.all()[0]
    predictions = tuple(str(make.served(project, label, text=f"question {n}").pk) for n in range(SERVED))
    limits = {"per_minute": 10_000_000, "per_day": 100_000_000}
    key = keys.make(project, None, name="web", kind=IntakeKey.Kind.PUBLISHABLE, **limits)[1]
    secret = keys.make(project, None, name="server", kind=IntakeKey.Kind.SECRET, **limits)[1]
    connection.close()
    return Load(url, key, secret, predictions)


def send(load: Load, clients: int, each: int) -> list[Log]:
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(lambda place: _send(load, place, each), range(clients)))


def _send(load: Load, place: int, each: int) -> Log:
    connection = http.client.HTTPConnection(urlsplit(load.url).netloc, timeout=60)
    log = Log()
    for n in range(each):
        event = _event(load, place * each + n)
        started = time.perf_counter()
        status = _post(connection, load.key, event)
        log.took.append(time.perf_counter() - started)
        if status == 202:
            log.stored.append(event["id"])
        else:
            log.refused += 1
    connection.close()
    return log


def send_batches(load: Load, batches: int) -> Log:
    connection, log = http.client.HTTPConnection(urlsplit(load.url).netloc, timeout=60), Log()
    for batch in range(batches):
        events = [_event(load, batch * 500 + n) for n in range(500)]
        if _post(connection, load.secret, {"events": events}) == 202:
            log.stored += [event["id"] for event in events]
        else:
            log.refused += 1
    connection.close()
    return log


def _event(load: Load, n: int) -> dict[str, Any]:
    """As a mixed crowd sends them: thumbs, corrections and behaviour."""
    event = {
        "id": str(uuid.uuid4()),
        "prediction": load.predictions[n % len(load.predictions)],
        "subject": f"customer-{n % 5_000}",
        "consent": True,
    }
    if n % 4 == 0:
        return event | {"kind": "label", "label": f"label {n % LABELS}", "comment": "It should have known that."}
    return event | ({"kind": "clicked"} if n % 4 == 1 else {"kind": "thumb", "up": n % 4 == 2})


def _post(connection: http.client.HTTPConnection, key: str, body: dict[str, Any]) -> int:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", PATH, json.dumps(body), headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def lost(logs: list[Log]) -> int:
    """Acknowledged events that are not there, and those that are there twice."""
    from apps.feedback.models import Signal

    acknowledged = [event for log in logs for event in log.stored]
    found = 0
    for start in range(0, len(acknowledged), 5_000):
        found += Signal.objects.filter(event__in=acknowledged[start : start + 5_000]).count()
    return abs(len(acknowledged) - found)
