"""Surveys in a browser: in somebody else's page by survey.js, and built without leaving the page."""

import pytest
from playwright.sync_api import Browser, Route, expect
from pytest_django.live_server_helper import LiveServer

from apps.accounts.models import User
from apps.feedback.intake_auth import forget_keys
from apps.feedback.models import IntakeKey
from apps.feedback.services import keys
from apps.projects.models import Project
from apps.surveys import services
from apps.surveys.models import Response, Survey
from tests.browser.conftest import Open, Watch
from tests.surveys.conftest import QUESTIONS
from tests.surveys.make import question

pytestmark = pytest.mark.django_db(transaction=True)


def _survey(project: Project, by: User) -> Survey:
    made = services.create(project, by=by, title_en="After the chat", title_zh="聊天之后", questions=QUESTIONS)
    return services.open_survey(made)


def test_a_survey_stands_in_another_products_page(
    live_server: LiveServer, chromium: Browser, watch: Watch, project: Project, dana: User
) -> None:
    forget_keys()
    survey = _survey(project, dana)
    shop_page = f"{live_server.url}/shop/"  # browsers keep pages of other hosts from asking a loopback address
    limits = {"per_minute": 100, "per_day": 1000}
    _row, key = keys.make(project, None, name="shop", kind=IntakeKey.Kind.PUBLISHABLE, **limits)
    html = f"""<!doctype html><html lang="zh"><title>Shop</title><body>
        <div data-marginalia-survey="{survey.token}" data-key="{key}" data-subject="u1"></div>
        <script src="{live_server.url}/static/widget/survey.js"></script></body></html>"""

    def shop(route: Route) -> None:
        route.fulfill(body=html, content_type="text/html; charset=utf-8")

    page = chromium.new_page()
    watch.over(page)
    page.route(shop_page, shop)
    page.goto(shop_page)
    expect(page.get_by_role("heading", name="聊天之后")).to_be_visible()
    page.get_by_role("button", name="发送").click()
    expect(page.get_by_text("请回答这个问题。").first).to_be_visible()
    page.locator("fieldset").first.get_by_label("4").check()
    page.get_by_role("textbox").fill("太慢了")
    page.get_by_role("button", name="发送").click()
    expect(page.locator(".marginalia-wrong:not(:empty)")).to_be_visible()  # words need the tick
    page.locator("label input[type=checkbox]").last.check()
    page.get_by_role("button", name="发送").click()
    expect(page.get_by_role("status")).to_have_text("谢谢，您的回答已收到。")
    stored = Response.objects.get()
    assert (stored.source, stored.language, stored.consent) == ("widget", "zh-hans", True)
    assert stored.given.get(question=question(survey, "text")).text == "太慢了"
    page.reload()
    expect(page.get_by_role("status")).to_be_visible()  # answered already: said instead of asked
    page.close()


def test_questions_are_added_and_moved_without_leaving_the_page(open_page: Open, project: Project, dana: User) -> None:
    survey = services.create(project, by=dana, title_en="After the chat")
    page = open_page(dana, f"/p/{project.slug}/surveys/{survey.pk}/")
    for words in ("First?", "Second?"):
        if not page.get_by_label("Question, English").is_visible():
            page.get_by_text("Add a question").click()
        page.get_by_label("Question, English").fill(words)
        page.get_by_role("button", name="Add question").click()
        expect(page.locator(".built", has_text=words)).to_be_visible()
    page.get_by_role("button", name="Move question 2 up").click()
    expect(page.locator(".built").first).to_contain_text("Second?")
    page.get_by_role("button", name="Open the survey").click()
    expect(page.locator("#survey-link")).to_be_visible()
