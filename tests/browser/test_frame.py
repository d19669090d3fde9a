"""The frame in a real browser: accessibility of every page of ours, keys, palette, theme, small screens."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.projects.models import Project, Role
from apps.projects.services import invitations
from tests.browser.conftest import Open

PAGES = (
    "/",
    "/projects/new/",
    "/p/bank/",
    "/p/bank/labels/",
    "/p/bank/members/",
    "/p/bank/settings/",
    "/you/",
    "/you/keys/",
    "/you/tokens/",
    "/accounts/password/change/",
    "/nothing/here/",
)
GUIDE = "# Cards\n\nRead **twice**.\n\n| a | b |\n|--|--|\n| 1 | 2 |\n"


@pytest.fixture(autouse=True)
def _lived_in(project: Project, alice: User, bob: User) -> None:
    Project.objects.update(guidelines=GUIDE)
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    accounts.make_token(alice, name="nightly import", scopes=["read", "import"], days=90)
    invitations.invite(project, by=alice, email="somebody.with.a.long.name@example.org", role=Role.PRODUCT_MANAGER)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_axe_finds_nothing_and_nothing_sticks_out(open_page: Open, alice: User, scheme: str, width: int) -> None:
    page = open_page(alice, PAGES[0], color_scheme=scheme, viewport={"width": width, "height": 844})
    for path in PAGES:
        page.goto(path)
        found = Axe().run(page).response["violations"]
        assert not found, f"{path}: {[(one['id'], [node['target'] for node in one['nodes']]) for one in found]}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than the screen"


def pressed(page: Page, key: str) -> None:
    page.keyboard.press(key)


def test_ctrl_k_goes_anywhere_without_the_mouse(open_page: Open, alice: User) -> None:
    page = open_page(alice, "/p/bank/")
    pressed(page, "Control+k")
    page.keyboard.type("peop")
    pressed(page, "Enter")
    page.wait_for_url("**/p/bank/members/")


def test_the_palette_says_when_nothing_fits_and_escape_closes_it(open_page: Open, alice: User) -> None:
    page = open_page(alice, "/p/bank/")
    pressed(page, "Control+k")
    page.keyboard.type("zzz")
    expect(page.get_by_text("Nothing is called that here.")).to_be_visible()
    pressed(page, "Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_question_mark_shows_the_keys_with_the_persons_own(open_page: Open, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(keymap={"help": "h"})
    page = open_page(alice, "/p/bank/")
    pressed(page, "?")
    assert page.locator("dialog[open]").count() == 0
    pressed(page, "h")
    assert page.locator("dialog[open] kbd").first.inner_text() == "H"


def test_one_letter_keys_are_dead_while_typing_and_when_switched_off(open_page: Open, alice: User) -> None:
    page = open_page(alice, "/p/bank/settings/")
    page.focus("#id_name")
    pressed(page, "?")
    assert page.locator("dialog[open]").count() == 0
    User.objects.filter(pk=alice.pk).update(single_keys=False)
    page.goto("/p/bank/")
    pressed(page, "?")
    assert page.locator("dialog[open]").count() == 0


def test_keys_of_an_input_method_do_nothing(open_page: Open, alice: User) -> None:
    page = open_page(alice, "/p/bank/")
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '?', isComposing: true, bubbles: true}))"
    )
    assert page.locator("dialog[open]").count() == 0


def test_a_key_is_learned_by_pressing_it(open_page: Open, alice: User) -> None:
    page = open_page(alice, "/you/keys/")
    page.focus("#id_skip")
    pressed(page, "n")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").first.wait_for()
    alice.refresh_from_db()
    assert alice.keymap == {"skip": "n"}


def test_labels_are_edited_in_place_and_the_focus_goes_to_the_name(
    open_page: Open, alice: User, project: Project
) -> None:
    page = open_page(alice, "/p/bank/labels/")
    page.get_by_role("link", name="Edit exchange rate").click()
    page.wait_for_selector("#edit_name:focus")
    page.fill("#edit_name", "rates")
    pressed(page, "Enter")
    page.get_by_role("link", name="Edit rates").wait_for()
    assert project.labels.filter(name="rates").exists()
    expect(page.locator("#announce")).to_have_text("Saved.")


def test_moving_a_label_keeps_the_focus_on_its_arrow(open_page: Open, alice: User, project: Project) -> None:
    page = open_page(alice, "/p/bank/labels/")
    last = project.labels.get(name="top up failed")
    page.focus(f"#up-{last.pk}")
    pressed(page, "Enter")
    expect(page.locator("#announce")).to_contain_text("moved up")
    expect(page.locator(f"#up-{last.pk}")).to_be_focused()


def test_a_dark_theme_is_there_before_the_first_paint(open_page: Open, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(theme="dark")
    page = open_page(alice, "/", color_scheme="light", java_script_enabled=False)
    dark = page.evaluate("getComputedStyle(document.documentElement).colorScheme")
    assert dark == "dark"


def test_everything_works_as_plain_forms_without_scripts(open_page: Open, alice: User, project: Project) -> None:
    page = open_page(alice, "/p/bank/labels/", java_script_enabled=False)
    page.fill("#id_name", "plain")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("“plain” added.").wait_for()
    assert project.labels.filter(name="plain").exists()


def test_a_refusal_that_is_said_again_stands_there_once(alice: User, open_page: Open) -> None:
    page = open_page(alice, "/")
    for said, kind in (("Not sent.", "bad"), ("Saved.", ""), ("Not sent.", "bad"), ("Saved.", "")):
        page.evaluate("([said, kind]) => Marginalia.toast(said, kind)", [said, kind])
    assert page.locator("#toasts .toast p").all_text_contents() == ["Saved.", "Not sent.", "Saved."]
