"""The map in a real browser: hands, keys, the lasso, the legend, and nothing for axe to find."""

from datetime import timedelta

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.content.models import Item
from apps.explore.models import Projection
from apps.projects.models import Label, Project
from tests.browser.conftest import Open
from tests.explore import maps
from tests.learning import rows

LONG = "Map of 30 texts"


@pytest.fixture
def drawn(project: Project) -> list[Item]:
    """Three heaps in three corners, ten texts each; some are labelled."""
    made = maps.texts(project, groups=3, each=10)
    corners = np.repeat([[-0.8, -0.8], [0.8, -0.8], [0, 0.8]], 10, axis=0)
    maps.projection(project, made, corners + np.random.default_rng(0).uniform(-0.1, 0.1, (30, 2)))
    labels = list(project.labels.all())
    for n, item in enumerate(made[:20]):
        rows.resolve(item, labels[n // 10])
    return made


def ready(page: Page) -> Page:
    page.wait_for_selector("#map[data-ready]")
    return page


def dots(page: Page) -> int:
    found: int = page.evaluate("Marginalia.map.view.colours.length")
    return found


def test_the_keyboard_goes_from_text_to_text_and_reads_it(open_page: Open, vic: User, drawn: list[Item]) -> None:
    page = ready(open_page(vic, "/p/bank/map/"))
    page.get_by_role("application", name=LONG).focus()
    page.keyboard.press("ArrowRight")
    reader = page.get_by_role("region", name="The chosen text")
    expect(reader).to_contain_text("group")
    first = reader.inner_text()
    page.keyboard.press("ArrowUp")
    expect(reader).not_to_have_text(first, use_inner_text=True)
    page.keyboard.press("Enter")
    page.wait_for_url("**/p/bank/items/*/")


def test_a_lasso_leads_to_the_texts_it_holds(open_page: Open, vic: User, drawn: list[Item]) -> None:
    page = ready(open_page(vic, "/p/bank/map/", viewport={"width": 1400, "height": 900}))
    page.get_by_role("button", name="Lasso").click()
    box = page.locator(".map-over").bounding_box()
    assert box
    corners = page.evaluate(
        "[[-1, -1], [0, -1], [0, 0], [-1, 0]].map(([x, y]) => { const v = Marginalia.map.view;"
        " return [x * v.scale + v.left, y * v.scale + v.top]; })"
    )
    page.mouse.move(box["x"] + corners[0][0], box["y"] + corners[0][1])
    page.mouse.down()
    for x, y in [*corners[1:], corners[0]]:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=8)
    page.mouse.up()
    expect(page.get_by_text("10 texts lie in this area.")).to_be_visible()
    page.get_by_role("link", name="Show these texts").click()
    page.wait_for_url("**/items/?area=*")
    expect(page.get_by_text(drawn[0].text)).to_be_visible()
    expect(page.get_by_text(drawn[10].text)).to_have_count(0)


def test_what_is_in_view_can_be_listed_without_a_mouse(open_page: Open, vic: User, drawn: list[Item]) -> None:
    page = ready(open_page(vic, "/p/bank/map/"))
    page.get_by_role("button", name="List what is in view").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("30 texts lie in this area.")).to_be_visible()


def test_the_legend_says_what_colours_mean_and_hides_what_is_unchecked(
    open_page: Open, vic: User, drawn: list[Item]
) -> None:
    page = ready(open_page(vic, "/p/bank/map/"))
    legend = page.get_by_role("region", name="Legend: what is shown")
    expect(legend).to_contain_text("not labelled yet")
    assert dots(page) == 30
    legend.get_by_label("card arrival").uncheck()
    assert dots(page) == 20
    page.get_by_role("radio", name="Confidence").check()
    expect(legend).to_contain_text("no prediction")
    assert dots(page) == 30


def test_colours_follow_the_theme(open_page: Open, vic: User, drawn: list[Item]) -> None:
    page = ready(open_page(vic, "/p/bank/map/", color_scheme="light"))
    light = page.evaluate("[...new Set(Marginalia.map.view.colours)].sort().join()")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("light => [...new Set(Marginalia.map.view.colours)].sort().join() !== light", arg=light)


def test_many_labels_show_the_commonest_in_colour_and_any_one_alone(
    open_page: Open, vic: User, project: Project, many: list[Label], drawn: list[Item]
) -> None:
    for n, item in enumerate(drawn):
        item.refresh_from_db()
        rows.Resolution.objects.filter(item=item).delete()
        rows.resolve(item, many[n % 15])
    page = ready(open_page(vic, "/p/bank/map/"))
    legend = page.get_by_role("region", name="Legend: what is shown")
    expect(legend.get_by_role("checkbox")).to_have_count(13)
    expect(legend).to_contain_text("rarer labels")
    legend.get_by_label("One label alone").select_option(label=f"{many[14].name} (2)")
    assert dots(page) == 2


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_axe_finds_nothing_and_nothing_sticks_out(
    open_page: Open, rita: User, project: Project, drawn: list[Item], scheme: str, width: int
) -> None:
    page = ready(open_page(rita, "/p/bank/map/", color_scheme=scheme, viewport={"width": width, "height": 844}))
    page.locator("summary", has_text="How far this map can be trusted").click()
    check(page)
    page.goto("/p/bank/map/?as=table")
    check(page)
    Projection.objects.create(project=project, heartbeat_at=timezone.now() + timedelta(hours=1))
    page.goto("/p/bank/map/")
    check(ready(page))
    page.goto("about:blank")  # the page of a map in the making asks on, and would load itself anew in between
    Projection.objects.all().delete()
    page.goto("/p/bank/map/")
    check(page)


def check(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
