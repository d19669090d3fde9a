import pytest
from django.test import Client

from apps.accounts import services
from apps.accounts.keymap import STANDARD, keymap_of
from apps.accounts.models import User
from apps.common.errors import InvalidInput
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db
PREFERENCES = {"name": "Bob", "language": "", "theme": "dark", "density": "compact", "single_keys": "on"}


def test_preferences_are_saved_and_used(bob: User, client_of: ClientOf) -> None:
    page = client_of(bob).post("/you/", PREFERENCES, follow=True).content.decode()
    assert 'data-theme="dark" data-density="compact"' in page
    bob.refresh_from_db()
    assert (bob.theme, bob.density, bob.single_keys) == ("dark", "compact", True)


def test_a_theme_that_does_not_exist_is_refused_at_its_field(bob: User, client_of: ClientOf) -> None:
    response = client_of(bob).post("/you/", PREFERENCES | {"theme": "pink"})
    assert response.status_code == 422
    assert 'id="id_theme_error"' in response.content.decode()
    assert 'data-theme="system"' in response.content.decode()


def test_the_own_language_wins_over_the_browsers(bob: User, client_of: ClientOf) -> None:
    client, asked = client_of(bob), {"Accept-Language": "zh-CN,zh;q=0.9"}
    assert '<html lang="zh-hans"' in client.get("/you/", headers=asked).content.decode()
    User.objects.filter(pk=bob.pk).update(language="en")
    response = client.get("/you/", headers=asked)
    assert '<html lang="en"' in response.content.decode()
    assert response.headers["Content-Language"] == "en"


def test_without_an_account_the_browsers_language_is_used(client: Client, db: None) -> None:
    page = client.get("/accounts/login/", headers={"Accept-Language": "zh-CN"}).content.decode()
    assert '<html lang="zh-hans"' in page


def test_a_key_is_remapped_and_reaches_the_page(bob: User, client_of: ClientOf) -> None:
    client = client_of(bob)
    assert client.post("/you/keys/", STANDARD | {"skip": "n"}).status_code == 302
    bob.refresh_from_db()
    assert bob.keymap == {"skip": "n"}
    assert '"skip": "n"' in client.get("/you/").content.decode()


def test_a_key_that_would_do_two_things_is_refused_in_words(bob: User, client_of: ClientOf) -> None:
    response = client_of(bob).post("/you/keys/", STANDARD | {"skip": "z"})
    assert response.status_code == 422
    assert "would do two things" in response.content.decode()
    bob.refresh_from_db()
    assert bob.keymap == {}


@pytest.mark.parametrize("key", ["1", "]", "Escape", " ", "ab", "\n"])
def test_a_key_that_is_kept_for_something_else_is_refused(bob: User, key: str) -> None:
    with pytest.raises(InvalidInput):
        services.set_keymap(bob, {"skip": key})


def test_two_actions_may_swap_their_keys(bob: User) -> None:
    services.set_keymap(bob, {"skip": "f", "flag": "s"})
    assert keymap_of(bob) == STANDARD | {"skip": "f", "flag": "s"}


def test_the_standard_comes_back(bob: User, client_of: ClientOf) -> None:
    services.set_keymap(bob, {"skip": "n"})
    client_of(bob).post("/you/keys/", {"standard": "1"})
    bob.refresh_from_db()
    assert bob.keymap == {}


def test_a_spoilt_keymap_in_the_row_breaks_no_page(bob: User, client_of: ClientOf) -> None:
    User.objects.filter(pk=bob.pk).update(keymap={"skip": 7, "</script><script>alert(1)": "x"})
    page = client_of(bob).get("/you/keys/")
    assert page.status_code == 200
    assert "alert(1)" not in page.content.decode()
