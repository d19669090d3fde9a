"""Real `manage.py` processes in a data folder of their own."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

BASE = Path(__file__).resolve().parents[2]
OURS = (
    "MARGINALIA_TESTS",
    "MARGINALIA_HOME",
    "DATABASE_URL",
    "BROKER_URL",
    "SECRET_KEY",
    "DJANGO_SETTINGS_MODULE",
    "DJANGO_ALLOW_ASYNC_UNSAFE",  # of the browser tests in the same session
)


def environment(**settings: str) -> dict[str, str]:
    """As on a machine where nothing of Marginalia is set, but for what the test sets."""
    return {name: value for name, value in os.environ.items() if name not in OURS} | settings


def manage(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=BASE, env=environment(**settings), capture_output=True, text=True, check=False, timeout=240
    )


class Up:
    def __init__(self, home: Path, *arguments: str, **settings: str) -> None:
        self.home = home
        self.log = home.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--port", "0", *arguments],
                cwd=BASE,
                env=environment(MARGINALIA_HOME=str(home), **settings),
                stdout=log,
                stderr=log,
            )

    def said(self) -> str:
        return self.log.read_text()

    def wait_for(self, words: str, patience: float = 180) -> None:
        deadline = time.monotonic() + patience
        while words not in self.said():
            assert self.process.poll() is None, self.said()[-3000:]
            assert time.monotonic() < deadline, f"never said {words!r}: {self.said()[-3000:]}"
            time.sleep(0.1)

    @property
    def url(self) -> str:
        return (self.home / "run" / "web.url").read_text().strip()

    def get(self, path: str) -> tuple[int, str]:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(self.url + path, timeout=60) as answer:
            return answer.status, answer.read().decode()

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)


@contextmanager
def up(home: Path, *arguments: str, **settings: str) -> Iterator[Up]:
    tree = Up(home, *arguments, **settings)
    try:
        yield tree
    finally:
        if tree.process.poll() is None:
            tree.stop()
