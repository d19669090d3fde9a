"""What `manage.py up` runs: which services, with which commands, in which order they end."""

import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from apps.config import health
from apps.config.embedded import Postgres, Valkey, free_port
from apps.config.home import Home
from apps.config.supervise import Server, Service, Tree, say
from workers import gpu
from workers.serve import wire

ROLES = ("web", "default", "gpu", "serve", "beat")
# waves of ending: nothing new comes in, then the work in hand is finished
WAVE_IN, WAVE_WORK = 0, 1
NOTES = ("database.url", "broker.url", "serve.url", "web.url", "pid")


class Refused(Exception):
    """`up` does not start; the text says what to do."""


@dataclass(frozen=True)
class Options:
    base: Path
    home: Path
    host: str
    port: int
    workers: int
    roles: Sequence[str]
    whole: bool  # a tree of its own, not a part that joins others
    embed_database: bool
    embed_broker: bool
    make_key: bool
    secret: str  # empty until the first start has made one
    device: str = "auto"
    serve_host: str = "127.0.0.1"
    serve_port: int = 0


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def prepare(options: Options) -> Service:
    return Service("prepare", _python(str(options.base / "manage.py"), "prepare"))


def seeding() -> Service:
    return Service("demo", _python("-u", str(Path(__file__).resolve().parents[2] / "manage.py"), "seed_demo"))


def services(options: Options) -> list[Service]:
    """SIGTERM to a Celery worker would wait for ever; as SIGQUIT it gives tasks ten seconds (workers/app.py)."""
    soon = {"REMAP_SIGTERM": "SIGQUIT", "PYTHONWARNINGS": "ignore:You're running the worker with superuser"}
    made: list[Service] = []
    if "web" in options.roles:
        made.append(Service("web", web_command(options), wave=WAVE_IN, patience=10))
    if "beat" in options.roles:
        made.append(Service("beat", _beat(options), nice=5, wave=WAVE_IN, patience=5))
    if "default" in options.roles:
        # an import or an export must not take the processor from the page somebody waits for
        made.append(Service("default", _default_worker(), env=soon, nice=5, wave=WAVE_WORK))
    if "gpu" in options.roles:
        for number in gpu.gpus() or [""]:
            chosen = ["--gpu", number] if number else []
            command = _python("-m", "workers.gpu", *chosen)
            made.append(Service(f"gpu{number}", command, env=soon, nice=5, wave=WAVE_WORK))
    if "serve" in options.roles:
        # asked by the web, so it ends after it
        made.append(Service("serve", _serve(options), env={wire.KEY: wire.key(options.secret)}, wave=WAVE_WORK))
    return made


def _serve(options: Options) -> list[str]:
    return _python(
        *("-m", "workers.serve", "--host", options.serve_host, "--port", str(options.serve_port)),
        *("--home", str(options.home), "--device", options.device),
    )


def web_command(options: Options) -> list[str]:
    """Granian rather than gunicorn (gthread), both 2 × 4 threads, on the home page, 8 connections, 2 busy cores:
    75, 68, 21 answers a second against 38, 52, 20 in three rounds in turn; 400 MB pass either way in 30 MB of memory.
    """
    return _python(
        *("-m", "granian", "--interface", "wsgi", "apps.config.wsgi:application"),
        *("--host", options.host, "--port", str(options.port), "--workers", str(options.workers)),
        # a thread keeps its database connection: the longest idle time saves reconnecting
        *("--blocking-threads", "4", "--blocking-threads-idle-timeout", "600", "--http", "1", "--no-ws"),
        *("--log-level", "warning", "--workers-kill-timeout", "8"),
    )


def _default_worker() -> list[str]:
    return _celery(
        "worker -Q default -n default@%h --pool prefork --concurrency 2 --max-tasks-per-child 1000"
        " --without-gossip --without-mingle --loglevel WARNING"
    )


def _beat(options: Options) -> list[str]:
    schedule = str(options.home / "run" / "beat-schedule")
    return [*_celery("beat --enable-remote-control -n beat@%h --loglevel WARNING --pidfile= --schedule"), schedule]


def _celery(rest: str) -> list[str]:
    return _python("-m", "celery", "-q", "-A", "workers.app", *rest.split())


def free_or_refuse(host: str, port: int) -> int:
    if port == 0:
        return free_port()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Refused(f"{host}:{port} cannot be used ({error.strerror}). Choose another with --port.") from error
    return port


def address(options: Options) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(options.host, options.host)  # noqa: S104 - compared, not bound
    return f"http://{host}:{options.port}"


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not reach our own address


def answers(url: str) -> bool:
    try:
        with _DIRECT.open(url + health.PATH, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def run(options: Options, when_up: Callable[[Tree, str], None] = lambda tree, url: None) -> int:
    """Until a signal comes. Answers the exit status."""
    os.umask(0o077)  # what people upload and what it is trained into is nobody else's on this machine
    home = Home(options.home)
    lock = home.lock(_lock_name(options))
    if "web" in options.roles:
        options = replace(options, port=free_or_refuse(options.host, options.port))
    if options.make_key and home.make_secret_key():
        say("up", f"made a secret key for this installation: {options.home / 'secret-key'}")
    options = _with_serving(options, home)
    servers: list[Server] = []
    if options.embed_database:
        servers.append(Postgres(options.home))
    if options.embed_broker:
        servers.append(Valkey(options.home))
    tree = Tree(servers, services(options))
    tree.listen_to_signals()
    try:
        return _run(options, home, tree, when_up)
    finally:
        say("up", "stopping")
        tree.stop()
        if options.whole:
            home.forget(*NOTES)
        say("up", "stopped")
        os.close(lock)


def _with_serving(options: Options, home: Home) -> Options:
    """The inference process keeps its port for as long as the tree stands, whatever happens to it."""
    options = replace(options, secret=options.secret or home.secret_key())
    if "serve" not in options.roles:
        return options
    if options.whole:
        return replace(options, serve_port=free_port())
    return replace(options, serve_host=options.host, serve_port=free_or_refuse(options.host, options.port))


def _lock_name(options: Options) -> str:
    """The data folder may be shared by machines; each may run a part, but beat runs once in all."""
    if options.whole:
        return "up"
    part = options.roles[0]
    return part if part == "beat" else f"{part}@{socket.gethostname()}"


def _run(options: Options, home: Home, tree: Tree, when_up: Callable[[Tree, str], None]) -> int:
    if options.whole:
        home.forget(*NOTES)  # of a tree that was killed
        home.note("pid", str(os.getpid()))
        if "serve" in options.roles:
            home.note("serve.url", f"http://{options.serve_host}:{options.serve_port}")
    tree.start_servers()
    for server in tree.servers:
        home.note("database.url" if isinstance(server, Postgres) else "broker.url", server.url)
    if "web" in options.roles and tree.run_once(prepare(options)) != 0:
        return 0 if tree.stopping else 1
    tree.start_services()
    if "web" in options.roles:
        url = address(options)
        tree.watch(until=lambda: answers(url))
        if not tree.stopping:
            if options.whole:
                home.note("web.url", url)
            took = time.time() - psutil.Process().create_time()
            say("up", f"Marginalia is at {url} (started in {took:.1f} s). Ctrl-C stops it.")
            when_up(tree, url)
    tree.watch()
    return 0
