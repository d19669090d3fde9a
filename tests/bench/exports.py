"""Export of a whole project through HTTP, items with their truths and every third with an annotation."""

import argparse
import time
from typing import Any

import psycopg
import requests

from tests.bench.imports import watched
from tests.bench.server import Product, product

_FILL = """
INSERT INTO content_item (project_id, external_id, text, text_hash, split, language, subject, meta, created_at)
SELECT %(project)s, 'q' || n, 'question ' || n || ': ' || repeat(md5(n::text) || ' ', 3),
       sha256(convert_to('question ' || n, 'UTF8')), 'pool', 'en', '', '{"channel": "mail"}', now()
FROM generate_series(1, %(items)s) AS n;
INSERT INTO annotation_resolution (item_id, project_id, split, label_id, how, changed_at)
SELECT i.id, i.project_id, i.split, l.id, 'single', now()
FROM content_item i CROSS JOIN LATERAL (SELECT id FROM projects_label WHERE project_id = %(project)s LIMIT 1) l
WHERE i.project_id = %(project)s AND i.id %% 2 = 0;
INSERT INTO annotation_annotation
    (project_id, item_id, annotator_id, key, revision, retracted, label_id, note, flagged, outcome, late, created_at)
SELECT i.project_id, i.id, u.id, gen_random_uuid(), 1, false, r.label_id, '', false, 'scratch', false, now()
FROM content_item i JOIN annotation_resolution r ON r.item_id = i.id
CROSS JOIN LATERAL (SELECT id FROM accounts_user LIMIT 1) u
WHERE i.project_id = %(project)s AND i.id %% 3 = 0;
ANALYZE;
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=200_000)


def run(args: argparse.Namespace) -> dict[str, Any]:
    with product(workers=False) as server:
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {server.token}"
        url = f"{server.url}/api/v1/projects/"
        wish = {"name": "Export bench", "encoder": "char-ngrams", "labels": ["a label"]}
        answer = session.post(url, json=wish, timeout=60)
        answer.raise_for_status()
        slug = answer.json()["slug"]
        fill(server, slug, args.items)
        with watched(server) as peak:
            figures = {
                name: exported(session, f"{url}{slug}/export/", query)
                for name, query in (
                    ("jsonl", {"annotations": "true"}),
                    ("csv", {"file_type": "csv", "annotations": "true"}),
                    ("plain", {}),
                )
            }
        lines, megabytes, seconds = figures["jsonl"]
        if lines != args.items:
            raise SystemExit(f"{lines} lines came for {args.items} items")
        return {
            "items": args.items,
            "megabytes": round(megabytes, 1),
            "seconds": round(seconds, 2),
            "items_per_s": round(args.items / seconds),
            "csv_items_per_s": round(args.items / figures["csv"][2]),
            "without_annotations_items_per_s": round(args.items / figures["plain"][2]),
            "peak_rss_mb": round(peak["web"] / 1e6, 1),
        }


def fill(server: Product, slug: str, items: int) -> None:
    with psycopg.connect((server.home / "run" / "database.url").read_text().strip(), autocommit=True) as database:
        (project,) = database.execute("SELECT id FROM projects_project WHERE slug = %s", [slug]).fetchone() or (0,)
        for statement in _FILL.split(";\n"):
            if statement.strip():
                database.execute(statement, {"project": project, "items": items} if "%(" in statement else None)


def exported(session: requests.Session, url: str, query: dict[str, str]) -> tuple[int, float, float]:
    """Lines, megabytes, seconds."""
    started = time.monotonic()
    lines = size = 0
    with session.get(url, params=query, stream=True, timeout=600) as answer:
        answer.raise_for_status()
        for block in answer.iter_content(1024 * 1024):
            lines += block.count(b"\n")
            size += len(block)
    return lines, size / 1e6, time.monotonic() - started
