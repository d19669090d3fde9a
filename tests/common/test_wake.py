from itertools import pairwise
from typing import Any

import pytest
from kombu.exceptions import OperationalError

from apps.common import wake


class Broker:
    def __init__(self) -> None:
        self.sent: list[tuple[float, float]] = []  # when, how much later it is to be delivered
        self.now, self.down = 100.0, False

    def monotonic(self) -> float:
        return self.now

    def send_task(self, task: str, *, args: list[int], countdown: float | None, retry: bool) -> None:
        if self.down:
            raise OperationalError("refused")
        self.sent.append((self.now, countdown or 0.0))


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    fake = Broker()
    monkeypatch.setattr(wake, "current_app", fake)
    monkeypatch.setattr(wake.time, "monotonic", fake.monotonic)
    monkeypatch.setattr(wake, "_last", {})
    return fake


def test_every_change_of_a_burst_is_followed_by_a_wake_up(broker: Broker) -> None:
    changes = []
    for _ in range(30):
        wake._wake("learning.refresh", 1)
        changes.append(broker.now)
        broker.now += 0.013
    delivered = [at + later for at, later in broker.sent]
    for change in changes:
        assert any(change <= at <= change + wake._LEAST_GAP + 1e-9 for at in delivered)
    assert len(broker.sent) <= 2 + 30 * 0.013 / wake._LEAST_GAP
    gaps = [later - earlier for earlier, later in pairwise(delivered)]
    assert min(gaps) >= wake._LEAST_GAP - 1e-9


def test_a_change_after_a_pause_wakes_at_once(broker: Broker) -> None:
    wake._wake("learning.refresh", 1)
    broker.now += 5
    wake._wake("learning.refresh", 1)
    assert [later for _, later in broker.sent] == [0, 0]


def test_projects_do_not_wait_for_each_other(broker: Broker) -> None:
    for project in (1, 2, 3):
        wake._wake("learning.refresh", project)
    assert [later for _, later in broker.sent] == [0, 0, 0]


def test_a_broker_that_is_down_does_not_reach_the_person(broker: Broker, caplog: Any) -> None:
    broker.down = True
    wake._wake("learning.refresh", 1)
    assert "could not wake" in caplog.text
