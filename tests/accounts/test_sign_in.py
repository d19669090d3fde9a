import re

import pytest
from django.core import mail
from django.test import Client

from apps.accounts.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def sign_in(client: Client, email: str, password: str) -> int:
    return client.post("/accounts/login/", {"login": email, "password": password}).status_code


def test_an_address_and_a_password_open_the_door(client: Client, bob: User) -> None:
    response = client.post("/accounts/login/", {"login": "Bob@Example.org", "password": PASSWORD}, follow=True)
    assert response.redirect_chain[-1][0] == "/"
    assert "Bank questions" in response.content.decode()


def test_a_wrong_password_is_refused_in_words_and_keeps_the_address(client: Client, bob: User) -> None:
    page = client.post("/accounts/login/", {"login": "bob@example.org", "password": "no"}).content.decode()
    assert 'role="alert"' in page
    assert "bob@example.org" in page


def test_the_sixth_wrong_password_meets_the_throttle(client: Client, bob: User) -> None:
    for _attempt in range(5):
        sign_in(client, "bob@example.org", "wrong")
    page = client.post("/accounts/login/", {"login": "bob@example.org", "password": PASSWORD})
    assert "Too many" in page.content.decode()
    assert client.get("/").status_code == 302


def test_a_forged_forwarding_header_does_not_shift_the_throttle(client: Client, bob: User) -> None:
    for attempt in range(12):
        client.post(
            "/accounts/login/",
            {"login": f"{attempt}@example.org", "password": "x"},
            headers={"X-Forwarded-For": f"10.0.0.{attempt}"},
        )
    page = client.post(
        "/accounts/login/",
        {"login": "bob@example.org", "password": PASSWORD},
        headers={"X-Forwarded-For": "10.9.9.9"},
    )
    assert "Too many" in page.content.decode()


def test_an_account_that_is_switched_off_stays_outside(client: Client, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    sign_in(client, "bob@example.org", PASSWORD)
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("page", ["signup/", "email/", "confirm-email/", "reauthenticate/", "login/code/confirm/"])
def test_pages_of_the_library_that_we_do_not_use_do_not_exist(client: Client, page: str) -> None:
    assert client.get(f"/accounts/{page}").status_code == 404


def test_signing_out_takes_a_button_not_a_link(client: Client, bob: User) -> None:
    sign_in(client, "bob@example.org", PASSWORD)
    client.get("/accounts/logout/")
    assert client.get("/").status_code == 200
    client.post("/accounts/logout/")
    assert client.get("/").status_code == 302


def test_a_forgotten_password_is_replaced_through_the_mailed_link(client: Client, bob: User) -> None:
    client.post("/accounts/password/reset/", {"email": "bob@example.org"})
    (sent,) = mail.outbox
    link = re.search(r"http://testserver(/\S+)", sent.body)
    assert link
    page = client.get(link[1], follow=True)
    new = "another horse battery"
    action = page.request["PATH_INFO"]
    client.post(action, {"password1": new, "password2": new})
    assert sign_in(Client(), "bob@example.org", PASSWORD) == 200
    assert sign_in(Client(), "bob@example.org", new) == 302


def test_asking_for_a_reset_tells_nobody_who_has_an_account(client: Client, bob: User) -> None:
    known = client.post("/accounts/password/reset/", {"email": "bob@example.org"}, follow=True)
    unknown = client.post("/accounts/password/reset/", {"email": "nobody@example.org"}, follow=True)
    assert known.redirect_chain == unknown.redirect_chain
    assert len(mail.outbox) == 1


def test_a_changed_password_ends_other_sessions_and_keeps_this_one(client: Client, bob: User) -> None:
    other = Client()
    sign_in(client, "bob@example.org", PASSWORD)
    sign_in(other, "bob@example.org", PASSWORD)
    new = "another horse battery"
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert other.get("/").status_code == 302
    assert client.get("/").status_code == 200


def test_after_signing_in_nobody_is_sent_to_another_site(client: Client, bob: User) -> None:
    body = {"login": "bob@example.org", "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post("/accounts/login/", body).headers["Location"] == "/"
