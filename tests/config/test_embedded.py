import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from apps.config.embedded import DidNotStart, Postgres, Valkey, password_in
from tests.config.processes import BASE, environment

pytestmark = pytest.mark.slow


def _word(url: str, statement: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
    return str(row[0]) if row else ""


def test_postgres_listens_on_a_socket_alone_and_asks_for_the_password(installation: Path) -> None:
    server = Postgres(installation, durable=False)
    server.start()
    try:
        assert _word(server.url, "SHOW listen_addresses") == ""
        assert _word(server.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == "False"
        assert _word(server.url, "SELECT lower('ÄÖ') || count(*) FROM pg_extension WHERE extname = 'vector'") == "äö1"
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.url.replace(password_in(installation / "postgres-password"), "guess"))
    finally:
        server.stop()
    assert server.process is None


def test_a_folder_too_deep_for_a_socket_gets_one_elsewhere(installation: Path) -> None:
    deep = installation / ("d" * 60) / ("e" * 60)
    server = Postgres(deep, durable=False)
    server.start()
    try:
        assert _word(server.url, "SELECT 'here'") == "here"
        sockets = server.sockets
        assert deep not in sockets.parents
    finally:
        server.stop()
    assert not sockets.exists()


def test_a_server_left_by_a_killed_parent_is_ended_before_the_next_starts(installation: Path) -> None:
    """Where the kernel cannot bind a child to its parent (macOS), it lives on; here a detached one stands for it."""
    server = Postgres(installation, durable=False)
    server.start()
    server.stop()
    code = (
        "import sys, subprocess; from pathlib import Path; from apps.config.embedded import Postgres;"
        "s = Postgres(Path(sys.argv[1]), durable=False);"
        "u = {'user': s.user.pw_uid, 'group': s.user.pw_gid, 'extra_groups': []} if s.user else {};"
        "p = subprocess.Popen([str(a) for a in s._command()], start_new_session=True, stdout=-3, stderr=-3, **u); print(p.pid, flush=True)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(installation)], cwd=BASE, env=environment(), stdout=subprocess.PIPE, check=True
    )
    orphan = psutil.Process(int(said.stdout))
    while not (installation / "postgres/postmaster.pid").exists():
        assert orphan.is_running()
    server = Postgres(installation, durable=False)
    server.start()
    try:
        assert not psutil.pid_exists(orphan.pid) or orphan.status() == psutil.STATUS_ZOMBIE
        assert _word(server.url, "SELECT 1") == "1"
    finally:
        server.stop()


def test_a_foreign_process_with_the_old_number_is_left_alone(installation: Path) -> None:
    server = Postgres(installation, durable=False)
    server.start()
    server.stop()
    (installation / "postgres/postmaster.pid").write_text(f"{os.getpid()}\n{installation}\n")
    server._end_orphan()  # would have ended this test run


def test_a_damaged_cluster_is_reported_with_the_end_of_its_log(installation: Path) -> None:
    server = Postgres(installation, durable=False)
    server.start()
    server.stop()
    (installation / "postgres/global/pg_control").write_bytes(b"")
    with pytest.raises(DidNotStart, match="pg_control"):
        server.start()


def test_what_the_broker_holds_survives_its_death(installation: Path) -> None:
    server = Valkey(installation)
    server.start()
    try:
        client = redis.Redis.from_url(server.url)
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.lpush("default", "a message")
        client.execute_command("WAITAOF", 1, 0, 2000)
        assert server.process is not None
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        server.start()
        assert redis.Redis.from_url(server.url).lrange("default", 0, -1) == [b"a message"]
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port).ping()
    finally:
        server.stop()
