"""From a key pressed on the label page to the next text on the screen, in Chromium.

The product runs as a user runs it (`manage.py up`), with a project of bank questions. A text counts as painted when the
frame that shows it has been handed over: two ticks after the animation frame that follows the change.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.bench.server import ROOT, Product, product

EMAIL, PASSWORD = "bench-browser@example.org", "correct horse battery staple"
_SEED = """
import csv, hashlib, sys
import django; django.setup()
from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Task
from apps.content.models import Item
from apps.projects.models import Label, Membership, Project
path, n = sys.argv[1], int(sys.argv[2])
rows = list(csv.DictReader(open(path, encoding="utf-8")))[:n]
text, category = sys.argv[5:7]
project = Project.objects.create(slug="bench", name="Bench", encoder="minilm-l6", seed=1)
names = sorted({row[category] for row in rows})
labels = Label.objects.bulk_create(
    Label(project=project, name=name, position=at, color=at % 12 + 1) for at, name in enumerate(names))
Item.objects.bulk_create(Item(project=project, external_id=str(at), text=row[text], split="pool",
    text_hash=hashlib.sha256(row[text].encode()).digest()) for at, row in enumerate(rows))
services.take_in(project)
some = [label.pk for label in labels[:5]]
suggestion = {"head": 1, "labels": some, "probabilities": [0.5, 0.2, 0.1, 0.05, 0.05][:len(some)]}
Task.objects.filter(project=project).update(suggestion=suggestion, reason="uncertain", score=0.3)
user = User.objects.create_user(sys.argv[3], sys.argv[4], name="Bench")
Membership.objects.create(project=project, user=user, role="annotator")
"""
_WATCH = """
(() => {
  const seen = window.__painted = [];
  const events = window.__events = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (entry.name === "keydown") events.push(entry.duration);
  }).observe({ type: "event", durationThreshold: 16, buffered: true });
  window.__armed = false;
  window.addEventListener("keydown", (event) => {
    if (!window.__armed) return;
    const before = document.getElementById("item-text");
    const pressed = event.timeStamp;
    const look = () => requestAnimationFrame(() => {
      if (document.getElementById("item-text") === before) { look(); return; }
      const channel = new MessageChannel();
      channel.port1.onmessage = () => seen.push(performance.now() - pressed);
      channel.port2.postMessage(0);
    });
    look();
  }, true);
})();
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=ROOT / "apps/config/demo/banking77.csv", help="a CSV")
    parser.add_argument("--text-col", default="text")
    parser.add_argument("--label-col", default="label")
    parser.add_argument("--items", type=int, default=3_000)
    parser.add_argument("--each", type=int, default=100, help="texts to label")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds to read a text")
    parser.add_argument("--no-workers", action="store_true", help="web server and database only")


def run(args: argparse.Namespace) -> dict[str, Any]:
    with product(workers=not args.no_workers) as running:
        _seed(running, args)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
            )
            page = browser.new_page(base_url=running.url, viewport={"width": 1400, "height": 900})
            figures = _measure(page, args)
            browser.close()
    return figures


def _seed(running: Product, args: argparse.Namespace) -> None:
    environ = os.environ | {"MARGINALIA_HOME": str(running.home), "DJANGO_SETTINGS_MODULE": "apps.config.settings"}
    command = [sys.executable, "-c", _SEED, str(args.data), str(args.items), EMAIL, PASSWORD]
    command += [args.text_col, args.label_col]
    subprocess.run(command, cwd=ROOT, env=environ, check=True)


def _measure(page: Page, args: argparse.Namespace) -> dict[str, Any]:
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(EMAIL)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main button").first.click()
    page.wait_for_url(lambda url: "login" not in url)
    weight = _weight(page)
    page.add_init_script(_WATCH)
    page.reload()
    for place in range(args.each):
        if place == args.each // 2:
            time.sleep(0.5)  # Enter right after a number would mean that number
        _answer(page, "1" if place < args.each // 2 else "Enter")
        _wait_for(page, place + 1)
        time.sleep(args.pause)
    page.wait_for_selector('#saved[data-state="saved"]')
    painted = page.evaluate("window.__painted")
    events = page.evaluate("window.__events") or [0.0]
    return {
        "key_to_paint_p50_ms": round(statistics.median(painted), 1),
        "key_to_paint_p95_ms": round(_percentile(painted, 0.95), 1),
        "key_to_paint_max_ms": round(max(painted), 1),
        "event_timing_p95_ms": round(_percentile(events, 0.95), 1),  # the browser's own count, in steps of 8 ms
        "answers": len(painted),
        "page_kb": round(weight["total"] / 1024, 1),
        "page_requests": weight["requests"],
    }


def _wait_for(page: Page, painted: int) -> None:
    deadline = time.monotonic() + 20
    while page.evaluate("window.__painted.length") < painted:
        if time.monotonic() > deadline:
            raise SystemExit(f"no new text after answer {painted}: " + page.locator("main").inner_text()[:500])
        time.sleep(0.02)


def _answer(page: Page, key: str) -> None:
    """With a suggestion one key; without one (held out, cold start) the key that ends the search for a label."""
    if not page.locator("#likely .answer").count():
        page.keyboard.press("/")
        page.keyboard.type("ca")
        key = "Enter"
    page.evaluate("window.__armed = true")
    page.keyboard.press(key)
    page.evaluate("window.__armed = false")


def _weight(page: Page) -> dict[str, int]:
    """What a first visit to the label page moves over the wire, compressed as it was sent."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("Network.enable")
    cdp.send("Network.clearBrowserCache")
    sizes: list[int] = []
    cdp.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    page.goto("/p/bench/label/", wait_until="networkidle")
    cdp.detach()
    return {"total": sum(sizes), "requests": len(sizes)}


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
