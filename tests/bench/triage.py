"""From a decision pressed on the triage page to the next ticket on the screen, until the queue of a day is empty.

The product runs as a user runs it (`manage.py up`), with complaints about bank questions that were grouped as always. A
ticket counts as painted when the frame that shows it has been handed over.
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

from playwright.sync_api import Page, expect, sync_playwright

from tests.bench.server import ROOT, Product, product
from tests.browser.triage_day import WATCH, decide, painted

EMAIL, PASSWORD = "bench-triage@example.org", "correct horse battery staple"
_SEED = """
import sys
from pathlib import Path
import django; django.setup()
from apps.accounts.models import User
from apps.projects.models import Membership, Project
from tests.feedback.crowd import crowd
project = Project.objects.create(slug="bench", name="Bench", encoder="minilm-l6", seed=1)
user = User.objects.create_user(sys.argv[1], sys.argv[2], name="Bench")
Membership.objects.create(project=project, user=user, role="product_manager")
print(len(crowd(project, int(sys.argv[3]), data=Path(sys.argv[4]), questions=int(sys.argv[5]))))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=ROOT / "apps/config/demo/banking77.csv", help="CSV: text,label")
    parser.add_argument("--signals", type=int, default=500)
    parser.add_argument("--questions", type=int, default=160, help="different texts among them")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds to read a ticket")
    parser.add_argument("--workers", action="store_true", help="with workers beside it")


def run(args: argparse.Namespace) -> dict[str, Any]:
    with product(workers=args.workers) as running:
        tickets = _seed(running, args)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
            )
            page = browser.new_page(base_url=running.url, viewport={"width": 1400, "height": 900})
            figures = _measure(page, args, tickets)
            browser.close()
    return {"signals": args.signals, "tickets": tickets} | figures


def _seed(running: Product, args: argparse.Namespace) -> int:
    environ = os.environ | {"MARGINALIA_HOME": str(running.home), "DJANGO_SETTINGS_MODULE": "apps.config.settings"}
    command = [sys.executable, "-c", _SEED, EMAIL, PASSWORD, str(args.signals), str(args.data), str(args.questions)]
    done = subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


def _measure(page: Page, args: argparse.Namespace, tickets: int) -> dict[str, Any]:
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(EMAIL)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main button").first.click()
    page.wait_for_url(lambda url: "login" not in url)
    page.goto("/p/bench/triage/")
    page.wait_for_timeout(1_000)
    page.evaluate(WATCH)
    started = time.monotonic()
    for place in range(tickets):
        page.wait_for_selector("#ticket")
        decide(page, place)
        page.wait_for_function("count => window.__painted.length >= count", arg=place + 1)
        time.sleep(args.pause)
    expect(page.locator("#triage-empty")).to_be_visible()
    expect(page.locator("#saved")).to_have_attribute("data-state", "saved", timeout=60_000)
    took = sorted(painted(page))
    return {
        "key_to_paint_p50_ms": round(statistics.median(took), 1),
        "key_to_paint_p95_ms": round(took[min(len(took) - 1, int(0.95 * len(took)))], 1),
        "key_to_paint_max_ms": round(took[-1], 1),
        "page_seconds_in_all": round(sum(took) / 1000, 2),
        "seconds_in_all": round(time.monotonic() - started, 1),  # with the pauses, until everything is saved
    }
