"""Real Chromium against a live server. A script error, a dialog or a breach of the content policy fails the test."""

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Task
from apps.projects.models import Label, Project
from tests.annotation import make
from tests.bench.server import Product
from tests.conftest import ClientOf

# Playwright's event loop runs in this thread; the ORM calls of the tests are plain synchronous ones
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

ARGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
# what a test that cuts the line provokes, and a page that is closed while it asks
EXPECTED = ("Failed to load resource", "net::ERR_", "htmx:afterRequest", "htmx:sendError", "htmx:sendAbort")
expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong
Open = Callable[..., Page]
PASSWORD = "a long walk along the river"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
    yield browser
    browser.close()


class Watch:
    """Everything a page must not do."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def over(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(f"script error: {error}"))
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("console", self._console)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(known in message.text for known in EXPECTED):
            self.faults.append(f"console: {message.text}")


@pytest.fixture
def watch() -> Iterator[Watch]:
    watching = Watch()
    yield watching
    assert watching.faults == []


@pytest.fixture
def open_page(live_server: LiveServer, chromium: Browser, client_of: ClientOf, watch: Watch) -> Iterator[Open]:
    """Opens a path as a person in a fresh browser profile; keyword arguments go to the profile."""
    contexts: list[BrowserContext] = []

    def opened(user: User, path: str, *, context: BrowserContext | None = None, **profile: object) -> Page:
        if context is None:
            context = chromium.new_context(base_url=live_server.url, **profile)  # type: ignore[arg-type]
            context.set_default_timeout(30_000)
            cookie = client_of(user).cookies[settings.SESSION_COOKIE_NAME]
            context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
            contexts.append(context)
        page = context.new_page()
        watch.over(page)
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    wait_for_the_server()


_answering: set[int] = set()  # threads of the live server


@pytest.fixture(scope="session", autouse=True)
def _who_is_answering() -> Iterator[None]:
    whole = WSGIHandler.__call__

    def counted(handler: WSGIHandler, environ: Any, start_response: Any) -> Any:
        _answering.add(threading.get_ident())
        try:
            return whole(handler, environ, start_response)
        finally:
            _answering.discard(threading.get_ident())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WSGIHandler, "__call__", counted)
        yield


def wait_for_the_server() -> None:
    """Pages ask on in the background: the tables are emptied only when nobody reads them any more."""
    quiet, deadline = 0, time.monotonic() + 30
    while quiet < 3 and time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
            )
            (busy,) = cursor.fetchone() or (0,)
        quiet = 0 if busy or _answering else quiet + 1
        time.sleep(0.03)


@pytest.fixture
def sign_in(running: Product, chromium: Browser, watch: Watch) -> Iterator[Callable[[str], Page]]:
    """By e-mail and PASSWORD, to the product that the test's module runs; a browser profile each."""
    contexts = []

    def signed_in(email: str) -> Page:
        context = chromium.new_context(base_url=running.url)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        watch.over(page)
        page.goto("/accounts/login/")
        page.get_by_label(re.compile("e-?mail", re.I)).fill(email)
        page.get_by_label("Password", exact=False).first.fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "login" not in url)
        return page

    yield signed_in
    for context in contexts:
        context.close()


@pytest.fixture
def project(live_server: LiveServer, project: Project) -> Project:
    """The project of the cast, on the server's database."""
    return project


@pytest.fixture
def many(project: Project) -> list[Label]:
    """77 labels, among them a few with names worth typing."""
    names = ["card arrival", "card not working", "lost or stolen card", "exchange rate", "余额不足", "top up failed"]
    project.labels.all().delete()
    names += [f"intent {place:02}" for place in range(77 - len(names))]
    return Label.objects.bulk_create(
        Label(project=project, name=name, position=place, color=place % 12 + 1) for place, name in enumerate(names)
    )


@pytest.fixture
def texts(project: Project) -> list[Task]:
    make.items(project, 15)
    services.take_in(project)
    return list(Task.objects.order_by("rank").select_related("item"))


def suggest(project: Project, *labels: Label) -> None:
    """Every open task gets the same suggestion, likeliest first."""
    probabilities = [0.62, 0.2, 0.1, 0.05, 0.03][: len(labels)]
    suggestion = {"head": 1, "labels": [label.pk for label in labels], "probabilities": probabilities}
    Task.objects.filter(project=project, split="pool").update(suggestion=suggestion, reason="uncertain", score=0.42)
