"""A whole product of its own for one benchmark: `manage.py up` on a fresh data folder and a free port."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_ADMINISTRATOR = """
import django; django.setup()
from apps.accounts.models import User
from apps.accounts.services import make_token
user = User.objects.create_superuser("bench@example.org", "correct horse battery staple")
print(make_token(user, name="bench", scopes=["manage"], days=None)[1])
"""


@dataclass(frozen=True)
class Product:
    url: str
    token: str  # of a superuser, allowed everything
    home: Path
    pid: int  # of the process tree's root


@contextmanager
def product(*, workers: bool = True) -> Iterator[Product]:
    home = Path(tempfile.mkdtemp(prefix="marginalia-bench-"))
    environ = os.environ | {"MARGINALIA_HOME": str(home), "DJANGO_SETTINGS_MODULE": "apps.config.settings"}
    command = [sys.executable, "manage.py", "up", "--port", "0", *([] if workers else ["--no-worker"])]
    with (home / "up.log").open("wb") as log:
        tree = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = _wait(home, tree)
        made = subprocess.run(
            [sys.executable, "-c", _ADMINISTRATOR], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
        )
        yield Product(url, made.stdout.strip().splitlines()[-1], home, tree.pid)
    finally:
        tree.send_signal(signal.SIGTERM)
        tree.wait(60)
        shutil.rmtree(home, ignore_errors=True)


def _wait(home: Path, tree: "subprocess.Popen[bytes]") -> str:
    note, deadline = home / "run" / "web.url", time.monotonic() + 300
    while not note.exists():
        if tree.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the product did not start:\n" + (home / "up.log").read_text()[-4000:])
        time.sleep(0.1)
    return note.read_text().strip()
