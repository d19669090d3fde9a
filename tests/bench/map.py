"""The map of the content and the neighbours of a text: how long a map takes, a search, and a frame in Chromium.

Made-up vectors in as many groups as Banking77 has intents, noisy enough that groups touch; the product runs without its
workers, and this process draws, indexes and searches through the same services.
"""

import argparse
import os
import resource
import shutil
import statistics
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.server import Product, product

GROUPS, DIMENSION, BLOCK = 77, 384, 20_000
DIGEST = "0" * 64  # of no encoder: nothing here is ever encoded
EMAIL, PASSWORD = "bench-map@example.org", "correct horse battery staple"

_ITEMS = """
INSERT INTO content_item (project_id, external_id, text, text_hash, split, language, subject, meta, created_at)
SELECT %(project)s, 'm' || n, 'question ' || n || ' about a card', sha256(convert_to('map ' || n, 'UTF8')), 'pool', 'en',
       '', '{}', now()
FROM generate_series(1, %(items)s) AS n
"""
_TRUTHS = """
INSERT INTO annotation_resolution (item_id, project_id, split, label_id, how, changed_at)
SELECT id, project_id, split, %(first)s + (substr(external_id, 2)::bigint - 1) %% %(labels)s, 'imported', now()
FROM content_item WHERE project_id = %(project)s AND hashint8extended(id, 1) %% 10 = 0
"""
# moves the map a little in every frame for so many frames, and says how far apart the frames were and how long ours took
_FRAMES = """async (frames) => {
  const view = Marginalia.map.view, gaps = [];
  view.times.length = 0;
  let last = await new Promise(requestAnimationFrame);
  for (let n = 0; n < frames; n++) {
    if (n % 60 < 30) view.pan(6 * Math.cos(n / 9), 6 * Math.sin(n / 9));
    else view.zoom(n % 60 < 45 ? 1.04 : 1 / 1.04);
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
  }
  return { gaps, draws: [...view.times] };
}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--searches", type=int, default=300)
    parser.add_argument("--frames", type=int, default=600)


def run(args: argparse.Namespace) -> dict[str, Any]:
    with product(workers=False) as server:
        os.environ["MARGINALIA_HOME"], os.environ["DJANGO_SETTINGS_MODULE"] = str(server.home), "apps.config.settings"
        import django

        django.setup()
        bench = Bench(args.items)
        figures = bench.draw() | bench.search(args.searches) | bench.points()
        return {"items": args.items} | figures | frames(server, bench.slug, args.frames)


class Bench:
    slug = "map"

    def __init__(self, items: int) -> None:
        from apps.accounts.models import User
        from apps.projects.models import Label, Membership, Project, Role

        self.project = Project.objects.create(slug=self.slug, name="Map", encoder="minilm-l6", holdout_share=0)
        self.labels = Label.objects.bulk_create(
            Label(project=self.project, name=f"label {n:02}", position=n, color=n % 12 + 1) for n in range(GROUPS)
        )
        user = User.objects.create_user(EMAIL, PASSWORD)
        Membership.objects.create(project=self.project, user=user, role=Role.REVIEWER)
        self._fill(items)

    def _fill(self, items: int) -> None:
        from django.db import connection, transaction

        from apps.content.models import Item
        from apps.learning.models import Encoding
        from apps.learning.services import encoding

        with connection.cursor() as cursor:
            cursor.execute(_ITEMS, {"project": self.project.pk, "items": items})
        hashes = [bytes(found) for found in Item.objects.order_by("pk").values_list("text_hash", flat=True)]
        for start in range(0, items, BLOCK):
            some = hashes[start : start + BLOCK]
            with transaction.atomic():
                encoding._copy_in(DIGEST, some, _vectors(start, len(some)))
        with connection.cursor() as cursor:
            values = {"project": self.project.pk, "first": self.labels[0].pk, "labels": GROUPS}
            cursor.execute(_TRUTHS, values)
            cursor.execute("ANALYZE content_item, content_vector, annotation_resolution")
        newest = Item.objects.latest("pk").pk
        Encoding.objects.create(
            project=self.project, encoder_digest=DIGEST, through_item=newest, done=items, total=items
        )

    def draw(self) -> dict[str, Any]:
        from apps.explore.models import Projection
        from apps.explore.services import drawing, projection

        before = _peak_mb()
        drawing.draw(projection.ask(self.project, None).pk)
        drawn = Projection.objects.get()
        if drawn.state != Projection.State.SUCCEEDED:
            raise SystemExit(drawn.error)
        quality = drawn.quality
        return {
            "seconds": round(drawn.seconds or 0, 1),
            "more_memory_mb": round(_peak_mb() - before),
            "trustworthiness": round(quality["trustworthiness"], 3),
            "trustworthiness_pca": round(quality["trustworthiness_pca"], 3),
        }

    def search(self, searches: int) -> dict[str, Any]:
        from apps.content.models import Item
        from apps.explore.services import indexes, neighbours

        pks = list(
            Item.objects.order_by("pk").values_list("pk", flat=True)[:: max(1, Item.objects.count() // searches)]
        )
        items = list(Item.objects.filter(pk__in=pks[:searches]))
        exact = [_ids(neighbours.nearest(self.project, item, k=10)) for item in items[:30]]
        started = time.monotonic()
        indexes.keep_up()
        built = time.monotonic() - started
        times = []
        for item in items:
            started = time.perf_counter()
            neighbours.nearest(self.project, item)
            times.append(1000 * (time.perf_counter() - started))
        through = [_ids(neighbours.nearest(self.project, item, k=10)) for item in items[:30]]
        found = statistics.fmean(len(a & b) / len(a) for a, b in zip(exact, through, strict=True))
        return {
            "index_seconds": round(built, 1),
            "neighbours_p50_ms": round(statistics.median(times), 1),
            "neighbours_p95_ms": _p95(times),
            "neighbours_recall": round(found, 3),
        }

    def points(self) -> dict[str, Any]:
        from apps.explore import map_points, map_queries

        shown = map_queries.newest(self.project)
        assert shown
        started = time.perf_counter()
        sent = map_points.compressed(map_points.packed(self.project, shown))
        return {"points_ms": round(1000 * (time.perf_counter() - started)), "points_kb": round(len(sent) / 1024)}


def frames(server: Product, slug: str, count: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as running:
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
        browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = browser.new_page(base_url=server.url, viewport={"width": 1400, "height": 900})
        page.set_default_timeout(120_000)
        page.goto("/accounts/login/")
        page.fill("input[name=login]", EMAIL)
        page.fill("input[name=password]", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "login" not in url)
        page.goto(f"/p/{slug}/map/")
        page.wait_for_selector("#map[data-ready]")
        page.evaluate(_FRAMES, 60)  # the compiler warms up
        found = page.evaluate(_FRAMES, count)
        browser.close()
    return {
        "frame_ms_p95": _p95(found["gaps"]),
        "frame_ms_p50": round(statistics.median(found["gaps"]), 1),
        "draw_ms_p95": _p95(found["draws"]),
    }


def _vectors(start: int, n: int) -> NDArray[np.float32]:
    """Unit rows; the group of row i is i modulo GROUPS, as its label is."""
    centres = np.random.default_rng(0).normal(size=(GROUPS, DIMENSION))
    noise = np.random.default_rng(start + 1).normal(size=(n, DIMENSION))
    rows = centres[np.arange(start, start + n) % GROUPS] + 0.9 * noise
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _ids(found: Any) -> set[int]:
    return {each.item.pk for each in found}


def _p95(times: list[float]) -> float:
    return round(sorted(times)[int(0.95 * (len(times) - 1))], 1)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
