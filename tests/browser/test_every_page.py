"""Every page of the demonstration, found by its links: for everybody's eyes, by any width, with nothing broken."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.config.processes import OURS
from tests.pages import pages
from tests.pictures import LOGIN, PASSWORD, demonstration, signed_in

pytestmark = [pytest.mark.slow]
ENOUGH = 45  # kinds of pages; fewer would mean that the walk lost its way
FIRST = "/p/bank-questions/"  # of three projects the one with a live version and feedback
ZOOMED = {"width": 320, "height": 256}  # 1280 × 1024 at 400 %


@pytest.fixture(scope="module")
def shown() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name in OURS:
            patch.delenv(name, raising=False)
        with demonstration() as url:
            yield url


def faults(page: Page, path: str) -> list[str]:
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        violations = Axe().run(page).response["violations"]
        found += [f"{path} ({scheme}): {one['id']} {[n['target'] for n in one['nodes']][:3]}" for one in violations]
    page.set_viewport_size(ZOOMED)  # type: ignore[arg-type]
    if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        found.append(f"{path}: wider than the screen at 400 %")
    page.set_viewport_size({"width": 1400, "height": 900})
    return found


def test_no_page_has_a_fault_in_light_or_dark_or_at_400_per_cent(chromium: Browser, shown: str) -> None:
    page = signed_in(chromium, shown, LOGIN, PASSWORD)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(f"{page.url}: {error}"))
    kinds = 0
    for path in pages(page, FIRST):
        broken += faults(page, path)
        kinds += 1
    page.context.close()
    assert not broken, "\n".join(broken)
    assert kinds >= ENOUGH
