"""Accepted answers looked at again: the sample, the verdicts, what the author sees, the rates."""

from uuid import uuid4

import pytest

from apps.accounts.models import User
from apps.annotation.models import Annotation, Resolution
from apps.common.errors import DomainError, InvalidInput
from apps.content.models import Item
from apps.notices.models import Notice
from apps.projects.models import Label, Project
from apps.quality import review_queries as queries
from apps.quality.models import Adjudication, Review
from apps.quality.review_queries import Sampling
from apps.quality.services import reviews
from tests.annotation import make
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db


def answered(
    project: Project, user: User, n: int, *, label: Label | None = None, how: str = "single", confidence: float = 0.7
) -> list[Annotation]:
    label = label or project.labels.all()[0]
    items = make.items(project, n)
    Resolution.objects.bulk_create(
        Resolution(item=item, project=project, split="pool", label=label, how=how, by=user) for item in items
    )
    return [say(project, user, item, label, confidence) for item in items]


def say(project: Project, user: User, item: Item, label: Label, confidence: float = 0.7) -> Annotation:
    return Annotation.objects.create(
        project=project,
        item=item,
        annotator=user,
        key=uuid4(),
        label=label,
        revision=Annotation.objects.filter(item=item, annotator=user).count() + 1,
        outcome="accepted",
        shown={"head": 1, "labels": [label.pk], "probabilities": [confidence]},
        seconds=3.0,
    )


def drawn(project: Project, rita: User, **by: object) -> list[int]:
    return queries.sample(project, rita, Sampling(**by)).waiting  # type: ignore[arg-type]


def test_the_sample_takes_so_many_of_each_person_and_stays_the_same(project: Project, rita: User) -> None:
    one, two = make.people(project, 2)
    answered(project, one, 12)
    answered(project, two, 3)
    found = queries.sample(project, rita, Sampling(each=5))
    authors = list(Annotation.objects.filter(pk__in=found.waiting).values_list("annotator", flat=True))
    assert (authors.count(one.pk), authors.count(two.pk), found.size) == (5, 3, 8)
    assert found.waiting == drawn(project, rita, each=5)
    reviews.approve(project, Annotation.objects.get(pk=found.waiting[0]), rita)
    again = queries.sample(project, rita, Sampling(each=5))
    assert again.waiting == found.waiting[1:]
    assert again.looked_at == 1


def test_only_accepted_answers_of_others_are_drawn(project: Project, rita: User, bob: User) -> None:
    kept = answered(project, bob, 1)[0]
    answered(project, rita, 1)
    answered(project, bob, 1, how="adjudicated")
    outvoted = answered(project, bob, 1)[0]
    Resolution.objects.filter(item=outvoted.item).update(label=project.labels.all()[2])
    replaced = answered(project, bob, 1)[0]
    say(project, bob, replaced.item, project.labels.all()[1])
    assert drawn(project, rita) == [kept.pk]


def test_the_sample_can_be_drawn_by_person_label_and_confidence(project: Project, rita: User, bob: User) -> None:
    first, second = project.labels.all()[:2]
    sure = answered(project, bob, 1, label=first, confidence=0.95)[0]
    unsure = answered(project, bob, 1, label=second, confidence=0.3)[0]
    assert drawn(project, rita, label=second.pk) == [unsure.pk]
    assert drawn(project, rita, confidence="high") == [sure.pk]
    assert drawn(project, rita, confidence="low") == [unsure.pk]
    assert drawn(project, rita, annotator=rita.pk) == []


def test_putting_it_right_decides_the_item(project: Project, rita: User, bob: User) -> None:
    said = answered(project, bob, 1)[0]
    right = project.labels.all()[2]
    reviews.fix(project, said, rita, {"label": right})
    truth = Resolution.objects.get(item=said.item)
    assert (truth.label, truth.how, truth.by) == (right, "adjudicated", rita)


def test_a_rejection_needs_a_reason_and_reaches_the_author(project: Project, rita: User, bob: User) -> None:
    said = answered(project, bob, 1)[0]
    with pytest.raises(InvalidInput, match="why"):
        reviews.reject(project, said, rita, "  ")
    reviews.reject(project, said, rita, "It asks for the rate.")
    notice = Notice.objects.get(user=bob)
    assert "It asks for the rate." in notice.body
    assert notice.url == f"/p/bank/label/?item={said.item_id}"
    assert [row.reason for row in queries.sent_back(project, bob)] == ["It asks for the rate."]
    say(project, bob, said.item, project.labels.all()[1])
    assert not queries.sent_back(project, bob).exists()
    assert reviews.follow() == 1
    assert Review.objects.get().answered_at is not None


def test_an_answer_after_a_rejection_comes_first_with_what_was_said(project: Project, rita: User, bob: User) -> None:
    answered(project, bob, 5)
    said = Annotation.objects.get(pk=drawn(project, rita)[3])
    reviews.reject(project, said, rita, "Look again.")
    label = project.labels.all()[1]
    again = say(project, bob, said.item, label)
    Resolution.objects.filter(item=said.item).update(label=label)
    assert drawn(project, rita)[0] == again.pk
    before = queries.earlier_words([again])[again.pk]
    assert before.reason == "Look again."


def test_standing_by_an_answer_asks_a_third_person(project: Project, rita: User, bob: User) -> None:
    said = answered(project, bob, 1)[0]
    review = reviews.reject(project, said, rita, "Look again.")
    reviews.insist(project, review, bob, "The guidelines say so.")
    waiting = Adjudication.objects.get()
    assert (waiting.item, waiting.why, waiting.state) == (said.item, "asked", "open")
    assert "guidelines" in waiting.comment
    with pytest.raises(DomainError, match="already"):
        reviews.insist(project, review, bob)


def test_an_answer_is_reviewed_once_by_another_and_as_it_stands(project: Project, rita: User, bob: User) -> None:
    said, moved = answered(project, bob, 2)
    with pytest.raises(DomainError, match="own"):
        reviews.approve(project, said, bob)
    reviews.approve(project, said, rita)
    with pytest.raises(DomainError, match="already"):
        reviews.approve(project, said, rita)
    say(project, bob, moved.item, project.labels.all()[1])
    with pytest.raises(DomainError, match="meantime"):
        reviews.approve(project, moved, rita)


def test_the_rate_counts_every_verdict(project: Project, rita: User, bob: User) -> None:
    said = answered(project, bob, 4)
    reviews.approve(project, said[0], rita)
    reviews.approve(project, said[1], rita)
    reviews.fix(project, said[2], rita, {"label": project.labels.all()[1]})
    reviews.reject(project, said[3], rita, "No.")
    (found,) = queries.by_author(project)
    assert (found.user, found.accuracy.right, found.accuracy.n) == (bob, 2, 4)
    assert (found.fixed, found.rejected, found.unanswered) == (1, 1, 1)
    assert round(found.accuracy.low, 2) == 0.15


def test_the_page_shows_the_answer_and_goes_on_to_the_next(
    project: Project, rita: User, bob: User, client_of: ClientOf
) -> None:
    answered(project, bob, 2)
    client = client_of(rita)
    page = client.get("/p/bank/review/?each=5").content.decode()
    assert "0 of 2 looked at" in page
    first = drawn(project, rita)[0]
    given = {"annotation": first, "verdict": "approved", "query": "each=5"}
    reply = client.post("/p/bank/review/verdict/", given)
    assert reply.headers["Location"] == "/p/bank/review/?each=5"
    piece = client.post(
        "/p/bank/review/verdict/",
        {"annotation": drawn(project, rita)[0], "verdict": "fixed", "label": project.labels.all()[1].pk},
        headers={"HX-Request": "true"},
    ).content.decode()
    assert "<html" not in piece
    assert "Nothing to look at" in piece or "All of this sample" in piece
    assert Review.objects.count() == 2
    assert client.post("/p/bank/review/verdict/", given | {"verdict": "odd"}).status_code == 422
    assert client.post("/p/bank/review/verdict/", given | {"annotation": "x"}).status_code == 422


def test_nothing_to_look_at_says_so_and_a_strange_filter_does_not_break(
    project: Project, rita: User, client_of: ClientOf
) -> None:
    client = client_of(rita)
    assert "Nothing to look at" in client.get("/p/bank/review/").content.decode()
    assert client.get("/p/bank/review/?each=x&label=zzz&confidence=odd").status_code == 200


def test_the_author_sees_what_came_back_and_may_stand_by_it(
    project: Project, rita: User, bob: User, client_of: ClientOf
) -> None:
    client = client_of(bob)
    assert "Nothing was sent back" in client.get("/p/bank/sent-back/").content.decode()
    said = answered(project, bob, 1)[0]
    review = reviews.reject(project, said, rita, "Mind <b>the</b> rate.")
    page = client.get("/p/bank/sent-back/").content.decode()
    assert "Mind &lt;b&gt;the&lt;/b&gt; rate." in page
    client.post(f"/p/bank/sent-back/{review.pk}/insist/", {"words": "No."})
    assert Adjudication.objects.count() == 1
    assert client_of(rita).post(f"/p/bank/sent-back/{review.pk}/insist/").status_code == 404
