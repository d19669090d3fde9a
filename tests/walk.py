"""Every page of the demonstration, found by its links: for everybody's eyes, by any width, with nothing broken.

python -m tests.walk [--only WORDS] [--at URL --login ADDRESS]
starts a product of its own and seeds it, or walks the one at URL; prints each fault and ends with status 1 if there was one.
"""

import argparse
import getpass
import re
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from tests.pages import name_of, pages, unlinked
from tests.pictures import ARGS, FIRST, LOGIN, PASSWORD, demonstration, signed_in

WIDE = {"width": 1400, "height": 900}
PHONE = {"width": 390, "height": 844}
ZOOMED = {"width": 320, "height": 256}  # 1280 × 1024 at 400 %
# axe leaves the one rule that WCAG 2.2 added to it switched off
RULES = {"target-size": {"enabled": True}}
_UNFOLD = "document.querySelectorAll('details:not(.menu)').forEach(box => { box.open = true; })"
_MOVING = """document.getAnimations().filter(one => one.playState === "running"
    && one.effect.getComputedTiming().duration > 0).map(one => one.animationName || one.transitionProperty)"""
# letters, words and lines as far apart as 1.4.12 says
_APART = """() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }");
    document.adoptedStyleSheets = [sheet];
}"""
_TOUCHING = "() => { document.adoptedStyleSheets = []; }"
# the innermost elements that stick out and that no ancestor lets scroll
_STICKING_OUT = """() => {
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    const out = [...document.querySelectorAll("body *")].filter((one) => {
        if (one.getBoundingClientRect().right <= innerWidth + 0.5) return false;
        for (let up = one.parentElement; up; up = up.parentElement)
            if (up !== document.documentElement && up !== document.body && getComputedStyle(up).overflowX !== "visible") return false;
        return true;
    });
    const inner = out.filter((one) => !out.some((other) => other !== one && one.contains(other)));
    return ["wider than the screen", ...inner.slice(0, 3).map((one) => `<${one.localName} class="${one.getAttribute("class") ?? ""}" id="${one.id}">`)];
}"""


def faults(page: Page, path: str) -> Iterator[str]:
    page.evaluate(_UNFOLD)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        yield from (f"{path} ({scheme}): {found}" for found in _broken_rules(page))
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    yield from (f"{path} (phone): {found}" for found in _broken_rules(page, colours=False))
    if out := page.evaluate(_STICKING_OUT):
        yield f"{path} (phone): {out}"
    page.evaluate(_APART)
    if out := page.evaluate(_STICKING_OUT):
        yield f"{path} (phone, wide spacing): {out}"
    page.evaluate(_TOUCHING)
    page.set_viewport_size(ZOOMED)  # type: ignore[arg-type]
    if out := page.evaluate(_STICKING_OUT):
        yield f"{path} (400 %): {out}"
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    if moving := page.evaluate(_MOVING):
        yield f"{path}: moves although the reader asked for stillness: {moving}"


def _broken_rules(page: Page, *, colours: bool = True) -> Iterator[str]:
    rules = RULES | {"color-contrast": {"enabled": colours}}
    found = Axe().run(page, options={"resultTypes": ["violations"], "rules": rules}).response["violations"]
    for one in found:
        yield f"{one['id']} × {len(one['nodes'])} {[node['target'] for node in one['nodes']][:3]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="pages whose name has this (a regular expression)")
    parser.add_argument("--at", default="", help="the address of a running product")
    parser.add_argument("--login", default=LOGIN)
    given = parser.parse_args()
    password = getpass.getpass() if given.at else PASSWORD
    kinds, found = 0, 0
    with sync_playwright() as playwright, nullcontext(given.at) if given.at else demonstration() as url:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        page = signed_in(browser, url, given.login, password)
        page.on("pageerror", lambda error: print(f"{page.url}: {error}"))
        for path in chain(pages(page, FIRST), unlinked(page, FIRST)):
            if not re.search(given.only, name_of(path)):
                continue
            kinds += 1
            for fault in faults(page, path):
                found += 1
                print(fault, flush=True)
        browser.close()
    print(f"{kinds} kinds of pages, {found} faults")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
