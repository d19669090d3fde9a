"""Every string a person can type comes back as text, on every page that shows it."""

import pytest
from django.test import Client

from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.projects.models import Label, Project, Role
from apps.projects.services import invitations
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db
ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</title></textarea></script><script>alert(1)</script>",
    "{{ 7|add:7 }}{% debug %}",
    "<b hx-get=/accounts/logout/ hx-trigger=load>",
    "javascript:alert(1)",
    "\u202e<i>moc.knab\u202c",
]
LIVE = ("<script>alert", "<img src=x", "<svg/onload", "<b hx-get", "<i>moc", 'href="javascript', "14</")
PAGES = ("/", "/p/bank/", "/p/bank/labels/", "/p/bank/members/", "/p/bank/settings/", "/you/", "/you/tokens/")


@pytest.fixture(params=ATTACKS)
def attack(request: pytest.FixtureRequest, project: Project, alice: User, bob: User) -> str:
    text = str(request.param)
    Project.objects.update(name=text, guidelines=text)
    Label.objects.filter(name="card arrival").update(name=text, description=text)
    User.objects.filter(pk__in=[alice.pk, bob.pk]).update(name=text)
    accounts.make_token(alice, name=text, scopes=["read"], days=None)
    return text


def test_no_page_of_a_project_lets_markup_through(attack: str, alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    for url in (*PAGES, f"/p/bank/labels/?edit={Label.objects.get(name=attack).pk}"):
        page = client.get(url).content.decode()
        for live in LIVE:
            assert live not in page, f"{url} shows {live}"


def test_no_invitation_lets_markup_through(attack: str, project: Project, alice: User, client: Client) -> None:
    project.refresh_from_db()
    _row, secret = invitations.invite(project, by=alice, email="n@example.org", role=Role.VIEWER)
    page = client.get(f"/invitations/{secret}/").content.decode()
    for live in LIVE:
        assert live not in page


def test_what_a_form_gives_back_is_escaped(attack: str, alice: User, client_of: ClientOf) -> None:
    body = {"name": attack, "hotkey": "<b>", "color": "99", "description": attack, "names": attack, "email": attack}
    client = client_of(alice)
    for url in (
        "/p/bank/labels/",
        "/p/bank/labels/paste/",
        "/p/bank/members/",
        "/p/bank/settings/",
        "/you/",
        "/you/keys/",
    ):
        page = client.post(url, body, headers={"HX-Request": "true"}).content.decode()
        for live in LIVE:
            assert live not in page, f"{url} gives back {live}"
