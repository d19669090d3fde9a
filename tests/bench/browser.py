"""From a key pressed on the label page to the next text on the screen, in Chromium, for every kind of task.

The product runs as a user runs it (`manage.py up`), with a project of bank questions per kind. A text counts as painted
when the frame that shows it has been handed over: two ticks after the animation frame that follows the change.
"""

import argparse
import importlib
import importlib.util
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
path, n, kind = sys.argv[1], int(sys.argv[2]), sys.argv[7]
rows = list(csv.DictReader(open(path, encoding="utf-8")))[:n]
text, category = sys.argv[5:7]
project = Project.objects.create(
    slug="bench-" + kind, name="Bench " + kind, task_kind=kind, encoder="minilm-l6", seed=1,
    undecided_reasons=["Too little context", "Two meanings"])
names = sorted({row[category] for row in rows})
labels = Label.objects.bulk_create(
    Label(project=project, name=name, position=at, color=at % 12 + 1) for at, name in enumerate(names))
Item.objects.bulk_create(Item(project=project, external_id=str(at), text=row[text], split="pool",
    text_hash=hashlib.sha256(row[text].encode()).digest()) for at, row in enumerate(rows))
services.take_in(project)
some = [label.pk for label in labels[:5]]
suggestion = {"head": 1, "labels": some, "probabilities": [0.5, 0.2, 0.1, 0.05, 0.05][:len(some)]}
if kind == "multi":
    suggestion["thresholds"] = [0.4] * len(some)
Task.objects.filter(project=project).update(suggestion=suggestion, reason="uncertain", score=0.3)
user = User.objects.filter(email=sys.argv[3]).first() or User.objects.create_user(sys.argv[3], sys.argv[4], name="Bench")
Membership.objects.create(project=project, user=user, role="annotator")
"""
# what counts as painted after a key that only ticks: the box of the row has changed
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
    const ticking = window.__armed === "tick";
    const state = () => ticking
      ? [...document.querySelectorAll("#likely input")].map((box) => box.checked).join()
      : document.getElementById("item-text");
    const before = state();
    const pressed = event.timeStamp;
    const look = () => requestAnimationFrame(() => {
      if (state() === before) { look(); return; }
      const channel = new MessageChannel();
      channel.port1.onmessage = () => seen.push(performance.now() - pressed);
      channel.port2.postMessage(0);
    });
    look();
  }, true);
})();
"""


KINDS = ("single", "multi")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=ROOT / "apps/config/demo/banking77.csv", help="a CSV")
    parser.add_argument("--text-col", default="text")
    parser.add_argument("--label-col", default="label")
    parser.add_argument("--kinds", nargs="+", default=[*KINDS, "spans"], choices=[*KINDS, "spans"])
    parser.add_argument("--items", type=int, default=3_000)
    parser.add_argument("--each", type=int, default=100, help="texts to label")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds to read a text")
    parser.add_argument("--no-workers", action="store_true", help="web server and database only")


def run(args: argparse.Namespace) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with product(workers=not args.no_workers) as running:
        kinds = [kind for kind in KINDS if kind in args.kinds] or ["single"]
        for kind in kinds:
            _seed(running, args, kind)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
            )
            page = browser.new_context(base_url=running.url, viewport={"width": 1400, "height": 900}).new_page()
            _sign_in(page)
            for kind in kinds if set(args.kinds) & set(KINDS) else []:
                measured = _measure(page.context.new_page(), args, kind)
                figures |= {f"{kind}_{name}": value for name, value in measured.items()}
            if "spans" in args.kinds and importlib.util.find_spec("tests.bench.browser_spans"):
                spans = importlib.import_module("tests.bench.browser_spans")
                figures |= {f"spans_{name}": value for name, value in spans.measure(page, running, args).items()}
            browser.close()
    return figures


def _sign_in(page: Page) -> None:
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(EMAIL)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main button").first.click()
    page.wait_for_url(lambda url: "login" not in url)


def _seed(running: Product, args: argparse.Namespace, kind: str) -> None:
    environ = os.environ | {"MARGINALIA_HOME": str(running.home), "DJANGO_SETTINGS_MODULE": "apps.config.settings"}
    command = [sys.executable, "-c", _SEED, str(args.data), str(args.items), EMAIL, PASSWORD]
    command += [args.text_col, args.label_col, kind]
    subprocess.run(command, cwd=ROOT, env=environ, check=True)


def _measure(page: Page, args: argparse.Namespace, kind: str) -> dict[str, Any]:
    path = f"/p/bench-{kind}/label/"
    weight = weigh(page, path)
    page.add_init_script(_WATCH)
    page.reload()
    ticked: list[float] = []
    for place in range(args.each):
        if place == args.each // 2:
            time.sleep(0.5)  # Enter right after a number would mean that number
        if kind == "multi":
            ticked += _tick(page)
        _answer(page, "1" if kind == "single" and place < args.each // 2 else "Enter")
        _wait_for(page, 1)
        time.sleep(args.pause)
        page.evaluate("window.__all = [...(window.__all || []), ...window.__painted.splice(0)]")
    page.wait_for_selector('#saved[data-state="saved"]')
    painted = page.evaluate("window.__all")
    events = page.evaluate("window.__events") or [0.0]
    page.close()
    figures = {
        "key_to_paint_p50_ms": round(statistics.median(painted), 1),
        "key_to_paint_p95_ms": round(_percentile(painted, 0.95), 1),
        "key_to_paint_max_ms": round(max(painted), 1),
        "event_timing_p95_ms": round(_percentile(events, 0.95), 1),  # the browser's own count, in steps of 8 ms
        "answers": len(painted),
        "page_kb": round(weight["total"] / 1024, 1),
        "page_requests": weight["requests"],
    }
    if ticked:
        figures["tick_to_paint_p95_ms"] = round(_percentile(ticked, 0.95), 1)
    return figures


def _tick(page: Page) -> list[float]:
    """A label ticked or unticked by its number, where there is a suggestion to number the labels."""
    if not page.locator("#likely .answer").count():
        return []
    page.evaluate("window.__armed = 'tick'")
    page.keyboard.press("2")
    _wait_for(page, 1)
    painted: list[float] = page.evaluate("window.__painted.splice(0)")
    return painted


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
        if page.locator("#none").count():  # several labels: the search stays open, Enter on the text submits
            page.keyboard.press("Enter")
            page.keyboard.press("Escape")
        key = "Enter"
    page.evaluate("window.__armed = true")
    page.keyboard.press(key)
    page.evaluate("window.__armed = false")


def weigh(page: Page, path: str) -> dict[str, int]:
    """What a first visit to the label page moves over the wire, compressed as it was sent."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("Network.enable")
    cdp.send("Network.clearBrowserCache")
    sizes: list[int] = []
    cdp.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    page.goto(path, wait_until="networkidle")
    cdp.detach()
    return {"total": sum(sizes), "requests": len(sizes)}


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
