"""The inbox, the bell and the endpoints as people and programs meet them."""

import pytest
from django.urls import reverse

from apps.accounts.models import User
from apps.common import outbound
from apps.notices import signing
from apps.notices.models import Delivery, Event, Notice, Webhook
from apps.notices.services import delivering
from apps.notices.services.telling import tell
from apps.projects.models import Membership, Project
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db
URL = "https://host.example.org/hook"


@pytest.fixture(autouse=True)
def _public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "resolve", lambda goal: ["93.184.216.34"])


def test_the_inbox_shows_what_concerns_me_and_nothing_of_others(
    project: Project, alice: User, dana: User, client_of: ClientOf
) -> None:
    tell([alice], project=project, kind="x", title="For Alice <b>only</b>")
    tell([dana], project=project, kind="x", title="For Dana")
    page = client_of(alice).get("/notices/").content.decode()
    assert "For Alice &lt;b&gt;only" in page
    assert "For Dana" not in page
    assert 'aria-label="Notices, 1 unread"' in page


def test_a_project_that_i_left_is_silent(project: Project, alice: User, client_of: ClientOf) -> None:
    tell([alice], project=project, kind="x", title="Secret of the project")
    Membership.objects.filter(user=alice).delete()
    assert "Secret of the project" not in client_of(alice).get("/notices/").content.decode()


def test_opening_one_marks_it_read_and_leads_to_it(project: Project, alice: User, client_of: ClientOf) -> None:
    tell([alice], project=project, kind="x", title="T", url="/p/bank/")
    row = Notice.objects.get()
    answer = client_of(alice).post(f"/notices/{row.pk}/")
    assert answer["Location"] == "/p/bank/"
    row.refresh_from_db()
    assert row.read_at


def test_nobody_is_led_to_another_site(project: Project, alice: User, client_of: ClientOf) -> None:
    tell([alice], project=project, kind="x", title="T", url="https://evil.example.org/")
    assert client_of(alice).post(f"/notices/{Notice.objects.get().pk}/")["Location"] == "/notices/"


def test_a_notice_of_somebody_else_does_not_exist_for_me(
    project: Project, alice: User, dana: User, client_of: ClientOf
) -> None:
    tell([alice], project=project, kind="x", title="T")
    row = Notice.objects.get()
    assert client_of(dana).post(f"/notices/{row.pk}/").status_code == 404
    row.refresh_from_db()
    assert row.read_at is None


def test_all_read_leaves_what_came_in_meanwhile(project: Project, alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    tell([alice], project=project, kind="x", title="Seen")
    tell([alice], project=project, kind="x", title="Came later")
    client.post("/notices/read/", {"through": Notice.objects.get(title="Seen").pk})
    assert [row.title for row in Notice.objects.filter(read_at=None)] == ["Came later"]
    assert client.post("/notices/read/", {"through": "9" * 40}).status_code == 302


def test_the_preference_for_mail_is_kept(alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    client.post("/notices/mail/", {"mode": "at_once"})
    assert '<option value="at_once" selected>' in client.get("/notices/").content.decode()
    assert client.post("/notices/mail/", {"mode": "by pigeon"}).status_code == 422


def test_the_inbox_by_api(project: Project, alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    tell([alice], project=project, kind="alarm", title="One")
    (found,) = client.get("/api/v1/me/notices/").json()["results"]
    assert (found["title"], found["project"], found["read_at"]) == ("One", "bank", None)
    answer = client.post("/api/v1/me/notices/read/", {"through": found["id"]}, "application/json")
    assert answer.json() == {"read": 1}


def test_the_secret_is_shown_when_made_and_never_again(project: Project, alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    made = client.post("/p/bank/webhooks/", {"url": URL, "events": ["ticket.fixed", "alarm.raised"]}).content.decode()
    row = Webhook.objects.get()
    secret = signing.secret_of(row)
    assert secret in made
    for path in ("/p/bank/webhooks/", f"/p/bank/webhooks/{row.pk}/"):
        assert secret not in client.get(path).content.decode()
    rotated = client.post(f"/p/bank/webhooks/{row.pk}/rotate/").content.decode()
    row.refresh_from_db()
    assert signing.secret_of(row) in rotated
    assert secret not in rotated


def test_a_wrong_endpoint_is_refused_at_its_field(project: Project, alice: User, client_of: ClientOf) -> None:
    answer = client_of(alice).post("/p/bank/webhooks/", {"url": "file:///etc/passwd", "events": ["ticket.fixed"]})
    assert answer.status_code == 422
    assert "must begin with https" in answer.content.decode()


def test_a_test_is_sent_and_its_answer_stands_in_the_list(
    project: Project, alice: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(alice)
    row = Webhook.objects.create(project=project, url=URL, events=["ticket.fixed"])
    client.post(f"/p/bank/webhooks/{row.pk}/test/")
    monkeypatch.setattr(outbound, "post", lambda *_: outbound.Answer(418, 12))
    delivering.deliver()
    page = client.get(f"/p/bank/webhooks/{row.pk}/").content.decode()
    assert "418" in page
    assert "It answered with an error." in page
    Delivery.objects.update(state="given_up")
    assert (
        client.post(f"/p/bank/webhooks/{row.pk}/deliveries/{Delivery.objects.get().pk}/redeliver/").status_code == 302
    )
    assert Delivery.objects.get().state == "waiting"


def test_deliveries_of_another_project_cannot_be_read_or_sent_again(
    project: Project, alice: User, client_of: ClientOf
) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="minilm-l6")
    foreign = Webhook.objects.create(project=other, url=URL, events=["ticket.fixed"])
    mine = Webhook.objects.create(project=project, url=URL, events=["ticket.fixed"])
    sent = Delivery.objects.create(webhook=foreign, event="test", about="a", key="a", payload={}, state="done")
    client = client_of(alice)
    for base in ("/p/bank", "/api/v1/projects/bank"):
        assert client.get(f"{base}/webhooks/{foreign.pk}/").status_code == 404
        for webhook in (foreign, mine):
            path = f"{base}/webhooks/{webhook.pk}/deliveries/{sent.pk}/redeliver/"
            assert client.post(path, content_type="application/json").status_code == 404
    sent.refresh_from_db()
    assert sent.state == "done"


def test_endpoints_by_api(project: Project, alice: User, client_of: ClientOf) -> None:
    client, base = client_of(alice), "/api/v1/projects/bank/webhooks/"
    made = client.post(base, {"url": URL, "events": ["alarm.raised"]}, "application/json")
    assert made.status_code == 201
    row = Webhook.objects.get()
    assert made.json()["secret"] == signing.secret_of(row)
    assert "secret" not in client.get(f"{base}{row.pk}/").json()
    assert "secret" not in client.get(base).json()["results"][0]
    changed = client.patch(f"{base}{row.pk}/", {"enabled": False}, "application/json").json()
    assert not changed["enabled"]
    assert client.post(f"{base}{row.pk}/test/").status_code == 409
    client.patch(f"{base}{row.pk}/", {"enabled": True, "events": ["ticket.fixed"]}, "application/json")
    assert client.post(f"{base}{row.pk}/test/").status_code == 202
    (sent,) = client.get(f"{base}{row.pk}/deliveries/").json()["results"]
    assert (sent["event"], sent["state"]) == ("test", "waiting")
    row.refresh_from_db()
    assert client.post(f"{base}{row.pk}/rotate/").json()["secret"] != signing.secret_of(row)
    assert client.delete(f"{base}{row.pk}/").status_code == 204


@pytest.mark.parametrize("event", Event.values)
def test_every_event_can_be_asked_for(project: Project, alice: User, client_of: ClientOf, event: str) -> None:
    page = client_of(alice).get(reverse("webhooks", args=["bank"])).content.decode()
    assert f'value="{event}"' in page
