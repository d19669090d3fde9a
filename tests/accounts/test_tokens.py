import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts import services
from apps.accounts.authentication import digest_of
from apps.accounts.models import ApiToken, User
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def make(user: User, *scopes: str, days: int | None = None) -> tuple[ApiToken, str]:
    return services.make_token(user, name="script", scopes=list(scopes), days=days)


def test_a_token_is_shown_once_and_kept_as_a_fingerprint(bob: User, client_of: ClientOf) -> None:
    client = client_of(bob)
    page = client.post("/you/tokens/", {"name": "nightly", "scopes": ["read"], "days": "30"}).content.decode()
    shown = re.search(r"mg_[0-9a-f]{8}_[\w-]{43}", page)
    assert shown
    row = ApiToken.objects.get()
    assert row.digest == digest_of(shown[0])
    assert shown[0] not in repr(ApiToken.objects.values().get())
    assert timedelta(days=29) < row.expires_at - timezone.now() < timedelta(days=31)
    again = client.get("/you/tokens/").content.decode()
    assert shown[0] not in again
    assert f"mg_{row.prefix}…" in again


def test_the_page_with_a_token_is_never_cached(bob: User, client_of: ClientOf) -> None:
    assert "no-store" in client_of(bob).get("/you/tokens/").headers["Cache-Control"]


def test_a_token_acts_as_its_owner(bob: User, client: Client) -> None:
    _row, token = make(bob, "read")
    body = client.get("/api/v1/me/", headers=bearer(token)).json()
    assert body == {"email": "bob@example.org", "name": "Bob", "superuser": False, "scopes": ["read"]}


@pytest.mark.parametrize("given", ["", "nonsense", "mg_00000000_" + "x" * 43])
def test_an_unknown_token_is_refused(project: object, client: Client, given: str) -> None:
    response = client.get("/api/v1/me/", headers=bearer(given))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_token_is_refused(bob: User, client: Client, client_of: ClientOf) -> None:
    row, token = make(bob, "read")
    client_of(bob).post(f"/you/tokens/{row.pk}/revoke/")
    assert client.get("/api/v1/me/", headers=bearer(token)).status_code == 401


def test_an_expired_token_is_refused(bob: User, client: Client) -> None:
    row, token = make(bob, "read", days=1)
    ApiToken.objects.filter(pk=row.pk).update(expires_at=timezone.now())
    assert client.get("/api/v1/me/", headers=bearer(token)).status_code == 401


def test_a_token_of_a_switched_off_account_is_refused(bob: User, client: Client) -> None:
    _row, token = make(bob, "read")
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert client.get("/api/v1/me/", headers=bearer(token)).status_code == 401


def test_nobody_revokes_a_token_of_somebody_else(bob: User, alice: User, client_of: ClientOf) -> None:
    row, _token = make(bob, "read")
    assert client_of(alice).post(f"/you/tokens/{row.pk}/revoke/").status_code == 404
    row.refresh_from_db()
    assert row.revoked_at is None


def test_a_reading_token_changes_nothing(alice: User, client: Client) -> None:
    _row, token = make(alice, "read")
    response = client.patch(
        "/api/v1/projects/bank/", {"name": "x"}, content_type="application/json", headers=bearer(token)
    )
    assert response.status_code == 403
    assert "manage" in response.json()["detail"]


def test_a_managing_token_goes_no_further_than_its_owners_role(bob: User, client: Client) -> None:
    _row, token = make(bob, "manage")
    response = client.patch(
        "/api/v1/projects/bank/", {"name": "x"}, content_type="application/json", headers=bearer(token)
    )
    assert response.status_code == 403


def test_last_use_is_written_at_most_once_a_minute(bob: User, client: Client) -> None:
    row, token = make(bob, "read")
    client.get("/api/v1/me/", headers=bearer(token))
    row.refresh_from_db()
    first = row.last_used_at
    assert first
    client.get("/api/v1/me/", headers=bearer(token))
    row.refresh_from_db()
    assert row.last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    client.get("/api/v1/me/", headers=bearer(token))
    row.refresh_from_db()
    assert row.last_used_at >= first


def test_a_browser_session_on_the_api_still_needs_its_csrf_token(bob: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob, "apps.accounts.backend.EmailBackend")
    response = client.patch("/api/v1/projects/bank/", {"name": "x"}, content_type="application/json")
    assert response.status_code == 403
