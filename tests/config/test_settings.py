import json
import re
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from apps.accounts.models import User
from apps.config.home import Home
from tests.config.processes import BASE, environment, manage

STRONG = secrets.token_urlsafe(64)
PRODUCTION = {
    "PRODUCTION": "yes",
    "SECRET_KEY": STRONG,
    "ALLOWED_HOSTS": "label.example.org",
    "BEHIND_TLS_PROXY": "yes",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "BROKER_URL": "redis://127.0.0.1:1/0",
}


@pytest.mark.parametrize(
    ("unsafe", "sentence"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is missing or weak"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is missing or weak"),
        ({"SECRET_KEY": "ab" * 40}, "SECRET_KEY is missing or weak"),
        ({"SECRET_KEY": "django-insecure-" + STRONG}, "SECRET_KEY is missing or weak"),
        ({"DEBUG": "yes"}, "DEBUG and PRODUCTION cannot both be on"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS must name your hosts"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS is empty"),
        ({"PRODUCTION": "perhaps"}, "PRODUCTION must be yes or no"),
        ({"UPLOAD_MAX_MB": "-1"}, "UPLOAD_MAX_MB must be a whole number"),
        ({"DATABASE_URL": "mysql://x/y"}, "PostgreSQL only"),
        ({"SECRET_KEY_FILE": "/nowhere/key"}, "cannot be read"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_an_unsafe_installation_does_not_boot(tmp_path: Path, unsafe: dict[str, str], sentence: str) -> None:
    refused = manage("check", **(PRODUCTION | {"MARGINALIA_HOME": str(tmp_path)} | unsafe))
    assert refused.returncode == 78
    assert refused.stderr.startswith("Marginalia does not start: ")
    assert sentence in refused.stderr


def test_any_host_is_refused_without_production_too(tmp_path: Path) -> None:
    """A page elsewhere could otherwise rebind its name to this machine."""
    assert manage("check", ALLOWED_HOSTS="*", MARGINALIA_HOME=str(tmp_path)).returncode == 78


def test_the_deployment_check_finds_nothing_under_production_settings(tmp_path: Path) -> None:
    checked = manage(
        "check", "--deploy", "--fail-level", "WARNING", **(PRODUCTION | {"MARGINALIA_HOME": str(tmp_path)})
    )
    assert checked.returncode == 0, checked.stderr


def test_cookies_of_production_are_bound_to_host_and_tls(tmp_path: Path) -> None:
    code = (
        "import json; from apps.config import settings as s;"
        "print(json.dumps([s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE,"
        "s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS]))"
    )
    env = environment(**(PRODUCTION | {"MARGINALIA_HOME": str(tmp_path)}))
    said = subprocess.run([sys.executable, "-c", code], cwd=BASE, env=env, capture_output=True, text=True, check=True)
    assert json.loads(said.stdout) == ["__Host-session", "__Host-csrf", True, True, True, 31_536_000]


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(STRONG + "\n")
    files = PRODUCTION | {"SECRET_KEY": "", "SECRET_KEY_FILE": str(tmp_path / "key"), "MARGINALIA_HOME": str(tmp_path)}
    assert manage("check", **files).returncode == 0


def test_the_key_of_an_installation_is_made_once_and_private(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert home.make_secret_key()
    key = (tmp_path / "home/secret-key").read_text()
    assert not home.make_secret_key()
    assert (tmp_path / "home/secret-key").read_text() == key
    assert stat.S_IMODE((tmp_path / "home/secret-key").stat().st_mode) == 0o600
    assert len(set(key)) > 20


# --- what goes over the wire --------------------------------------------------------------------------

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; manifest-src 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'"
)


def _directives(header: str) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in header.split(";") if part.strip())


@pytest.mark.django_db
def test_headers_of_every_page(client: Client) -> None:
    page = client.get("/accounts/login/")
    assert page.status_code == 200
    assert _directives(page["Content-Security-Policy"]) == _directives(CSP)
    assert page["X-Frame-Options"] == "DENY"
    assert page["X-Content-Type-Options"] == "nosniff"
    assert page["Referrer-Policy"] == "same-origin"
    assert page["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.django_db
def test_another_host_name_is_refused(client: Client) -> None:
    assert client.get("/accounts/login/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.django_db
def test_health_is_told_to_probes_that_come_by_address(client: Client) -> None:
    probe = client.get("/healthz", headers={"host": "10.0.0.7"})
    assert (probe.status_code, probe.content) == (200, b"ok\n")


def test_health_is_bad_without_a_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError, connection

    def unreachable() -> None:
        raise OperationalError("no route")

    monkeypatch.setattr(connection, "cursor", unreachable)
    assert client.get("/healthz").status_code == 503


def _sign_in(client: Client, email: str, password: str, **headers: str) -> bool:
    client.post("/accounts/login/", {"login": email, "password": password}, headers=headers)
    return "_auth_user_id" in client.session


def test_guessing_at_one_account_is_throttled(client: Client, bob: User) -> None:
    for _ in range(5):
        assert not _sign_in(client, bob.email, "a wrong guess")
    assert not _sign_in(client, bob.email, "correct horse battery"), "the sixth try within five minutes was let in"


def test_a_made_up_forwarding_header_does_not_escape_the_throttle(client: Client, bob: User) -> None:
    for number in range(10):
        _sign_in(client, f"guess{number}@example.org", "a wrong guess", **{"x-forwarded-for": f"10.0.0.{number}"})
    assert not _sign_in(client, bob.email, "correct horse battery", **{"x-forwarded-for": "10.0.0.99"})


def test_the_right_password_gets_in(client: Client, bob: User) -> None:
    assert _sign_in(client, bob.email, "correct horse battery")


def test_the_caches_that_throttle_are_shared_by_all_processes() -> None:
    assert not re.search("locmem|dummy", settings.CACHES["default"]["BACKEND"].lower())
