"""Keys: who makes them, what is shown once, what is kept; and forgetting a person."""

import hashlib
import json
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.services import make_token
from apps.common.errors import DomainError, InvalidInput
from apps.feedback import intake_auth
from apps.feedback.models import IntakeKey, Signal, Ticket
from apps.feedback.services import erasing, keys
from apps.projects.models import Project
from apps.projects.subjects import pseudonym
from apps.serving.models import Served
from tests.conftest import ClientOf
from tests.feedback import make

pytestmark = pytest.mark.django_db
PAGE = "/p/bank/settings/keys/"
API = "/api/v1/projects/bank/intake-keys/"
GIVEN = {
    "name": "Shop",
    "kind": "publishable",
    "origins": "https://shop.example.org\nHTTP://localhost:3000/",
    "per_day": "500",
}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    intake_auth.forget_keys()


# --- the page ---------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_only_its_fingerprint_is_kept(
    project: Project, alice: User, client_of: ClientOf
) -> None:
    client = client_of(alice)
    answer = client.post(PAGE, GIVEN)
    secret = answer.context["secret"]
    row = IntakeKey.objects.get()
    assert secret.startswith("mk_pub_")
    assert secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert row.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(IntakeKey.objects.values().get())
    assert (row.origins, row.per_minute, row.per_day) == (
        ["https://shop.example.org", "http://localhost:3000"],
        60,
        500,
    )
    page = client.get(PAGE).content.decode()
    assert secret not in page
    assert row.prefix in page
    assert secret.startswith(row.prefix)


def test_the_page_offers_the_line_that_embeds_the_widget(project: Project, alice: User, client_of: ClientOf) -> None:
    page = client_of(alice).post(PAGE, GIVEN).content.decode()
    assert "widget/marginalia.js" in page
    assert "data-prediction" in page
    assert (
        "widget/marginalia.js"
        not in client_of(alice).post(PAGE, GIVEN | {"kind": "secret", "origins": ""}).content.decode()
    )


def test_a_secret_key_has_room_for_batches(project: Project, alice: User, client_of: ClientOf) -> None:
    client_of(alice).post(PAGE, GIVEN | {"kind": "secret", "origins": ""})
    row = IntakeKey.objects.get()
    assert (row.kind, row.per_minute, row.origins) == ("secret", 60_000, [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"kind": "root"},
        {"origins": "shop.example.org"},
        {"origins": "https://shop.example.org/cart"},
        {"origins": "https://user@shop.example.org"},
        {"origins": "*"},
        {"origins": "javascript:alert(1)"},
        {"origins": "https://shop.example.org:99999"},
        {"kind": "secret"},
        {"per_day": "0"},
        {"per_minute": "-1"},
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(
    project: Project, alice: User, client_of: ClientOf, wrong: dict[str, str]
) -> None:
    answer = client_of(alice).post(PAGE, GIVEN | wrong)
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"origins"} if wrong == {"kind": "secret"} else set(wrong)
    assert not IntakeKey.objects.exists()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (" HTTPS://Shop.Example.ORG:443 ", "https://shop.example.org"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://münze.example", "https://xn--mnze-0ra.example"),
        ("http://127.0.0.1:80/", "http://127.0.0.1"),
    ],
)
def test_origins_are_kept_as_browsers_write_them(written: str, kept: str) -> None:
    assert keys.origin_of(written) == kept


def test_a_revoked_key_is_off_the_page_and_refused(project: Project, alice: User, client_of: ClientOf) -> None:
    row, secret = make.key(project)
    client = client_of(alice)
    assert client.post(f"{PAGE}{row.pk}/revoke/").status_code == 302
    assert row.prefix not in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}{row.pk}/revoke/").status_code == 404
    sent = Client().post(
        "/api/v1/feedback", "{}", content_type="application/json", headers={"Authorization": f"Bearer {secret}"}
    )
    assert sent.status_code == 401


def test_another_projects_key_cannot_be_revoked_from_here(project: Project, alice: User, client_of: ClientOf) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="e")
    row, _secret = make.key(other)
    assert client_of(alice).post(f"{PAGE}{row.pk}/revoke/").status_code == 404
    assert client_of(alice).delete(f"{API}{row.pk}/").status_code == 404
    assert IntakeKey.objects.get().revoked_at is None


def test_only_administrators_see_keys(
    project: Project, bob: User, dana: User, rita: User, vic: User, charlie: User, client_of: ClientOf
) -> None:
    for user, status in ((bob, 403), (dana, 403), (rita, 403), (vic, 403), (charlie, 404)):
        assert client_of(user).get(PAGE).status_code == status
        assert client_of(user).post(PAGE, GIVEN).status_code == status
        assert client_of(user).post(API, GIVEN).status_code == status
    assert not IntakeKey.objects.exists()


def test_a_project_has_no_more_keys_than_somebody_can_look_over(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MOST_KEYS", 1)
    make.key(project)
    with pytest.raises(DomainError):
        make.key(project)


def test_a_secret_key_has_no_origins_however_it_is_made(project: Project) -> None:
    with pytest.raises(InvalidInput):
        make.key(project, IntakeKey.Kind.SECRET, origins=["https://shop.example.org"])


# --- the API ----------------------------------------------------------------------------------------------------


def test_the_api_is_a_twin_of_the_page(project: Project, alice: User) -> None:
    _row, token = make_token(alice, name="t", scopes=["manage"], days=None)
    headers = {"Authorization": f"Bearer {token}"}

    def post(body: dict[str, Any]) -> Any:
        return Client().post(API, json.dumps(body), content_type="application/json", headers=headers)

    made = post({"name": "Shop", "origins": ["https://shop.example.org"]})
    assert made.status_code == 201
    assert made.json()["key"].startswith("mk_pub_")
    (listed,) = Client().get(API, headers=headers).json()
    assert listed["prefix"] == made.json()["prefix"]
    assert "key" not in listed
    refused = post({"name": "Shop", "origins": ["nonsense"]})
    assert (refused.status_code, refused.json()["field"]) == (422, "origins")
    assert Client().delete(f"{API}{listed['id']}/", headers=headers).status_code == 204
    assert Client().get(API, headers=headers).json() == []


# --- forgetting somebody ----------------------------------------------------------------------------------------


def test_everything_of_one_person_goes_and_nothing_of_others(project: Project) -> None:
    for who in ("maria", "jan"):
        of = make.served(project, subject=who, text=f"{who} lost a card")
        make.signal(project, make.thumb(of, subject=who, comment=f"says {who}", reason="Wrong", consent=True))
    make.signal(
        project,
        {"kind": "answer", "survey": "s", "question": "q", "answer": "by maria", "consent": True, "subject": "maria"},
    )
    erased = erasing.erase_subject(project, "maria")
    assert (erased.signals, erased.predictions) == (2, 1)
    left = str(list(Signal.objects.values()) + list(Served.objects.values()))
    assert "maria" not in left
    assert pseudonym(project, "maria") not in left
    assert hashlib.sha256(b"maria lost a card").hexdigest() not in left.replace("\\x", "")
    assert Signal.objects.filter(comment="says jan", text="jan lost a card").count() == 1
    thumb = Signal.objects.get(kind="thumb", subject="")
    assert (thumb.value, thumb.polarity, thumb.predicted is not None) == ({"up": False}, -1, True)
    assert erasing.erase_subject(project, "maria").signals == 0


def test_a_ticket_goes_on_in_other_words(project: Project) -> None:
    ticket = Ticket.objects.create(project=project, number=1)
    first = make.signal(project, make.thumb(make.served(project, text="maria lost a card"), subject="maria"))
    second = make.signal(project, make.thumb(make.served(project, text="jan lost a card"), subject="jan"))
    Signal.objects.update(ticket=ticket)
    Ticket.objects.update(text=first.text, text_hash=first.text_hash, wording=b"w")
    assert erasing.erase_subject(project, "maria").tickets == 1
    ticket.refresh_from_db()
    assert (ticket.text, bytes(ticket.text_hash or b""), ticket.wording) == (
        "jan lost a card",
        bytes(second.text_hash or b""),
        None,
    )
    erasing.erase_subject(project, "jan")
    ticket.refresh_from_db()
    assert (ticket.text, ticket.text_hash) == ("", None)


def test_words_that_two_people_said_are_nobodys_alone(project: Project) -> None:
    ticket = Ticket.objects.create(project=project, number=1)
    for who in ("maria", "jan"):
        signal = make.signal(project, make.thumb(make.served(project), subject=who))
    Signal.objects.update(ticket=ticket)
    Ticket.objects.update(text=signal.text, text_hash=signal.text_hash)
    assert erasing.erase_subject(project, "maria").tickets == 0


def test_forgetting_is_for_administrators(project: Project, alice: User, dana: User, client_of: ClientOf) -> None:
    make.signal(project, make.thumb(make.served(project), subject="a/b c"))
    url = "/api/v1/projects/bank/subjects/a/b%20c/"
    assert client_of(dana).delete(url).status_code == 403
    answer = client_of(alice).delete(url)
    assert (answer.status_code, answer.json()["signals"]) == (200, 1)
    assert Signal.objects.get().subject == ""
