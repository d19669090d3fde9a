"""The whole loop as two people live it: `manage.py up`, real workers, two browsers at once, nothing but the pages."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.bench.server import ROOT, Product, product
from tests.browser.conftest import PASSWORD
from tests.config.processes import OURS, environment

PEOPLE = """
import django; django.setup()
from apps.accounts.models import User
from apps.projects.models import Membership, Project
User.objects.create_superuser("ada@example.org", {password!r}, name="Ada")
User.objects.create_user("ana@example.org", {password!r}, name="Ana")
"""
JOIN = """
import django; django.setup()
from apps.accounts.models import User
from apps.projects.models import Membership, Project
Membership.objects.create(project=Project.objects.get(), user=User.objects.get(email="ana@example.org"), role="annotator")
"""
QUESTIONS = {
    "card lost": ["my card is lost", "I lost my card {}", "the card was stolen {}", "someone took my card {}"],
    "exchange rate": ["the exchange rate is wrong {}", "what rate do you use {}", "bad rate for dollars {}"],
    "top up": ["my top up failed {}", "the top-up is pending {}", "topping up does not work {}"],
}
WHEN = [
    "today",
    "again",
    "since Monday",
    "abroad",
    "in the shop",
    "this morning",
    "after the update",
    "at night",
    "why",
]

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def running() -> Iterator[Product]:
    with pytest.MonkeyPatch.context() as patch:
        for name in OURS:  # the product starts its own servers, not those of the test session
            patch.delenv(name, raising=False)
        with product() as server:
            yield prepared(server)


def prepared(server: Product) -> Product:
    shell(server, PEOPLE.format(password=PASSWORD))
    return server


def shell(server: Product, code: str) -> None:
    settings = {"MARGINALIA_HOME": str(server.home), "DJANGO_SETTINGS_MODULE": "apps.config.settings"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(**settings), check=True)


def csv_of_questions(folder: Path) -> Path:
    rows = ["id,text,split"]
    for label, phrases in QUESTIONS.items():
        for number, when in enumerate(WHEN):
            split = "holdout" if number % 3 == 0 else "pool"
            rows += [
                f"{label}-{number}-{i},{phrase.format(when)} ({number}{i}),{split}" for i, phrase in enumerate(phrases)
            ]
    path = folder / "questions.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def key_for(text: str) -> str:
    """Few labels keep their places, so the digit of each is known."""
    place = 0 if "card" in text else 1 if "rate" in text else 2
    return str(place + 1)


def label_by_keyboard(page: Page, times: int) -> list[str]:
    """A digit answers, and the next text is there. Returns what was read."""
    read: list[str] = []
    body = page.locator("#item-text")
    for _turn in range(times):
        text = body.inner_text().strip()
        read.append(text)
        page.keyboard.press(key_for(text))
        expect(body).not_to_have_text(text)
    return read


def test_two_people_label_train_compare_and_promote(
    running: Product, sign_in: Callable[[str], Page], tmp_path: Path
) -> None:
    ada = sign_in("ada@example.org")
    make_project(ada)
    shell(running, JOIN)
    import_questions(ada, csv_of_questions(tmp_path))

    ana = sign_in("ana@example.org")
    for page in (ada, ana):
        page.goto("/p/bank/label/")
    ada_read, ana_read = label_by_keyboard(ada, 10), label_by_keyboard(ana, 10)
    assert not set(ada_read) & set(ana_read), "one text went to two people"
    undone = ana_read[-1]
    ana.keyboard.press("z")
    expect(ana.locator("#item-text")).to_have_text(undone)
    label_by_keyboard(ana, 20)
    label_by_keyboard(ada, 20)
    expect(ana.locator("#saved")).to_have_attribute("data-state", "saved")

    train_and_promote(ada)


def make_project(ada: Page) -> None:
    ada.goto("/projects/new/")
    ada.get_by_label("Name", exact=False).first.fill("Bank")
    ada.get_by_label("Labels", exact=False).first.fill("\n".join(QUESTIONS))
    ada.get_by_role("button", name="Make the project").click()
    ada.wait_for_url("**/p/bank/**")


def import_questions(ada: Page, file: Path) -> None:
    ada.goto("/p/bank/content/")
    ada.locator("input[type=file]").set_input_files(file)
    upload = ada.get_by_role("button", name=re.compile("^Upload"))
    if upload.count() and upload.first.is_visible():
        upload.first.click()
    ada.wait_for_url("**/content/imports/*/")
    ada.get_by_role("button", name=re.compile("Import")).last.click()
    expect(ada.get_by_text("done", exact=False).first).to_be_visible(timeout=120_000)
    ada.goto("/p/bank/label/")
    expect(ada.locator("#item-text")).to_be_visible(timeout=60_000)


def train_and_promote(ada: Page) -> None:
    ada.goto("/p/bank/train/")
    ada.get_by_role("link", name="Train a model").first.click()
    expect(ada.get_by_text("Head only").first).to_be_visible()  # suggested for so few labels, with its reason
    ada.get_by_role("button", name="Start the run").click()
    expect(ada.get_by_text("succeeded").first).to_be_visible(timeout=180_000)
    ada.goto("/p/bank/train/")
    ada.get_by_role("button", name=re.compile("Promote v1")).first.click()
    expect(ada.locator("p.answer")).to_contain_text("v1 is live and gets")
