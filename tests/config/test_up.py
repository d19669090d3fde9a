import contextlib
import os
import signal
import stat
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.config.processes import Up, manage, up

pytestmark = pytest.mark.slow
READY = "Marginalia is at"


@pytest.fixture
def home(warm_installation: Path) -> Path:
    return warm_installation


def _all_gone(family: list[psutil.Process], patience: float = 60) -> bool:
    _gone, alive = psutil.wait_procs(family, timeout=patience)
    return not alive


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # PostgreSQL has workers that come and go
        return []


def _names(tree: Up) -> str:
    return " ".join(" ".join(_command(process)) for process in tree.family())


def test_one_command_starts_everything_and_a_signal_ends_all_of_it(home: Path) -> None:
    with up(home) as tree:
        tree.wait_for(READY)
        assert tree.get("/healthz") == (200, "ok\n")
        running = _names(tree)
        for part in ("granian", "default@", "beat", "workers.serve", "postgres -D", "valkey-server"):
            assert part in running, f"{part} in {running}\n{tree.said()}"

        for secret in ("secret-key", "postgres-password", "run/database.url", "run/broker.url", "run/serve.url"):
            assert stat.S_IMODE((home / secret).stat().st_mode) == 0o600, secret
        assert len((home / "secret-key").read_text().strip()) >= 50

        second = manage("up", MARGINALIA_HOME=str(home))
        assert second.returncode != 0
        assert f"runs already (process {tree.process.pid}) at {tree.url}" in second.stderr

        deadline = time.monotonic() + 180  # workers come a little later than the first page
        while (seen := manage("doctor", MARGINALIA_HOME=str(home))).returncode != 0:
            if time.monotonic() > deadline:
                break
        assert "All is well." in seen.stdout, seen.stdout
        assert "A worker listens on the queue gpu." in seen.stdout
        assert "The inference process answers" in seen.stdout

        family = tree.family()
        assert tree.stop() == 0
        assert _all_gone(family)
        assert not list((home / "run").glob("*.url"))
        assert "is killed" not in tree.said()


def test_what_was_stored_survives_a_kill_and_nothing_stale_is_in_the_way(home: Path) -> None:
    with up(home, "--no-worker") as tree:
        tree.wait_for(READY)
        with psycopg.connect((home / "run/database.url").read_text().strip()) as connection:
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('still here')")
        family = tree.family()
        tree.stop(signal.SIGKILL)
        assert (home / "run/web.url").exists()
        assert (home / "run/up.lock").exists()
        assert _all_gone(family)  # children do not outlive it

    with up(home, "--no-worker") as tree:
        tree.wait_for(READY)
        with psycopg.connect((home / "run/database.url").read_text().strip()) as connection:
            assert connection.execute("SELECT word FROM kept").fetchone() == ("still here",)


def test_a_part_that_falls_is_started_again_and_said_so(home: Path) -> None:
    with up(home, "--no-worker") as tree:
        tree.wait_for(READY)
        (web,) = (process for process in psutil.Process(tree.process.pid).children() if "granian" in _command(process))
        web.kill()
        tree.wait_for("was killed by SIGKILL; starting it again in 1 s")
        _wait_until_healthy(tree)

        postmaster = int((home / "postgres/postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        tree.wait_for("postgres | was killed by SIGKILL")
        _wait_until_another(postmaster, home / "postgres/postmaster.pid")
        _wait_until_healthy(tree)


def _wait_until_healthy(tree: Up, patience: float = 120) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            assert tree.get("/healthz") == (200, "ok\n")
            return
        except OSError:  # refused, or 503
            assert time.monotonic() < deadline, tree.said()[-3000:]
            time.sleep(0.2)


def _wait_until_another(killed: int, note: Path, patience: float = 120) -> None:
    """The page may answer once more on a connection that the killed server had open."""
    deadline = time.monotonic() + patience
    while True:
        with contextlib.suppress(OSError):  # the stale note is taken away before the new one is there
            if (note.read_text().split() or [str(killed)])[0] != str(killed):
                return
        assert time.monotonic() < deadline, "no other server was started"
        time.sleep(0.1)


def test_outside_servers_are_used_and_none_is_started(installation: Path) -> None:
    """On the servers of this test run, which stand for anybody's."""
    home = installation / "home"
    outside = {name: os.environ[name] for name in ("DATABASE_URL", "BROKER_URL")}
    with up(home, "--no-worker", **outside) as tree:
        tree.wait_for(READY)
        assert "postgres" not in _names(tree)
        assert "valkey" not in _names(tree)
        assert not (home / "run/database.url").exists()  # their passwords are not copied


def test_a_part_alone_must_know_what_to_join(tmp_path: Path) -> None:
    refused = manage("up", "--only", "gpu", MARGINALIA_HOME=str(tmp_path))
    assert refused.returncode != 0
    assert "--only needs DATABASE_URL and BROKER_URL" in refused.stderr


def test_a_taken_port_is_refused_in_words(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = manage("up", "--port", port, MARGINALIA_HOME=str(tmp_path))
    assert refused.returncode != 0
    assert f"127.0.0.1:{port} cannot be used" in refused.stderr
