import pytest
from django.test import Client

from apps.accounts.models import User
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db


def test_the_rail_shows_an_administrator_every_place(alice: User, client_of: ClientOf) -> None:
    page = client_of(alice).get("/p/bank/").content.decode()
    assert 'href="/p/bank/"' in page
    assert 'aria-current="page"' in page


def test_the_rail_hides_from_a_viewer_what_a_viewer_may_not_do(vic: User, client_of: ClientOf) -> None:
    page = client_of(vic).get("/p/bank/").content.decode()
    assert "/p/bank/train/" not in page
    assert "/p/bank/settings/" not in page


def test_an_anonymous_page_has_no_rail_and_no_project(client: Client, project: object) -> None:
    page = client.get("/accounts/login/").content.decode()
    assert 'class="rail"' not in page
    assert "Bank questions" not in page


def test_the_theme_is_on_the_root_element_before_any_script_runs(alice: User, client_of: ClientOf) -> None:
    User.objects.filter(pk=alice.pk).update(theme="dark", density="compact")
    page = client_of(alice).get("/").content.decode()
    assert '<html lang="en" data-theme="dark" data-density="compact">' in page


def test_base_carries_no_inline_script_and_no_style_attribute(alice: User, client_of: ClientOf) -> None:
    page = client_of(alice).get("/p/bank/").content.decode()
    assert "<script>" not in page
    assert " style=" not in page
    assert "hx-on" not in page


def test_a_reviewer_finds_the_export_but_not_the_imports(rita: User, client_of: ClientOf) -> None:
    page = client_of(rita).get("/p/bank/").content.decode()
    assert 'href="/p/bank/export/"' in page
    assert 'href="/p/bank/content/"' not in page
