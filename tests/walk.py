"""Every page of the demonstration, found by its links: for everybody's eyes, by any width, with nothing broken.

python -m tests.walk starts a product of its own, seeds it, walks, prints each fault and ends with status 1 if there was one.
"""

import shutil
from collections.abc import Iterator

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from tests.pages import pages
from tests.pictures import ARGS, LOGIN, PASSWORD, demonstration, signed_in

FIRST = "/p/bank-questions/"  # of three projects the one with a live version and feedback
ZOOMED = {"width": 320, "height": 256}  # 1280 × 1024 at 400 %


def faults(page: Page, path: str) -> Iterator[str]:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for one in Axe().run(page).response["violations"]:
            yield f"{path} ({scheme}): {one['id']} {[node['target'] for node in one['nodes']][:3]}"
    page.set_viewport_size(ZOOMED)  # type: ignore[arg-type]
    if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        yield f"{path}: wider than the screen at 400 %"
    page.set_viewport_size({"width": 1400, "height": 900})


def main() -> None:
    kinds, found = 0, 0
    with sync_playwright() as playwright, demonstration() as url:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        page = signed_in(browser, url, LOGIN, PASSWORD)
        page.on("pageerror", lambda error: print(f"{page.url}: {error}"))
        for path in pages(page, FIRST):
            kinds += 1
            for fault in faults(page, path):
                found += 1
                print(fault, flush=True)
        browser.close()
    print(f"{kinds} kinds of pages, {found} faults")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
