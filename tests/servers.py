"""One PostgreSQL and one Valkey for a whole pytest run, unless DATABASE_URL and BROKER_URL name others.

With pytest-xdist every worker has its own servers and data folder: files are named by project ids, which repeat.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from apps.config.embedded import Postgres, Valkey

RUN, OURS = "MARGINALIA_TESTS", "MARGINALIA_TESTS_SERVERS"


def start() -> None:
    run = os.environ.get("PYTEST_XDIST_WORKER", "main")
    if os.environ.get(RUN) == run:
        return  # a child of the run: everything is in the environment already
    for setting in os.environ.pop(OURS, "").split():  # what the run that started this worker uses itself
        del os.environ[setting]
    home = Path(tempfile.mkdtemp(prefix="marginalia-test-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    (home / "static").mkdir()  # whitenoise looks for it
    os.environ[RUN] = run
    os.environ["MARGINALIA_HOME"] = str(home)
    os.environ["SECRET_KEY"] = "tests-only-" + "k7Jq0wXz" * 8
    if not os.environ.get("DATABASE_URL"):
        _start(Postgres(home, durable=False), "DATABASE_URL")
    if not os.environ.get("BROKER_URL"):
        _start(Valkey(home), "BROKER_URL")


def _start(server: Postgres | Valkey, setting: str) -> None:
    server.start()
    atexit.register(server.stop)  # last in, first out: before its folder goes
    os.environ[setting] = server.url
    os.environ[OURS] = f"{os.environ.get(OURS, '')} {setting}"
