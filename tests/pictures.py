"""Pictures of every page of the demonstration: light, dark and narrow.

python -m tests.pictures [--out FOLDER] [--language zh-hans] [--only WORDS] [--at URL --login ADDRESS]
starts a product of its own, seeds it and walks through all its links; or photographs the one at URL.
"""

import argparse
import getpass
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.bench.server import ROOT, product
from tests.pages import name_of, pages, unlinked

ARGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
LOOKS = {"light": ("light", 1400), "dark": ("dark", 1400), "narrow": ("light", 390), "narrow-dark": ("dark", 390)}
# pages whose parts divide the height of the screen among them stay as they are
TALL = "document.querySelector('.label-page, .triage-page, .support, .map') ? 0 : document.documentElement.scrollHeight"
FIRST = "/p/bank-questions/"  # of three projects the one with a live version and feedback
LOGIN, PASSWORD = "bench@example.org", "correct horse battery staple"  # of the product that the benches start


@contextmanager
def demonstration() -> Iterator[str]:
    """A product with the demonstration seeded; its address."""
    with product() as server:
        settings = {"MARGINALIA_HOME": str(server.home), "DJANGO_SETTINGS_MODULE": "apps.config.settings"}
        command = [sys.executable, "manage.py", "seed_demo"]
        subprocess.run(command, cwd=ROOT, env=os.environ | settings, check=True, capture_output=True)
        yield server.url


def signed_in(browser: Browser, url: str, login: str, password: str, language: str = "en") -> Page:
    locale = "zh-CN" if language.startswith("zh") else language
    context = browser.new_context(base_url=url, locale=locale, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(120_000)  # a busy machine is slow, not wrong
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(login)
    page.locator("[name=password]").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"^(?!.*login).*$"))
    return page


def photograph(page: Page, folder: Path, only: str = "") -> int:
    taken = 0
    for path in chain(pages(page, FIRST), unlinked(page, FIRST)):
        name = name_of(path)
        if not re.search(only, name):
            continue
        for look, (scheme, width) in LOOKS.items():
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_load_state("networkidle")
            if tall := page.evaluate(TALL):  # what sticks to the edges lies there
                page.set_viewport_size({"width": width, "height": max(900, tall)})
            page.screenshot(path=folder / f"{name}.{look}.png", full_page=True)
            taken += 1
        page.set_viewport_size({"width": 1400, "height": 900})
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / ".pictures")
    parser.add_argument("--language", default="en")
    parser.add_argument("--only", default="", help="pages whose name has this (a regular expression)")
    parser.add_argument("--at", default="", help="the address of a running product")
    parser.add_argument("--login", default=LOGIN)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        if given.at:
            page = signed_in(browser, given.at, given.login, getpass.getpass(), given.language)
            taken = photograph(page, given.out, given.only)
        else:
            with demonstration() as url:
                page = signed_in(browser, url, LOGIN, PASSWORD, given.language)
                taken = photograph(page, given.out, given.only)
        browser.close()
    print(f"{taken} pictures in {given.out}")


if __name__ == "__main__":
    main()
