import re
import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.projects.models import Invitation, Membership, Project, Role
from apps.projects.services import invitations, members
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db
URL = "/p/bank/members/"
ACCOUNT = {"name": "Nora", "password": "a rather long sentence"}


@pytest.fixture
def admin(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


def invite(project: Project, by: User, email: str = "nora@example.org") -> str:
    _row, secret = invitations.invite(project, by=by, email=email, role=Role.REVIEWER)
    return f"/invitations/{secret}/"


def test_a_role_is_changed(admin: Client, bob: User) -> None:
    member = bob.memberships.get()
    admin.post(f"{URL}{member.pk}/role/", {"role": "reviewer"})
    member.refresh_from_db()
    assert member.role == Role.REVIEWER


def test_a_role_that_does_not_exist_is_refused(admin: Client, bob: User) -> None:
    member = bob.memberships.get()
    assert admin.post(f"{URL}{member.pk}/role/", {"role": "king"}).status_code == 422
    member.refresh_from_db()
    assert member.role == Role.ANNOTATOR


def test_the_last_administrator_can_neither_step_down_nor_leave(admin: Client, alice: User) -> None:
    member = alice.memberships.get()
    for path, body in (("role/", {"role": "viewer"}), ("remove/", {})):
        response = admin.post(f"{URL}{member.pk}/{path}", body)
        assert response.status_code == 409
        assert "last administrator" in response.content.decode()
    member.refresh_from_db()
    assert member.role == Role.ADMINISTRATOR


def test_with_a_second_administrator_the_first_may_leave(
    admin: Client, alice: User, bob: User, project: Project
) -> None:
    members.change_role(project, bob.memberships.get(), Role.ADMINISTRATOR)
    assert admin.post(f"{URL}{alice.memberships.get().pk}/remove/").headers["Location"] == "/"
    assert not project.memberships.filter(user=alice).exists()


def test_somebody_removed_is_outside_at_once(admin: Client, bob: User, client_of: ClientOf) -> None:
    inside = client_of(bob)
    assert inside.get("/p/bank/").status_code == 200
    admin.post(f"{URL}{bob.memberships.get().pk}/remove/")
    assert inside.get("/p/bank/").status_code == 404


def test_a_member_of_another_project_is_out_of_reach(admin: Client, charlie: User) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    foreign = Membership.objects.create(project=other, user=charlie, role=Role.VIEWER)
    for path in ("role/", "remove/"):
        assert admin.post(f"{URL}{foreign.pk}/{path}", {"role": "administrator"}).status_code == 404


def test_an_invitation_link_is_shown_once_and_kept_as_a_fingerprint(admin: Client) -> None:
    page = admin.post(URL, {"email": "Nora@Example.org", "role": "annotator"}).content.decode()
    shown = re.search(r"http://testserver(/invitations/([\w-]+)/)", page)
    assert shown
    row = Invitation.objects.get()
    assert row.email == "nora@example.org"
    assert shown[2] not in repr(Invitation.objects.values().get())
    assert timedelta(days=13) < row.expires_at - timezone.now() <= timedelta(days=14)
    assert shown[2] not in admin.get(URL).content.decode()
    assert not mail.outbox


def test_an_invitation_is_mailed_where_mail_is_set_up(admin: Client, settings: Any) -> None:
    settings.EMAIL_URL = "smtp://localhost"
    page = admin.post(URL, {"email": "nora@example.org", "role": "annotator"}).content.decode()
    (sent,) = mail.outbox
    assert sent.to == ["nora@example.org"]
    assert re.search(r"http://testserver/invitations/[\w-]+/", sent.body)
    assert "It was sent by e-mail" in page


def test_a_mail_server_that_is_down_loses_no_invitation(
    admin: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMAIL_URL = "smtp://localhost"

    def down(*_args: object, **_kwargs: object) -> int:
        raise smtplib.SMTPConnectError(421, b"away")

    monkeypatch.setattr("apps.projects.views.people.send_mail", down)
    page = admin.post(URL, {"email": "nora@example.org", "role": "annotator"}).content.decode()
    assert "Pass the link on yourself" in page


def test_a_header_cannot_be_smuggled_into_the_mail(admin: Client, project: Project, settings: Any) -> None:
    settings.EMAIL_URL = "smtp://localhost"
    Project.objects.update(name="Bank\nBcc: evil@example.org")
    admin.post(URL, {"email": "nora@example.org", "role": "annotator"})
    assert "\n" not in mail.outbox[0].subject


def test_a_member_is_not_invited_again(admin: Client, bob: User) -> None:
    response = admin.post(URL, {"email": "BOB@example.org", "role": "annotator"})
    assert response.status_code == 422
    assert not Invitation.objects.exists()


def test_a_second_invitation_ends_the_first(project: Project, alice: User, client: Client) -> None:
    first, second = invite(project, alice), invite(project, alice)
    assert client.get(first).status_code == 409
    assert client.get(second).status_code == 200


def test_an_invitation_makes_an_account_that_can_sign_in(project: Project, alice: User, client: Client) -> None:
    response = client.post(invite(project, alice), ACCOUNT)
    assert response.headers["Location"] == "/p/bank/"
    assert client.get("/p/bank/").status_code == 200
    user = User.objects.get(email="nora@example.org")
    assert (user.name, user.memberships.get().role) == ("Nora", Role.REVIEWER)
    fresh = Client()
    fresh.post("/accounts/login/", {"login": "nora@example.org", "password": ACCOUNT["password"]})
    assert fresh.get("/p/bank/").status_code == 200


@pytest.mark.parametrize("password", ["short", "123456789012345", "nora@example.org"])
def test_a_weak_password_is_refused_at_its_field(project: Project, alice: User, client: Client, password: str) -> None:
    response = client.post(invite(project, alice), ACCOUNT | {"password": password})
    assert response.status_code == 422
    assert 'id="id_password_error"' in response.content.decode()
    assert not User.objects.filter(email="nora@example.org").exists()


def test_a_used_invitation_opens_nothing_more(project: Project, alice: User, client: Client) -> None:
    link = invite(project, alice)
    client.post(link, ACCOUNT)
    for request in (Client().get, Client().post):
        response = request(link)
        assert response.status_code == 409
        assert "has been used" in response.content.decode()


def test_an_expired_or_withdrawn_invitation_says_so(
    admin: Client, project: Project, alice: User, client: Client
) -> None:
    link = invite(project, alice)
    Invitation.objects.update(expires_at=timezone.now())
    assert "has expired" in client.get(link).content.decode()
    Invitation.objects.update(expires_at=timezone.now() + timedelta(days=1))
    admin.post(f"/p/bank/invitations/{Invitation.objects.get().pk}/revoke/")
    assert "was withdrawn" in client.post(link, ACCOUNT).content.decode()
    assert not User.objects.filter(email="nora@example.org").exists()


def test_an_account_that_exists_must_sign_in_and_then_joins(
    project: Project, alice: User, charlie: User, client: Client, client_of: ClientOf
) -> None:
    link = invite(project, alice, "charlie@example.org")
    page = client.get(link).content.decode()
    assert f"/accounts/login/?next={link}" in page
    assert client.post(link, ACCOUNT).status_code == 200  # the same page: nothing is made, nobody is signed in
    assert User.objects.filter(email="charlie@example.org").count() == 1
    assert client_of(charlie).post(link).headers["Location"] == "/p/bank/"
    assert charlie.memberships.get().role == Role.REVIEWER


def test_the_wrong_account_is_refused_in_words(
    project: Project, alice: User, charlie: User, client_of: ClientOf
) -> None:
    link = invite(project, alice)
    other = client_of(charlie)
    assert "You are signed in as charlie@example.org" in other.get(link).content.decode()
    assert other.post(link).status_code == 409
    assert not charlie.memberships.exists()
    assert Invitation.objects.get().accepted_at is None


def test_accepting_twice_at_once_counts_once(project: Project, alice: User, charlie: User) -> None:
    row, _secret = invitations.invite(project, by=alice, email="charlie@example.org", role=Role.VIEWER)
    stale = Invitation.objects.get(pk=row.pk)
    invitations.accept(row, charlie)
    with pytest.raises(DomainError):
        invitations.accept(stale, charlie)


def test_an_unknown_secret_is_not_found(client: Client, project: Project) -> None:
    assert client.get("/invitations/nothing-of-the-kind/").status_code == 404
