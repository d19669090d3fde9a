"""The thread in an item's margin."""

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.annotation.models import Comment
from apps.annotation.services import comments
from apps.common.errors import DomainError, InvalidInput
from apps.content.models import Item
from apps.notices.models import Notice
from apps.projects.models import Project
from tests.annotation import make
from tests.conftest import ClientOf

XSS = "<script>alert(1)</script>"


@pytest.fixture
def item(project: Project) -> Item:
    return make.items(project, 1)[0]


def test_a_mention_tells_that_person_and_nobody_else(
    project: Project, item: Item, bob: User, rita: User, alice: User
) -> None:
    said = comments.comment(project, item, bob, "@rita, please. Not alice@example.org; and me, @Bob")
    notice = Notice.objects.get()
    assert (notice.user, notice.kind, notice.title) == (rita, "mention", "Bob mentions you")
    assert f"/items/{item.pk}/comments/#comment-{said.pk}" in notice.url
    assert set(said.mentions.all()) == {rita}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@Ann", {"Ann"}),
        ("@Ann Lee: look", {"Ann Lee"}),
        ("@ann lee", {"Ann Lee"}),
        ("@Anna", set()),
        ("@王小明看一下", {"王小明"}),
        ("mail@Ann", {"Ann"}),
        ("Ann", set()),
        ("@Ann @Ann Lee", {"Ann", "Ann Lee"}),
    ],
)
def test_the_longest_name_that_fits_is_meant(text: str, named: set[str], db: None) -> None:
    people = [User(pk=at, name=name, email=f"{at}@example.org") for at, name in enumerate(["Ann", "Ann Lee", "王小明"])]
    assert {user.name for user in comments.mentioned(text, people)} == named


def test_strangers_to_the_project_cannot_be_mentioned(project: Project, item: Item, bob: User, charlie: User) -> None:
    comments.comment(project, item, bob, "@Charlie")
    assert not Notice.objects.exists()


@pytest.mark.parametrize("text", ["", "  \n", "x" * 4001])
def test_nothing_and_too_much_are_refused_in_words(text: str, project: Project, item: Item, bob: User) -> None:
    with pytest.raises(InvalidInput):
        comments.comment(project, item, bob, text)
    assert not Comment.objects.exists()


def test_only_its_author_or_a_reviewer_removes_a_comment(
    project: Project, item: Item, bob: User, alice: User, rita: User, client_of: ClientOf
) -> None:
    first, second = (comments.comment(project, item, by, "hm") for by in (rita, bob))
    with pytest.raises(DomainError):
        comments.remove(project, first, bob)
    comments.remove(project, second, rita)
    page = client_of(bob).get(f"/p/bank/items/{item.pk}/comments/").content.decode()
    assert f"comment-{first.pk}" in page
    assert f"comment-{second.pk}" not in page


def test_the_page_works_without_scripts_and_shows_text_as_text(item: Item, bob: User, client_of: ClientOf) -> None:
    client = client_of(bob)
    after = client.post(f"/p/bank/items/{item.pk}/comments/", {"text": XSS}, follow=True)
    assert "#comment-" in after.redirect_chain[0][0]
    assert XSS not in after.content.decode()
    assert "&lt;script&gt;" in after.content.decode()
    again = client.post(f"/p/bank/items/{item.pk}/comments/", {"text": " "})
    assert again.status_code == 422
    assert "Write something first" in again.content.decode()


def test_viewers_read_and_do_not_write(item: Item, bob: User, vic: User, project: Project, client_of: ClientOf) -> None:
    comments.comment(project, item, bob, "for all to read")
    page = client_of(vic).get(f"/p/bank/items/{item.pk}/comments/").content.decode()
    assert "for all to read" in page
    assert "<textarea" not in page
    assert client_of(vic).post(f"/p/bank/items/{item.pk}/comments/", {"text": "x"}).status_code == 403


def test_an_item_of_another_project_is_not_found(item: Item, bob: User, client_of: ClientOf) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    theirs = Item.objects.create(project=other, external_id="1", text="t", text_hash=b"1" * 32, split="pool")
    client: Client = client_of(bob)
    assert client.get(f"/p/bank/items/{theirs.pk}/comments/").status_code == 404
    assert client.post(f"/p/bank/items/{theirs.pk}/comments/", {"text": "x"}).status_code == 404


def test_the_api_says_the_same(item: Item, bob: User, rita: User, client_of: ClientOf) -> None:
    path = f"/api/v1/projects/bank/items/{item.pk}/comments/"
    made = client_of(bob).post(path, {"text": "@Rita?"}, content_type="application/json")
    assert made.status_code == 201
    (listed,) = client_of(rita).get(path).json()["comments"]
    assert (listed["text"], listed["name"], listed["mentions"]) == ("@Rita?", "Bob", [rita.pk])
