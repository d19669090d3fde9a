"""Nothing that was acknowledged is ever lost: web workers, then the database, killed in the middle of it."""

import http.client
import json
import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from tests.config.processes import Up, manage, up

pytestmark = pytest.mark.slow
CLIENTS = 4
KEY = """
from apps.feedback.models import IntakeKey
from apps.feedback.services import keys
from apps.projects.models import Project
project = Project.objects.create(slug="kill", name="Kill", encoder="char-ngrams")
row, key = keys.make(project, None, name="k", kind=IntakeKey.Kind.PUBLISHABLE, per_minute=10**6, per_day=10**6)
print("KEY", key)
"""


class Crowd:
    """Sends without pause; what got no answer is sent again under its id, as the widget does."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        self.acknowledged: list[str] = []
        self.sent = self.broken = 0
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._send) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def _send(self) -> None:
        while not self.ended.is_set():
            event = {"id": str(uuid.uuid4()), "kind": "rating", "rating": 2}
            for _ in range(2):
                self.sent += 1
                if self._post(event) == 202:
                    self.acknowledged.append(event["id"])
                    break
                self.broken += 1
                time.sleep(0.02)

    def _post(self, event: dict[str, Any]) -> int:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=20)
        headers = {"Authorization": f"Bearer {self.key}"}
        try:
            connection.request("POST", "/api/v1/feedback", json.dumps(event), headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def wait_for_more(self, n: int) -> None:
        goal, deadline = len(self.acknowledged) + n, time.monotonic() + 120
        while len(self.acknowledged) < goal:
            assert time.monotonic() < deadline, f"{len(self.acknowledged)} acknowledged, {self.broken} broken"
            time.sleep(0.05)

    def end(self) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(60)


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="marginalia-test-"))  # sockets lie in it: pytest's own path is too long
    yield folder / "home"
    shutil.rmtree(folder, ignore_errors=True)


def _web(tree: Up) -> psutil.Process:
    children = psutil.Process(tree.process.pid).children()
    return next(process for process in children if "granian" in process.cmdline())


def test_every_acknowledged_event_is_there_once_after_kills(home: Path) -> None:
    with up(home, "--no-worker") as tree:
        tree.wait_for("Marginalia is at")
        made = manage("shell", "-c", KEY, MARGINALIA_HOME=str(home))
        key = next(line.split()[1] for line in made.stdout.splitlines() if line.startswith("KEY "))
        crowd = Crowd(tree.url, key)
        try:
            crowd.wait_for_more(40)
            for worker in _web(tree).children():
                worker.kill()
            crowd.wait_for_more(40)
            os.kill(int((home / "postgres/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
            crowd.wait_for_more(40)
            _web(tree).kill()
            crowd.wait_for_more(40)
        finally:
            crowd.end()
        assert crowd.broken, "nothing was hit in the middle"
        with psycopg.connect((home / "run/database.url").read_text().strip()) as connection:
            rows = connection.execute("SELECT event FROM feedback_signal").fetchall()
        stored = [event for (event,) in rows]
        assert len(stored) == len(set(stored))
        assert set(crowd.acknowledged) <= set(stored)
        assert len(crowd.acknowledged) == len(set(crowd.acknowledged))
