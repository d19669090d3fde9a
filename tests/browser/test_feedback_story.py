"""From a user's thumb to a test that the next model must pass: `manage.py up`, real workers, four people's browsers."""

import re
import time
from collections.abc import Callable, Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.bench.server import Product, product
from tests.browser.conftest import PASSWORD
from tests.browser.test_story import shell
from tests.config.processes import OURS

# the demonstration's project in small: thirty labelled questions, some to be held out, some nobody has labelled
SETTING = """
import django; django.setup()
from apps.accounts.models import User
from apps.feedback.demo_chat import SLUG
from apps.projects.models import Label, Membership, Project
from tests.learning.teach import WORDS, add_item, add_items, resolve

project = Project.objects.create(slug=SLUG, name="Bank questions", encoder="char-ngrams")
for place, name in enumerate(WORDS, start=1):
    Label.objects.create(project=project, name=name, position=place, color=place, hotkey=str(place))
for name, role in (("Ada", "administrator"), ("Ana", "annotator"), ("Dana", "product_manager"), ("Uma", "viewer")):
    user = User.objects.create_user(f"{{name.lower()}}@example.org", {password!r}, name=name)
    Membership.objects.create(project=project, user=user, role=role)
add_items(project, 9)
add_items(project, 4, split="holdout")
first = project.labels.get(position=1)
for number in range(5):  # a model that knows nothing would say this one
    resolve(add_item(project, f"my card is somewhere in the post, number {{number}}"), first)
for number in range(20):
    add_item(project, f"a question about euros, cards and my top up, number {{number}}")
"""
LABELS = ("card arrival", "exchange rate", "top up failed")
COMPLAINT = "the shop says my plastic was swallowed by the machine"
PROJECT = "/p/bank-questions"
PATIENCE = 120  # seconds for any one thing that happens in the background

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def running() -> Iterator[Product]:
    with pytest.MonkeyPatch.context() as patch:
        for name in OURS:  # the product starts its own servers, not those of the test session
            patch.delenv(name, raising=False)
        with product() as server:
            shell(server, SETTING.format(password=PASSWORD))
            yield server


def awaited(page: Page, path: str, find: Callable[[], Locator]) -> Locator:
    """Looks again until it is there: what happens in the background comes in its own time."""
    ends = time.monotonic() + PATIENCE
    while True:
        page.goto(path)
        if find().count():
            return find().first
        assert time.monotonic() < ends, f"{path} never showed it:\n{page.locator('main').inner_text()[:3000]}"
        page.wait_for_timeout(1_000)


def state(page: Page, words: str) -> None:
    """The ticket's badge."""
    awaited(page, f"{PROJECT}/triage/1/", lambda: page.locator(".ticket-head .badge", has_text=words))


def train(ada: Page, **options: str) -> None:
    ada.goto(f"{PROJECT}/train/new/")
    expect(ada.get_by_text("Head only").first).to_be_visible()
    if options:
        ada.locator("summary", has_text="Options").click()
    for name, value in options.items():
        ada.locator(f"[name={name}]").fill(value)
    ada.get_by_role("button", name="Start the run").click()
    expect(ada.get_by_text("succeeded").first).to_be_visible(timeout=PATIENCE * 1_000)


def promote(ada: Page, version: int, *, why: str = "") -> None:
    ada.goto(f"{PROJECT}/train/")
    box = ada.locator(".decision")
    if why:
        box.get_by_label("Why").fill(why)
    box.get_by_role("button", name=f"Promote v{version}").click()


def answering(running: Product) -> None:
    """Until the version that has just gone live is in the inference process's memory."""
    ends, said = time.monotonic() + PATIENCE, 503
    while said == 503:
        assert time.monotonic() < ends, "the inference process never answered"
        time.sleep(1)
        said = asked(running)
    assert said == 200


def asked(running: Product) -> int:
    headers = {"Authorization": f"Bearer {running.token}", "Content-Type": "application/json"}
    request = Request(f"{running.url}/api/v1/projects/bank-questions/predict", b'{"text": "hello"}', headers)
    try:
        with urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def complain(uma: Page) -> str:
    """A thumb down in the chat, then what it should have been: neither what was said nor what the majority is."""
    uma.goto("/demo/support/")
    uma.locator("[name=text]").fill(COMPLAINT)
    uma.keyboard.press("Enter")
    uma.get_by_role("button", name="No", exact=True).click()
    offered = uma.get_by_role("button", name=re.compile(f"^({'|'.join(LABELS[1:])})$")).first
    wanted = offered.inner_text()
    with uma.expect_response("**/api/v1/feedback") as answer:
        offered.click()
    assert answer.value.status == 202
    return wanted


def test_a_thumb_becomes_a_test_that_the_next_model_must_pass(running: Product, sign_in: Callable[[str], Page]) -> None:
    ada, uma, dana, ana = (sign_in(f"{name}@example.org") for name in ("ada", "uma", "dana", "ana"))
    train(ada)
    promote(ada, 1)
    expect(ada.locator("p.answer")).to_contain_text("v1 is live")

    answering(running)
    wanted = complain(uma)

    # the product manager accepts it by keyboard
    row = awaited(dana, f"{PROJECT}/triage/", lambda: dana.locator(".ticket-row", has_text=COMPLAINT))
    expect(row).to_contain_text(wanted)
    row.locator("[data-ticket]").click()
    expect(dana.locator("#ticket-heading")).to_contain_text("Ticket 1")
    dana.keyboard.press("1")
    state(dana, "accepted")

    # the annotator is asked before everything else, and agrees with the complaint
    awaited(ana, f"{PROJECT}/label/", lambda: ana.locator("#item-text", has_text=COMPLAINT))
    ana.keyboard.press(str(LABELS.index(wanted) + 1))
    expect(ana.locator("#item-text")).not_to_have_text(COMPLAINT)
    state(dana, "complaint was right")

    # the next version has learnt it
    train(ada)
    ada.goto(f"{PROJECT}/train/")
    fixes = ada.locator(".decision .figure", has_text="Regression cases it fixes")
    expect(fixes).to_contain_text("1", timeout=PATIENCE * 1_000)  # the live version is asked in the background
    promote(ada, 2)
    expect(ada.locator("p.answer")).to_contain_text("v2 is live")
    state(dana, "fixed in v2")

    # a third one, made bad on purpose, is refused …
    train(ada, c="0.001")
    promote(ada, 3)
    refusal = ada.get_by_role("alert")
    expect(refusal).to_contain_text("v3 breaks 1 pinned regression case")
    expect(refusal).to_contain_text("(ticket 1)")
    state(dana, "fixed in v2")
    expect(dana.locator("dd", has_text="would break it").first).to_be_visible()
    expect(dana.locator("a.bell")).to_have_attribute("aria-label", "Notices")

    # … and forced through with a reason: the ticket comes back and its manager is told
    promote(ada, 3, why="to see the alarm")
    expect(ada.locator("p.answer")).to_contain_text("v3 is live")
    expect(ada.get_by_text("“to see the alarm”").first).to_be_visible()
    state(dana, "came back")
    expect(dana.locator("a.bell")).to_have_attribute("aria-label", "Notices, 1 unread")
    dana.locator("a.bell").click()
    expect(dana.get_by_text("Ticket 1 came back with v3").first).to_be_visible()

    # what v3 answers differently is put to people, as far as it has no label yet
    awaited(ada, f"{PROJECT}/train/versions/3/flips/", lambda: ada.get_by_text(re.compile("sent to people")))
