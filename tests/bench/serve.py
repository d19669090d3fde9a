"""Predictions over HTTP: how quick one short text is, how many come in a second, and what a promotion breaks."""

import argparse
import csv
import http.client
import itertools
import json
import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.server import Product, product

SLUG = "bench-serve"
DEMO = Path(__file__).resolve().parents[2] / "apps" / "config" / "demo" / "banking77.csv"
VERSIONS = 6  # one is live first, the others are promoted under load
CLIENTS, BATCH = 8, 50
PATIENCE = 180.0  # seconds until the first answers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=10, help="of each part under load")
    parser.add_argument("--texts", type=Path, default=DEMO, help="a CSV file")
    parser.add_argument("--text-col", default="text")
    parser.add_argument("--label-col", default="label")
    parser.add_argument("--encoder", default="minilm-l6")
    parser.add_argument("--train", type=int, default=1_000, help="rows that the head learns from")


@dataclass
class Log:
    milliseconds: list[float] = field(default_factory=list)
    texts: int = 0
    errors: list[str] = field(default_factory=list)
    versions: set[int] = field(default_factory=set)


def run(args: argparse.Namespace) -> dict[str, Any]:
    with args.texts.open(encoding="utf-8-sig", newline="") as file:
        rows = [(row[args.text_col], row[args.label_col]) for row in csv.DictReader(file)]
    texts = [text for text, _label in rows]
    with product() as server:
        os.environ["MARGINALIA_HOME"], os.environ["DJANGO_SETTINGS_MODULE"] = str(server.home), "apps.config.settings"
        import django

        django.setup()
        versions = prepare(server.home, rows[: args.train], args.encoder)
        deploy(versions[0])
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            ask = Ask(pool, server, texts)
            ask.warm_up()
            alone = ask(seconds=args.seconds, clients=1)
            crowd = ask(seconds=args.seconds, clients=CLIENTS)
            batches = ask(seconds=args.seconds, clients=2, batch=BATCH)
            promoted, loaded = promotions(ask, versions, args.seconds)
        logs = (alone, crowd, batches, promoted)
        if not all(log.milliseconds for log in logs):
            raise SystemExit(next(error for log in logs for error in log.errors))
        return {
            "p50_ms": round(statistics.median(alone.milliseconds), 2),
            "p95_ms": percentile(alone.milliseconds, 95),
            "texts_per_s": round(batches.texts / args.seconds, 1),
            "errors": sum(len(log.errors) for log in logs),
            "texts_per_s_of_8_clients": round(crowd.texts / args.seconds, 1),
            "p95_ms_of_8_clients": percentile(crowd.milliseconds, 95),
            "promotions": len(versions) - 1,
            "versions_that_answered": len(promoted.versions),
            "p95_ms_during_promotions": percentile(promoted.milliseconds, 95),
            "slowest_ms_during_promotions": round(max(promoted.milliseconds), 1),
            "answers_during_promotions": len(promoted.milliseconds),
            "rows_logged": logged(),
            "rows_expected": loaded + sum(log.texts for log in logs[:3]) + ask.before,
            "first_error": next((error for log in logs for error in log.errors), ""),
        }


class Ask:
    """Load from a process of its own, so that clients and servers do not share a lock."""

    def __init__(self, pool: Any, server: Product, texts: Sequence[str]) -> None:
        self.pool, self.server, self.texts, self.before = pool, server, list(texts), 0

    def begin(self, *, seconds: float, clients: int, batch: int = 1) -> Any:
        return self.pool.apply_async(load, (self.server.url, self.server.token, self.texts, seconds, clients, batch))

    def __call__(self, **how: Any) -> Log:
        log: Log = self.begin(**how).get()
        return log

    def warm_up(self) -> None:
        """Until everything is loaded, connected and compiled."""
        ends, steady = time.monotonic() + PATIENCE, 0
        while steady < 2:
            log = self(seconds=2, clients=2)
            self.before += log.texts
            steady = steady + 1 if len(log.milliseconds) > 4 and not log.errors else 0
            if time.monotonic() > ends:
                raise SystemExit(f"nothing answers steadily: {log.errors[:1] or log.milliseconds[:3]}")


def promotions(ask: Ask, versions: Sequence[Any], seconds: float) -> tuple[Log, int]:
    pending = ask.begin(seconds=seconds, clients=4)
    for version in versions[1:]:
        time.sleep(seconds / (len(versions) + 1))
        deploy(version)
    log: Log = pending.get()
    return log, log.texts


def load(url: str, token: str, texts: list[str], seconds: float, clients: int, batch: int) -> Log:
    log, lock, ends = Log(), threading.Lock(), time.monotonic() + seconds
    threads = [
        threading.Thread(target=_client, args=(url, token, texts[n::clients] or texts, batch, ends, log, lock))
        for n in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return log


def _client(url: str, token: str, texts: list[str], batch: int, ends: float, log: Log, lock: threading.Lock) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    following = itertools.cycle(texts)
    while time.monotonic() < ends:
        body = json.dumps({"texts": list(itertools.islice(following, batch))})
        started = time.perf_counter()
        try:
            connection.request("POST", f"/api/v1/projects/{SLUG}/predict", body, headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            if answer.status != 200 or len(said["results"]) != batch:
                raise ValueError(f"{answer.status}: {str(said)[:200]}")
        except (OSError, ValueError, http.client.HTTPException) as error:
            with lock:
                log.errors.append(repr(error))
            connection.close()
            continue
        took = 1_000 * (time.perf_counter() - started)
        with lock:
            log.milliseconds.append(took)
            log.texts += batch
            log.versions.add(said["version"])


def percentile(values: list[float], share: int) -> float:
    return round(statistics.quantiles(values, n=100)[share - 1], 2) if len(values) > 1 else 0.0


def prepare(home: Path, rows: list[tuple[str, str]], encoder: str) -> list[Any]:
    """A project whose versions are real heads, published the way training publishes them."""
    from apps.projects.models import Label, Project
    from apps.registry.models import ModelVersion
    from workers.learning import encoders
    from workers.learning.publish import Recipe, publish
    from workers.learning.types import Example

    project = Project.objects.create(slug=SLUG, name="Bench", encoder=encoder)
    names = sorted({label for _text, label in rows})
    Label.objects.bulk_create(Label(project=project, name=name, color=1 + n % 12) for n, name in enumerate(names))
    order = [[label.pk, label.name] for label in Label.objects.filter(project=project).order_by("name")]
    place = {name: n for n, (_pk, name) in enumerate(order)}
    examples = [Example(n, text, place[label]) for n, (text, label) in enumerate(rows)]
    vectors = encoders.load(encoder, device="cpu", cache=home / "encoders").encode([text for text, _label in rows])
    made = []
    for number in range(1, VERSIONS + 1):
        path = f"{project.pk}/{number}"
        recipe = Recipe("head", encoder, order, seed=number, config={"c": 10.0 + number}, device="cpu")
        manifest = publish(examples, recipe, home / "models" / path, vectors=vectors)
        made.append(
            ModelVersion.objects.create(
                project=project,
                number=number,
                kind="head",
                encoder=encoder,
                encoder_digest=manifest.encoder_digest,
                label_order=order,
                snapshot_hash="",
                seed=number,
                config={},
                path=path,
                digest=manifest.digest,
            )
        )
    return made


def deploy(version: Any) -> None:
    """As a promotion writes it; the verdict that comes before it is not what is measured."""
    from apps.registry.models import Deployment

    newest = Deployment.objects.filter(project=version.project).order_by("-sequence").first()
    Deployment.objects.create(
        project=version.project,
        version=version,
        previous=newest.version if newest else None,
        kind="promote",
        sequence=newest.sequence + 1 if newest else 1,
    )


def logged() -> int:
    from apps.serving.models import Served

    return Served.objects.count()
