"""The explorer at full size: the list in every order and each filter alone, over HTTP from the real server."""

import argparse
import csv
import hashlib
import http.client
import json
import os
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.bench.server import Product, product

SLUG, LABELS, VERSIONS, PEOPLE, IMPORTS = "bench-explorer", 77, 5, 8, 20
TEXTS = Path(__file__).parents[2] / "apps/config/demo/banking77.csv"
_ZH = [
    "我的",
    "银行",
    "卡片",
    "还没",
    "收到",
    "为什么",
    "转账",
    "失败",
    "请问",
    "如何",
    "充值",
    "手机",
    "密码",
    "忘记",
    "取款",
    "机器",
    "吞卡",
    "汇率",
    "多少",
    "手续",
    "费用",
    "账户",
    "冻结",
    "解除",
    "申请",
    "退款",
    "时间",
    "需要",
    "客服",
    "电话",
]
_CHANNELS = ("web", "app", "app", "app", "phone", "shop")
_COLUMNS = "project_id, external_id, text, text_hash, split, language, subject, meta, source_id, created_at"

_LOADED = {
    # a fifth of the items have a truth, spread at random, labels as unequal as in life
    "annotation_resolution": """
        INSERT INTO annotation_resolution (item_id, project_id, split, label_id, how, by_id, agreement, changed_at)
        SELECT i.id, i.project_id, i.split, (%(labels)s::bigint[])[1 + floor(77 * power(random(), 2))::int],
               'single', (%(people)s::bigint[])[1 + (i.id %% 8)::int],
               CASE WHEN i.id %% 10 = 0 THEN (ARRAY[1, 1, 1, 0.667, 0.5])[1 + (i.id / 10 %% 5)::int] END,
               i.created_at + interval '1 day'
        FROM content_item i WHERE i.project_id = %(project)s AND hashint8(i.id) %% 5 = 0""",
    "annotation_annotation": """
        INSERT INTO annotation_annotation (project_id, item_id, annotator_id, key, revision, retracted, label_id, note,
                                           flagged, undecided, outcome, late, created_at)
        SELECT r.project_id, r.item_id, (%(people)s::bigint[])[1 + ((r.item_id + n) %% 8)::int], gen_random_uuid(), 1, false,
               r.label_id, '', r.item_id %% 211 = 0, CASE WHEN r.item_id %% 503 = 0 THEN 'two at once' ELSE '' END,
               'scratch', false, r.changed_at
        FROM annotation_resolution r, generate_series(0, CASE WHEN r.agreement IS NULL THEN 0 ELSE 2 END) n
        WHERE r.project_id = %(project)s""",
    "annotation_task": """
        INSERT INTO annotation_task (project_id, item_id, split, reason, rank, wanted, taken, state, created_at)
        SELECT i.project_id, i.id, i.split,
               CASE WHEN i.split = 'holdout' THEN 'holdout' WHEN i.id %% 50 = 0 THEN 'uncertain'
                    WHEN i.id %% 4999 = 0 THEN 'feedback' WHEN i.id %% 997 = 0 THEN 'flip' ELSE 'random' END,
               5000000000 + hashint8(i.id), 1, 0, 'open', i.created_at
        FROM content_item i WHERE i.project_id = %(project)s""",
    "annotation_prediction": """
        INSERT INTO annotation_prediction (item_id, version_id, label_id, confidence, margin, probabilities)
        SELECT i.id, v, (%(labels)s::bigint[])[1 + floor(76.9 * power(abs(hashint8(i.id)::bigint) / 2147483649.0, 2))::int
                                              * CASE WHEN (i.id + v * 7) %% 12 = 0 THEN 0 ELSE 1 END],
               c, c * c, (%(vectors)s::halfvec[])[1 + (i.id %% 16)::int]
        FROM content_item i, unnest(%(versions)s::bigint[]) v, LATERAL (SELECT 0.02 + 0.98 * sqrt(random()) AS c
                                                                       WHERE i.id > 0 AND v > 0) made
        WHERE i.project_id = %(project)s ORDER BY v, i.id""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=7, help="how often each address is asked for")


def run(args: argparse.Namespace) -> dict[str, Any]:
    with product(workers=False) as server:
        os.environ["MARGINALIA_HOME"], os.environ["DJANGO_SETTINGS_MODULE"] = str(server.home), "apps.config.settings"
        import django

        django.setup()
        figures = {"items": args.items, "predictions": args.items * VERSIONS} | prepare(args.items)
        return figures | measure(server, args.times)


# --- the data -----------------------------------------------------------------------------------------


def prepare(items: int) -> dict[str, Any]:
    from django.db import connection

    from apps.accounts.models import User
    from apps.content import search
    from apps.content.models import ImportJob
    from apps.projects.models import Label, Membership, Project, Role
    from apps.registry.models import Deployment, ModelVersion

    started = time.monotonic()
    project = Project.objects.create(slug=SLUG, name="Explorer bench", encoder="char-ngrams")
    labels = Label.objects.bulk_create(
        Label(project=project, name=f"label {n}", group=f"group {n % 9}", position=n, color=n % 12 + 1)
        for n in range(1, LABELS + 1)
    )
    people = User.objects.bulk_create(User(email=f"annotator-{n}@example.org") for n in range(PEOPLE))
    Membership.objects.bulk_create(Membership(project=project, user=user, role=Role.REVIEWER) for user in people)
    jobs = [ImportJob.objects.create(project=project, filename=f"{n}.csv", state="succeeded") for n in range(IMPORTS)]
    versions = [
        ModelVersion.objects.create(
            **{"project": project, "number": n, "kind": "head", "encoder": "x", "encoder_digest": "x", "seed": 0},
            **{"label_order": [[label.pk, label.name] for label in labels], "config": {}, "path": "", "digest": ""},
        )
        for n in range(1, VERSIONS + 1)
    ]
    Deployment.objects.create(project=project, version=versions[-1], kind=Deployment.Kind.PROMOTE, sequence=1)
    values = {
        "project": project.pk,
        "labels": [label.pk for label in labels],
        "people": [user.pk for user in people],
        "versions": [version.pk for version in versions],
        "vectors": ["[" + ",".join(f"{random.random():.3f}" for _ in range(LABELS)) + "]" for _ in range(16)],
    }
    with connection.cursor() as cursor:
        with (
            _without_indexes(cursor, "content_item"),
            cursor.copy(f"COPY content_item ({_COLUMNS}) FROM STDIN") as copy,
        ):
            for row in _rows(project.pk, items, [job.pk for job in jobs]):
                copy.write_row(row)
        print(f"items in after {time.monotonic() - started:.0f} s", flush=True)
        cursor.execute("ANALYZE content_item")
        for table, statement in _LOADED.items():
            with _without_indexes(cursor, table):
                cursor.execute(statement, values)
            print(f"{table} in after {time.monotonic() - started:.0f} s", flush=True)
    begun = time.monotonic()
    indexed = 0
    while n := search.index(project, seconds=60):
        indexed += n
    rate = round(indexed / (time.monotonic() - begun))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    connection.close()
    print(f"ready after {time.monotonic() - started:.0f} s", flush=True)
    return {"prepared_s": round(time.monotonic() - started), "search_indexed_per_s": rate}


@contextmanager
def _without_indexes(cursor: Any, table: str) -> Iterator[None]:
    """Indexes and foreign keys of a table that is filled at once are made afterwards: minutes instead of an hour."""
    cursor.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'",
        [table],
    )
    keys = cursor.fetchall()
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexname NOT IN "
        "(SELECT conname FROM pg_constraint)",
        [table],
    )
    indexes = cursor.fetchall()
    for name, _definition in keys:
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    for name, _definition in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    cursor.execute("SET maintenance_work_mem = '512MB'")
    for _name, definition in indexes:
        cursor.execute(definition)
    for name, definition in keys:
        cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')


def _rows(project: int, items: int, jobs: list[int]) -> Iterator[tuple[Any, ...]]:
    draw = random.Random(7)
    with TEXTS.open(newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for n in range(items):
        chinese = n % 10 == 3
        said = "".join(draw.choices(_ZH, k=8)) if chinese else draw.choice(texts) + " " + draw.choice(texts)
        text = f"{said} {n}"
        language = "zh" if chinese else "de" if n % 1000 == 1 else "en"
        meta = json.dumps({"channel": draw.choice(_CHANNELS), "order": str(n), "score": n % 100})
        split = "holdout" if n % max(1, items // 1000) == 5 else "pool"
        yield (
            *(project, f"q{n}", text, hashlib.sha256(text.encode()).digest(), split, language, "", meta),
            *(jobs[n * len(jobs) // items], start + timedelta(seconds=n * 20_000_000 / items)),
        )


# --- the questions ------------------------------------------------------------------------------------


def measure(server: Product, times: int) -> dict[str, Any]:
    ask = _session(server)
    questions = _filters()
    for query in questions.values():
        ask(query)  # templates compiled, connections open, pages of the database in memory
    lists = [sample for sort in ("", "oldest", "unsure", "margin", "agreement") for sample in _pages(ask, sort, times)]
    figures: dict[str, Any] = {"list_p50_ms": _percentile(lists, 50), "list_p95_ms": _percentile(lists, 95)}
    everything, slowest = [], {}
    for name, query in questions.items():
        took = [ask(query)[0] for _ in range(times)]
        everything += took
        slowest[f"filter_{name}_ms"] = _percentile(took, 95)
    figures |= {"filter_p50_ms": _percentile(everything, 50), "filter_p95_ms": _percentile(everything, 95)}
    return figures | {"filter_worst_ms": max(slowest.values())} | slowest


def _filters() -> dict[str, dict[str, Any]]:
    from apps.accounts.models import User
    from apps.content.models import ImportJob
    from apps.projects.models import Project

    project = Project.objects.get(slug=SLUG)
    labels = list(project.labels.values_list("pk", flat=True))
    jobs = list(ImportJob.objects.filter(project=project).order_by("pk").values_list("pk", flat=True))
    person = User.objects.get(email="annotator-3@example.org").pk
    return {
        "text_common": {"q": "card"},
        "text_rare": {"q": "77 kiosk"},
        "text_two_words": {"q": "exchange passport"},
        "text_phrase": {"q": '"top up"'},
        "text_zh_two": {"q": "银行"},
        "text_zh_run": {"q": "银行卡片还没"},
        "text_none": {"q": "xylophone"},
        "unlabelled": {"truth": "none"},
        "labelled": {"truth": "some"},
        "label_common": {"truth": labels[0]},
        "label_rare": {"truth": labels[-1]},
        "label_group": {"group": "group 3"},
        "predicted_common": {"predicted": labels[0]},
        "predicted_rare": {"version": 2, "predicted": labels[-1]},
        "confidence_narrow": {"sure_min": 0.1, "sure_max": 0.11},
        "confidence_none": {"sure_max": 0.001},
        "confidence_wide": {"sure_min": 0.3, "sure_max": 0.9},
        "margin": {"margin_max": 0.01},
        "disagree": {"version": 5, "against": 4},
        "reason_uncertain": {"reason": "uncertain"},
        "reason_feedback": {"reason": "feedback"},
        "reason_random": {"reason": "random"},
        "annotator": {"annotator": person},
        "came_old": {"since": "2026-01-02", "until": "2026-01-03"},
        "came_half": {"until": "2026-04-15"},
        "decided": {"decided_since": "2026-02-01", "decided_until": "2026-02-02"},
        "import_first": {"source": jobs[0]},
        "language_rare": {"language": "de"},
        "language_common": {"language": "en"},
        "meta_common": {"meta": "channel=shop"},
        "meta_one": {"meta": "order=123"},
        "agreement": {"agree_max": 0.6},
        "flagged": {"flagged": "on"},
        "undecided": {"undecided": "on"},
        "disputed": {"disputed": "on"},
        "gold": {"gold": "on"},
        "feedback": {"feedback": "on"},
        "holdout": {"split": "holdout"},
        "archived": {"archived": "only"},
        "unsure_unlabelled": {"sort": "unsure", "truth": "none"},
        "text_and_label": {"q": "card", "truth": labels[0]},
    }


def _pages(ask: Any, sort: str, times: int) -> list[float]:
    """The first page and those that follow it."""
    took, after = [], ""
    for _ in range(times):
        seconds, after = ask({"sort": sort, "after": after} if sort else {"after": after})
        took.append(seconds)
    return took


def _session(server: Product) -> Any:
    from django.test import Client

    from apps.accounts.models import User

    client = Client()
    # a superuser of the project sees every filter
    client.force_login(User.objects.get(email="bench@example.org"), "apps.accounts.backend.EmailBackend")
    cookie = {"Cookie": f"session={client.cookies['session'].value}"}
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)

    def ask(query: dict[str, Any]) -> tuple[float, str]:
        filled = {name: value for name, value in query.items() if value != ""}
        started = time.perf_counter()
        connection.request("GET", f"/p/{SLUG}/items/?{urlencode(filled)}", headers=cookie)
        answer = connection.getresponse()
        page = answer.read().decode()
        seconds = time.perf_counter() - started
        assert answer.status == 200, (answer.status, filled, page[:2000])
        return seconds, page.partition('data-after="')[2].partition('"')[0]

    return ask


def _percentile(took: list[float], share: int) -> float:
    if len(took) < 2:
        return round(took[0] * 1000, 1)
    return round(statistics.quantiles(took, n=100, method="inclusive")[share - 1] * 1000, 1)
