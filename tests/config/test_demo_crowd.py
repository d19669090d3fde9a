"""The two smaller projects of the demonstration and the people who answer in all three."""

from collections.abc import Callable
from typing import Any

import pytest

from apps.accounts.models import User
from apps.annotation import services as annotation
from apps.annotation.models import Annotation, Gold, Resolution
from apps.config.demo import crowd, others, seed
from apps.content import ingest
from apps.content.models import ImportJob, Item
from apps.projects.models import Label, Membership, Project, Role
from apps.quality.models import Review

pytestmark = pytest.mark.django_db
ANSWERS = 150  # who is handed what is drawn: of fewer, too few may be left to send back


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Project:
    """Imports are done at once, by nobody."""

    def at_once(job_id: int) -> None:
        while ingest.run(job_id):
            pass
        annotation.take_in(ImportJob.objects.get(pk=job_id).project)

    monkeypatch.setattr(others.import_file, "delay", at_once)
    monkeypatch.setattr(others, "ANSWERS", ANSWERS)
    seed.people()
    return Project.objects.get(slug=seed.SLUG)


def wait(_what: str, until: Callable[[], bool]) -> None:
    assert until()


def test_both_come_with_answers_disagreements_golds_and_reviews(bank: Project) -> None:
    said: list[Any] = []
    others.fill(bank, said.append, wait)
    for small in others.ALL:
        project = Project.objects.get(slug=small.slug)
        assert Item.objects.filter(project=project).count() == len(others.truths(small)) == 400
        assert Annotation.objects.filter(project=project).count() == ANSWERS
        assert Gold.objects.filter(project=project).count() == crowd.GOLDS
        assert Resolution.objects.filter(project=project).exclude(how="gold").count() > 10
        assert Review.objects.filter(project=project, verdict="rejected").count() == crowd.SENT_BACK
        groups = set(Label.objects.filter(project=project).values_list("group", flat=True))
        assert len(groups) > 2
        assert Label.objects.filter(project=project).exclude(examples="").exists()
        assert Membership.objects.filter(project=project, role=Role.ANNOTATOR).count() == 3
        shared = Annotation.objects.filter(project=project).values_list("item", "annotator")
        assert len({item for item, _who in shared}) < len(shared)
    talk = Item.objects.filter(project__slug="bank-messages", thread="conversation-2").order_by("pk")
    assert talk.count() == 4
    assert talk[0].url.startswith("https://")
    others.fill(bank, said.append, wait)
    assert len(said) == 2


def test_the_bank_project_has_its_groups_examples_and_three_annotators(bank: Project) -> None:
    assert bank.blind_share == 0.1
    assert bank.undecided_reasons == crowd.REASONS
    labels = Label.objects.filter(project=bank)
    assert labels.filter(group="").count() < 8
    assert labels.exclude(examples="").count() == seed.WITH_EXAMPLES
    ana = User.objects.get(email="annotator@demo.example")
    assert [person.right for person in crowd.team(bank, ana)] == [0.96, 0.9, 0.8]
    assert not User.objects.get(email="ben@demo.example").has_usable_password()


def test_a_wrong_answer_is_never_the_right_one(bank: Project) -> None:
    import random

    draw = random.Random(1)
    for small in others.ALL:
        truth = others.truths(small)
        project = others._made(small, bank, truth)
        labels = crowd.Labels(project)
        for text, right in list(truth.items())[:80]:
            wrong = labels.mistaken(draw, Item(text=text), right)
            assert wrong != right or right == [] or set(map(str, wrong)) == set(map(str, right))
