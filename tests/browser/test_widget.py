"""The widget as a host product carries it: on a page of another origin, under a strict content policy."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from apps.feedback import intake_auth
from apps.feedback.models import Signal
from apps.projects.models import Project
from apps.serving.models import Served
from tests.browser import network
from tests.browser.conftest import Watch, wait_for_the_server
from tests.feedback import make

FILE = Path(__file__).parents[2] / "static/widget/marginalia.js"
POLICY = "default-src 'none'; script-src {host}; connect-src {host}; require-trusted-types-for 'script'"
OpenHost = Callable[..., Page]


def test_the_widget_is_one_small_file() -> None:
    text = FILE.read_text()
    assert len(text.encode()) <= 6_000
    for word in ("eval(", "Function(", "innerHTML", "import ", "require(", "localStorage", "cookie"):
        assert word not in text, word


class Host:
    """Somebody's shop on an origin of its own."""

    def __init__(self, marginalia: str) -> None:
        self.marginalia, self.page = marginalia, ""
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", POLICY.format(host=host.marginalia))
                self.end_headers()
                self.wfile.write(host.page.encode())

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def host(live_server: LiveServer) -> Iterator[Host]:
    intake_auth.forget_keys()
    running = Host(live_server.url)
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def served(project: Project) -> Served:
    return make.served(project)


@pytest.fixture
def visit(host: Host, chromium: Browser, watch: Watch) -> Iterator[OpenHost]:
    contexts: list[BrowserContext] = []

    def opened(
        key: str, served: Served, *, lang: str = "en", watched: bool = True, dark: bool = False, **options: str
    ) -> Page:
        data = "".join(f' data-{name}="{value}"' for name, value in options.items())
        script = f'{host.marginalia}/static/widget/marginalia.js" data-key="{key}" data-prediction="{served.pk}"{data}'
        host.page = f'<!doctype html><html lang="{lang}"><meta name="color-scheme" content="light dark"><title>Shop</title><body bgcolor="{"#121212" if dark else "#ffffff"}"><main><h1>Shop</h1><script src="{script}></script></main>'
        context = chromium.new_context(color_scheme="dark" if dark else "light")
        contexts.append(context)
        page = context.new_page()
        if watched:
            watch.over(page)
        page.goto(host.origin)
        return page

    yield opened
    for context in contexts:
        context.close()
    wait_for_the_server()


@pytest.fixture
def key(project: Project, host: Host) -> str:
    return make.key(project, origins=[host.origin])[1]


def stored(page: Page, n: int) -> list[Signal]:
    for _ in range(300):
        signals = list(Signal.objects.order_by("pk"))
        if len(signals) >= n:
            break
        page.wait_for_timeout(100)
    assert len(signals) == n
    return sorted(signals, key=lambda signal: signal.kind)  # two requests may arrive in either order


def test_a_thumb_crosses_origins_and_a_label_follows(visit: OpenHost, key: str, served: Served) -> None:
    page = visit(key, served, labels="exchange rate|top up failed", subject="u1")
    page.get_by_role("button", name="No").click()
    page.get_by_role("button", name="exchange rate").click()
    expect(page.get_by_role("status")).to_have_text("Thank you.")
    label, thumb = stored(page, 2)
    assert (thumb.kind, thumb.polarity, thumb.served, thumb.source) == ("thumb", -1, served, "widget")
    assert label.wanted is not None
    assert (label.wanted.name, label.subject) == ("exchange rate", thumb.subject)


def test_it_is_worked_by_keyboard_alone_and_says_what_happened(visit: OpenHost, key: str, served: Served) -> None:
    page = visit(key, served, reasons="Out of date", consent="true")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="No")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("group", name="What was wrong?")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("It never says when.")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_be_focused()
    comment, thumb = stored(page, 2)
    assert thumb.kind == "thumb"
    assert (comment.kind, comment.comment, comment.polarity) == ("comment", "It never says when.", -1)


def test_without_consent_it_asks_for_no_words(visit: OpenHost, key: str, served: Served) -> None:
    page = visit(key, served, reasons="Out of date", consent="false")
    page.get_by_role("button", name="No").click()
    expect(page.get_by_role("button", name="Out of date")).to_be_visible()
    assert page.get_by_role("textbox").count() == 0
    (thumb,) = stored(page, 1)
    assert (thumb.consent, thumb.text) == (False, "")


def test_pressing_twice_counts_once(visit: OpenHost, key: str, served: Served) -> None:
    page = visit(key, served)
    page.get_by_role("button", name="Yes").dblclick()
    page.get_by_role("button", name="No").click(force=True)
    expect(page.get_by_role("status")).to_have_text("Thank you.")
    (thumb,) = stored(page, 1)
    assert thumb.polarity == 1


def test_it_speaks_the_language_of_the_page(visit: OpenHost, key: str, served: Served) -> None:
    page = visit(key, served, lang="zh-CN")
    expect(page.get_by_text("这个回答对吗？")).to_be_visible()
    page.get_by_role("button", name="不对").click()
    expect(page.get_by_role("status")).to_have_text("谢谢。")
    stored(page, 1)  # it thanks at once: the next test must not find what is still on its way


def test_a_lost_answer_is_asked_for_again_under_the_same_id(visit: OpenHost, key: str, served: Served) -> None:
    page = visit(key, served, watched=False)
    sent: list[str] = []

    def lose_the_first(route: Route) -> None:
        if route.request.method == "POST":
            sent.append(str(route.request.post_data_json["id"]))
            if len(sent) == 1:
                route.fetch()  # it arrives, the answer does not
                route.abort()
                return
        route.continue_()

    network.intercept(page, "**/api/v1/feedback", lose_the_first)
    with page.expect_response(lambda answer: answer.request.method == "POST") as received:
        page.get_by_role("button", name="No").click()
    assert received.value.status == 202
    assert len(sent) == 2
    assert len(set(sent)) == 1
    stored(page, 1)


def test_who_is_not_listed_is_told_that_nothing_was_sent(project: Project, visit: OpenHost, served: Served) -> None:
    other = make.key(project, origins=["https://shop.example.org"])[1]
    page = visit(other, served, watched=False)
    page.get_by_role("button", name="No").click()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    assert not Signal.objects.exists()


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_in_the_way_of_anybody(visit: OpenHost, key: str, served: Served, dark: bool) -> None:
    page = visit(key, served, dark=dark, consent="true", labels="exchange rate")
    page.get_by_role("button", name="No").click()
    stored(page, 1)
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert [rule["id"] for rule in found.response["violations"]] == []
