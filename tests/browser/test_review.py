"""Reviewing and judging by keys alone."""

from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.annotation.models import Annotation, Gold, Resolution
from apps.projects.models import Project
from apps.quality.models import Review, Suspect, SuspectRun
from tests.annotation import make
from tests.browser.conftest import Open

pytestmark = pytest.mark.django_db(transaction=True)


def answered(project: Project, user: User, n: int) -> None:
    label = project.labels.all()[0]
    for item in make.items(project, n):
        Resolution.objects.create(item=item, project=project, split="pool", label=label, how="single", by=user)
        Annotation.objects.create(
            project=project, item=item, annotator=user, key=uuid4(), label=label, outcome="scratch"
        )


def test_three_answers_are_reviewed_by_keys(open_page: Open, project: Project, bob: User, rita: User) -> None:
    answered(project, bob, 3)
    page = open_page(rita, "/p/bank/review/")
    page.keyboard.press("a")
    expect(page.get_by_text("1 of 3 looked at")).to_be_visible()
    page.keyboard.press("z")  # taken back: the same answer is there again
    expect(page.get_by_text("0 of 3 looked at")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_text("1 of 3 looked at")).to_be_visible()
    page.keyboard.press("x")
    reason = page.get_by_label("What should Bob know?")
    expect(reason).to_be_focused()
    page.keyboard.type("It asks for the rate, a fee is another label.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 of 3 looked at")).to_be_visible()
    page.keyboard.press("e")
    right = page.get_by_label("Right label")
    expect(right).to_be_focused()
    right.select_option(label=project.labels.all()[1].name)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("All of this sample is looked at")).to_be_visible()
    verdicts = list(Review.objects.order_by("pk").values_list("verdict", flat=True))
    assert verdicts == ["approved", "rejected", "fixed"]


def test_doubted_labels_and_gold_candidates_are_gone_through_by_keys(
    open_page: Open, project: Project, rita: User
) -> None:
    run = SuspectRun.objects.create(project=project, state="succeeded", finished_at=timezone.now(), flagged=3)
    given, other = project.labels.all()[:2]
    for rank, item in enumerate(make.items(project, 3), start=1):
        Resolution.objects.create(item=item, project=project, split="pool", label=given, how="single")
        Suspect.objects.create(run=run, item=item, label=given, suggested=other, score=rank / 10, rank=rank)
    page = open_page(rita, "/p/bank/label-errors/")
    rows = page.locator("[data-row]")
    expect(rows).to_have_count(3)
    page.keyboard.press("j")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(rows.nth(1)).to_be_focused()
    page.keyboard.press("e")  # the second one's suggestion is taken
    expect(rows).to_have_count(2)
    page.wait_for_load_state()  # a new page: its keys are bound when it has loaded
    assert Suspect.objects.get(rank=2).state == "wrong"
    page.keyboard.press("a")  # the first one is right as it is
    expect(rows).to_have_count(1)
    assert Suspect.objects.get(rank=1).state == "right"

    page.goto("/p/bank/gold/")
    expect(page.locator("[data-row]")).to_have_count(1)  # what was just put right is a reviewer's word
    page.keyboard.press("g")
    expect(page.locator("[data-row]")).to_have_count(0)
    assert Gold.objects.count() == 1
