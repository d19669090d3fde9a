"""From a key pressed in a long marked text to the frame that shows it: 25,000 characters, 500 spans, nested ones too.

`python -m tests.bench browser` calls it; by itself: `python -m tests.bench browser-spans`.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.bench.browser import EMAIL, PASSWORD
from tests.bench.browser import _sign_in as sign_in
from tests.bench.server import ROOT, Product, product

ROUNDS, LENGTH, SPANS = 10, 25_000, 500
_SEED = """
import hashlib, random, sys
import django; django.setup()
from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Task
from apps.content.models import Item
from apps.projects.models import Label, Membership, Project
rng = random.Random(1)
words = "the bank of card payment in Berlin Anna Paul Müller was refused yesterday because 北京 e\\u0301t\\u00e9 \\U0001F44D transfer".split()
text = " ".join(rng.choices(words, k=6000))[:int(sys.argv[3])]
project = Project.objects.create(slug="bench-spans", name="Bench", encoder="minilm-l6", seed=1, task_kind="spans",
                                 overlapping=True, holdout_share=0)
labels = Label.objects.bulk_create(
    Label(project=project, name=f"kind {at}", position=at, color=at % 12 + 1) for at in range(8))
Item.objects.create(project=project, external_id="1", text=text, split="pool",
                    text_hash=hashlib.sha256(text.encode()).digest())
services.take_in(project)
wanted, spans = int(sys.argv[4]), []
every = (len(text) - 200) // wanted
for at in range(wanted):
    start = text.index(" ", at * every) + 1  # every fourth reaches into the next
    end = text.index(" ", start + (every if at % 4 == 0 else every // 3))
    spans.append({"start": start, "end": end, "label": rng.choice(labels).pk, "score": 0.9})
Task.objects.filter(project=project).update(suggestion={"version": 1, "spans": spans}, reason="uncertain", score=0.3)
user = User.objects.filter(email=sys.argv[1]).first() or User.objects.create_user(*sys.argv[1:3], name="Bench")
Membership.objects.create(project=project, user=user, role="annotator")
"""
# the frame after the key's has been handed over when the message comes: see tests/bench/browser.py
_WATCH = """
(() => {
  const seen = window.__painted = [];
  window.addEventListener("keydown", (event) => {
    if (["Shift", "Control", "Alt"].includes(event.key)) return;
    const pressed = event.timeStamp;
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => seen.push(performance.now() - pressed);
      channel.port2.postMessage(0);
    });
  }, true);
})();
"""
# what hands do most: walk, select, mark, look from span to span, pull an end, take away
_ROUND = (
    *(["ArrowRight"] * 4 + ["Control+ArrowRight"] * 2 + ["ArrowDown"] * 2),
    *(["Shift+ArrowRight"] * 3 + ["Control+Shift+ArrowRight"] * 2 + ["1", "2"]),
    *("]", "]", "Shift+ArrowRight", "Control+Shift+ArrowRight", "[", "Delete", "Escape"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of {len(_ROUND)} keys each")
    parser.add_argument("--length", type=int, default=LENGTH, help="characters")
    parser.add_argument("--spans", type=int, default=SPANS)
    parser.add_argument("--segments", action="store_true", help="as in a browser without the CSS Custom Highlight API")


def run(args: argparse.Namespace) -> dict[str, Any]:
    with product(workers=False) as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_context(base_url=running.url, viewport={"width": 1400, "height": 900}).new_page()
        _seed(running, args)
        sign_in(page)
        figures = _measure(page, args)
        browser.close()
    return figures


def measure(page: Page, running: Product, args: argparse.Namespace) -> dict[str, Any]:
    """As a part of `browser`: `page` is signed in as its annotator. Milliseconds."""
    _seed(running, args)
    return _measure(page.context.new_page(), args)


def _seed(running: Product, args: argparse.Namespace) -> None:
    environ = os.environ | {"MARGINALIA_HOME": str(running.home), "DJANGO_SETTINGS_MODULE": "apps.config.settings"}
    size = (str(getattr(args, "length", LENGTH)), str(getattr(args, "spans", SPANS)))
    subprocess.run([sys.executable, "-c", _SEED, EMAIL, PASSWORD, *size], cwd=ROOT, env=environ, check=True)


def _measure(page: Page, args: argparse.Namespace) -> dict[str, Any]:
    page.add_init_script(_WATCH)
    if getattr(args, "segments", False):
        page.add_init_script("Object.defineProperty(CSS, 'highlights', { value: undefined })")
    page.goto("/p/bench-spans/label/")
    page.locator(".spans-stage .reading").wait_for()
    page.keyboard.press("a")  # all suggestions become spans
    page.keyboard.press("Control+Home")
    page.wait_for_function("window.__painted.length >= 2")
    page.evaluate("window.__painted.length = 0")
    keys = _ROUND * getattr(args, "rounds", ROUNDS)
    for pressed, key in enumerate(keys, start=1):
        page.keyboard.press(key)
        page.wait_for_function("(n) => window.__painted.length >= n", arg=pressed)
    painted: list[float] = sorted(page.evaluate("window.__painted"))
    return {
        "key_to_paint_p50_ms": round(statistics.median(painted), 1),
        "key_to_paint_p95_ms": round(painted[int(0.95 * (len(painted) - 1))], 1),
        "key_to_paint_max_ms": round(painted[-1], 1),
        "keys": len(painted),
        "in_text": page.locator("#span-list li").count(),
        "characters": int(page.evaluate("document.querySelector('.reading').textContent.length")),
    }
