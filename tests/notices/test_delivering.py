"""What waits is sent, signed, in order and again, until it is taken or given up."""

import base64
import hashlib
import hmac
import json
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.common import outbound
from apps.common.errors import DomainError, InvalidInput
from apps.notices import signing
from apps.notices.models import Delivery, Notice, Webhook
from apps.notices.services import delivering, webhooks
from apps.notices.services.telling import publish
from apps.projects.models import Project

pytestmark = pytest.mark.django_db


class Host:
    """The host product: takes what it is told to take."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.statuses: list[int] = []
        self.refuses_once: set[int] = set()  # moves: several are sent at the same time, in any order
        self.lock = threading.Lock()
        self.error: Exception | None = None

    def post(self, url: str, body: bytes, headers: dict[str, str]) -> outbound.Answer:
        if self.error:
            raise self.error
        with self.lock:
            self.got.append((headers, json.loads(body)))
            self.raw = body
            return outbound.Answer(self._status(), 7)

    def _status(self) -> int:
        move = self.got[-1][1]["data"].get("move")
        if move in self.refuses_once:
            self.refuses_once.remove(move)
            return 500
        return self.statuses.pop(0) if self.statuses else 200


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host()
    monkeypatch.setattr(outbound, "post", host.post)
    return host


@pytest.fixture
def webhook(project: Project) -> Webhook:
    return Webhook.objects.create(project=project, url="https://host.example.org/", events=["ticket.moved"])


def _publish(project: Project, ticket: int, move: int) -> None:
    publish(project, "ticket.moved", {"number": ticket, "move": move}, key=f"move-{move}")


def _due_now() -> None:
    Delivery.objects.update(due_at=timezone.now())


def test_the_five_documented_lines_accept_ours_and_nothing_else(project: Project, webhook: Webhook, host: Host) -> None:
    _publish(project, 1, 1)
    delivering.deliver()
    said: dict[str, Any] = {}
    exec(signing.CHECK, said)
    (headers, _body), secret = host.got[0], signing.secret_of(webhook)
    genuine = said["genuine"]
    assert genuine(secret, headers, host.raw)
    assert not genuine(secret, headers, host.raw + b" ")
    assert not genuine("whsec_" + base64.b64encode(b"x" * 32).decode(), headers, host.raw)
    old = str(int(time.time()) - 600)
    mac = hmac.digest(base64.b64decode(secret[6:]), f"{headers['webhook-id']}.{old}.".encode() + host.raw, "sha256")
    replay = {"webhook-timestamp": old, "webhook-signature": "v1," + base64.b64encode(mac).decode()}
    assert not genuine(secret, headers | replay, host.raw)
    assert hashlib.sha256


def test_the_secret_is_nowhere_in_the_row_and_changes_with_the_salt(webhook: Webhook) -> None:
    before = signing.secret_of(webhook)
    stored = " ".join(str(value) for value in Webhook.objects.values().get().values())
    assert before not in stored
    assert base64.b64decode(before[6:]).hex() not in stored
    assert webhooks.rotate(webhook) != before


def test_a_delivery_says_what_happened_where_and_under_which_id(project: Project, webhook: Webhook, host: Host) -> None:
    _publish(project, 3, 9)
    delivering.deliver()
    headers, body = host.got[0]
    row = Delivery.objects.get()
    assert (row.state, row.status, row.attempts, row.milliseconds) == ("done", 200, 1, 7)
    assert headers["webhook-id"] == body["id"] == str(row.uid)
    assert (body["type"], body["project"], body["data"]) == ("ticket.moved", "bank", {"number": 3, "move": 9})


def test_news_of_one_thing_wait_for_each_other_and_others_pass(project: Project, webhook: Webhook, host: Host) -> None:
    host.refuses_once = {1}
    for ticket, move in [(1, 1), (1, 2), (2, 3), (1, 4)]:
        _publish(project, ticket, move)
    delivering.deliver()
    assert sorted(body["data"]["move"] for _headers, body in host.got) == [1, 3]
    _due_now()
    delivering.deliver()
    assert [body["data"]["move"] for _headers, body in host.got[2:]] == [1, 2, 4]


def test_a_receiver_that_fails_half_the_time_gets_everything_and_can_tell_what_it_had(
    project: Project, webhook: Webhook, host: Host
) -> None:
    host.statuses = [500, 200, 503, 404, 200, 200, 500] * 3
    for move in range(8):
        _publish(project, move % 3, move)
    for _ in range(30):
        delivering.deliver()
        _due_now()
    moves = {body["data"]["move"] for _headers, body in host.got}
    ids = {headers["webhook-id"] for headers, _body in host.got}
    assert moves == set(range(8))
    assert len(ids) == 8
    assert set(Delivery.objects.values_list("state", flat=True)) == {"done"}


def test_pauses_double_with_jitter_up_to_six_hours() -> None:
    for attempts, longest in [(1, 10), (2, 20), (5, 160), (15, 21_600)]:
        tried = {delivering.pause(attempts).total_seconds() for _ in range(20)}
        assert len(tried) > 1
        assert longest / 2 <= min(tried) <= max(tried) <= longest


def test_it_is_given_up_after_enough_attempts(project: Project, webhook: Webhook, host: Host) -> None:
    host.error = outbound.Unreachable("Nobody answered in time.")
    _publish(project, 1, 1)
    Delivery.objects.update(attempts=delivering.MOST_ATTEMPTS - 1)
    delivering.deliver()
    row = Delivery.objects.get()
    assert (row.state, row.status, row.error) == ("given_up", None, "Nobody answered in time.")


def test_after_days_of_failure_it_is_switched_off_and_the_administrator_told(
    project: Project, webhook: Webhook, host: Host, alice: User, dana: User
) -> None:
    host.statuses = [500, 500]
    _publish(project, 1, 1)
    delivering.deliver()
    webhook.refresh_from_db()
    assert webhook.failing_since
    assert not webhook.disabled_at
    Webhook.objects.update(failing_since=timezone.now() - timedelta(days=3, minutes=1))
    _due_now()
    delivering.deliver()
    webhook.refresh_from_db()
    assert webhook.disabled_at
    assert list(Notice.objects.values_list("user__name", "kind")) == [("Alice", "webhook")]
    _due_now()
    assert delivering.deliver() == 0
    webhooks.set_enabled(webhook, True)
    assert delivering.deliver() == 1


def test_one_success_forgets_the_failures_before(project: Project, webhook: Webhook, host: Host) -> None:
    Webhook.objects.update(failing_since=timezone.now() - timedelta(days=2))
    _publish(project, 1, 1)
    delivering.deliver()
    webhook.refresh_from_db()
    assert webhook.failing_since is None


def test_a_worker_that_died_costs_a_second_sending_and_nothing_else(
    project: Project, webhook: Webhook, host: Host
) -> None:
    _publish(project, 1, 1)
    (claimed,) = delivering._claim()  # and then the power went
    assert delivering.deliver() == 0  # leased
    _due_now()
    assert delivering.deliver() == 1
    delivering._note(delivering.Outcome(claimed, 500, "late", 1))  # the first worker was only slow
    assert Delivery.objects.get().state == "done"


def test_a_redirect_is_an_error_in_our_words(project: Project, webhook: Webhook, host: Host) -> None:
    host.statuses = [302]
    _publish(project, 1, 1)
    delivering.deliver()
    assert "redirect" in Delivery.objects.get().error


def test_a_second_sending_keeps_the_id(project: Project, webhook: Webhook, host: Host) -> None:
    _publish(project, 1, 1)
    delivering.deliver()
    webhooks.redeliver(Delivery.objects.get())
    with pytest.raises(DomainError):
        webhooks.redeliver(Delivery.objects.get())
    delivering.deliver()
    assert len({headers["webhook-id"] for headers, _body in host.got}) == 1
    assert len(host.got) == 2


def test_an_endpoint_in_ones_own_network_is_refused_when_it_is_entered(project: Project, alice: User) -> None:
    with pytest.raises(InvalidInput) as caught:
        webhooks.make(project, alice, url="http://169.254.169.254/latest/meta-data", events=["alarm.raised"])
    assert caught.value.field == "url"
    assert not Webhook.objects.exists()


def test_old_deliveries_are_forgotten_and_waiting_ones_kept(project: Project, webhook: Webhook, host: Host) -> None:
    _publish(project, 1, 1)
    delivering.deliver()
    _publish(project, 1, 2)
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    delivering.forget()
    assert [row.state for row in Delivery.objects.all()] == ["waiting"]
