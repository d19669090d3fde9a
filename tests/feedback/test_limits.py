"""Exactly as many as the limit says, however many ask at once, with Valkey and without."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client, RequestFactory

from apps.common.errors import InvalidInput
from apps.feedback import intake_auth, limits
from apps.feedback import intake_queries as queries
from apps.feedback.models import IntakeKey, Signal
from apps.feedback.services import intake
from apps.projects.models import Project
from apps.serving.models import Served
from tests.feedback import make

NOBODY_LISTENS = "redis://127.0.0.1:1/0"
RATING = {"kind": "rating", "rating": 2}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    intake_auth.forget_keys()
    limits.Health.forget()
    yield
    limits.Health.forget()


@pytest.fixture(params=["valkey", "valkey is down", "rabbitmq"])
def counters(request: pytest.FixtureRequest, settings: Any) -> str:
    if request.param != "valkey":
        settings.BROKER_URL = NOBODY_LISTENS if request.param == "valkey is down" else "amqp://127.0.0.1:1/"
    return str(request.param)


def at_once(n: int, do: Callable[[int], Any]) -> list[Any]:
    """Everybody stands at the line before anybody runs."""
    line = threading.Barrier(n)

    def run(place: int) -> Any:
        line.wait(60)
        try:
            return do(place)
        finally:
            connection.close()

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(run, range(n)))


@pytest.mark.django_db(transaction=True)
def test_200_calls_at_once_on_a_limit_of_50_admit_50(
    project: Project, counters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MINUTE", limits.DAY)  # the window must outlast the calls
    key = make.key(project, per_minute=50)[1]

    def send(place: int) -> int:
        headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": f"10.0.0.{place}"}  # means nothing here
        answer = Client().post("/api/v1/feedback", json.dumps(RATING), content_type="application/json", headers=headers)
        return int(answer.status_code)

    # as many threads as connections allow, each several times: the calls overlap all the same
    statuses = [status for each in at_once(40, lambda place: [send(place) for _ in range(5)]) for status in each]
    assert sorted(set(statuses)) == [202, 429]
    assert (statuses.count(202), len(statuses)) == (50, 200)
    assert Signal.objects.count() == 50


@pytest.mark.django_db(transaction=True)
def test_one_event_sent_by_many_at_once_is_stored_once(project: Project) -> None:
    key = make.key(project)[1]
    event = {"id": "the-same", **RATING}

    def send(_place: int) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        answer = Client().post("/api/v1/feedback", json.dumps(event), content_type="application/json", headers=headers)
        return answer.status_code, answer.json()

    assert at_once(24, send) == [(202, {"id": "the-same"})] * 24
    assert Signal.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_prediction_forgotten_in_the_same_moment_loses_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = make.served(project)
    event, known = make.thumb(of), queries.known

    def forgotten_meanwhile(*asked: Any) -> queries.Known:
        found = known(*asked)
        Served.objects.all().delete()
        return found

    monkeypatch.setattr(queries, "known", forgotten_meanwhile)
    (receipt,) = intake.receive(None, project, [event])
    assert receipt.refusal is None
    assert Signal.objects.get().served is None


@pytest.mark.django_db
def test_a_database_that_is_away_is_no_fault_of_the_event(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: Any, **_more: Any) -> None:
        raise OperationalError("the connection is closed")

    key = make.key(project)[1]
    monkeypatch.setattr(intake, "receive", away)
    headers = {"Authorization": f"Bearer {key}"}
    answer = Client().post("/api/v1/feedback", json.dumps(RATING), content_type="application/json", headers=headers)
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")


@pytest.mark.django_db
class TestWindows:
    def key(self, project: Project, **limits: int) -> IntakeKey:
        return make.key(project, **limits)[0]

    def admitted(self, key: IntakeKey, address: str, times: int, n: int = 1) -> int:
        passed = 0
        for _ in range(times):
            try:
                limits.admit(key, address, n)
            except limits.TooMany:
                continue
            passed += 1
        return passed

    def test_each_address_has_a_minute_of_its_own(self, project: Project, counters: str) -> None:
        key = self.key(project, per_minute=3)
        assert [self.admitted(key, address, 5) for address in ("a", "b")] == [3, 3]

    def test_a_key_has_its_day_whatever_the_address(self, project: Project, counters: str) -> None:
        key = self.key(project, per_day=4)
        assert [self.admitted(key, address, 3) for address in ("a", "b")] == [3, 1]
        with pytest.raises(limits.TooMany) as refusal:
            limits.admit(key, "c", 1)
        assert 60 < refusal.value.retry_after <= limits.DAY

    def test_a_project_has_its_day_whatever_the_key(
        self, project: Project, counters: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "PROJECT_PER_DAY", 4)
        assert [self.admitted(self.key(project), "a", 3) for _ in range(2)] == [3, 1]

    def test_a_batch_is_admitted_whole_or_not_at_all(self, project: Project, counters: str) -> None:
        key = self.key(project, per_minute=10)
        assert self.admitted(key, "a", 3, n=4) == 2
        assert self.admitted(key, "a", 5) == 2  # what the refused batch left
        with pytest.raises(InvalidInput):
            limits.admit(key, "a", 11)

    def test_a_window_ends(self, project: Project, counters: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "MINUTE", 1)
        key = self.key(project, per_minute=1)
        assert self.admitted(key, "a", 1) == 1
        ends = time.monotonic() + 60
        while not self.admitted(key, "a", 1):
            assert time.monotonic() < ends
            time.sleep(0.1)


@pytest.mark.django_db
def test_a_server_that_is_down_is_not_asked_by_every_event(
    project: Project, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TRIED_AGAIN_AFTER", 3600.0)
    settings.BROKER_URL = NOBODY_LISTENS
    key = make.key(project)[0]
    limits.admit(key, "a", 1)
    assert not limits.Health.wanted()
    limits.Health.forget()
    assert limits.Health.wanted()


@pytest.mark.parametrize(
    ("peer", "header", "proxies", "address"),
    [
        ("203.0.113.7", "", 0, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", 0, "203.0.113.7"),
        ("10.0.0.1", "198.51.100.1", 1, "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", 1, "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", 2, "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1", 2, "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", 0, "2001:db8:1:2::/64"),
        ("::1", "", 0, "::/64"),
        ("::ffff:203.0.113.7", "", 0, "203.0.113.7"),
        ("", "", 0, "unknown"),
        ("10.0.0.1", "junk", 1, "unknown"),
    ],
)
def test_the_address_is_the_nearest_that_nobody_can_make_up(
    settings: Any, peer: str, header: str, proxies: int, address: str
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    request = RequestFactory().post("/", headers={"X-Forwarded-For": header} if header else {}, REMOTE_ADDR=peer)
    assert limits.address_of(request) == address
