"""A process tree in one loop: starts services, prefixes what they say, restarts what fell, stops all in order."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Protocol

from apps.config import children

Say = Callable[[str, str], None]
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
STEADY = 60.0  # a service that ran this long has earned a fresh start of the back-off


def say(name: str, sentence: str) -> None:
    sys.stdout.write(f"{name:>9} | {sentence}\n")
    sys.stdout.flush()


class Server(Protocol):
    """A server that knows by itself how it starts and when it is ready (embedded.py)."""

    name: str
    process: subprocess.Popen[bytes] | None

    @property
    def url(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass
class Service:
    """A command to keep running. Those of an earlier wave are stopped first."""

    name: str
    command: Sequence[str | Path]
    env: Mapping[str, str] = field(default_factory=dict)
    nice: int = 0
    wave: int = 0
    patience: float = 15.0  # seconds between asking it to end and making it
    process: subprocess.Popen[bytes] | None = None
    _out: IO[bytes] | None = None
    _rest: bytes = b""

    def start(self) -> None:
        self.hang_up()
        self.process = children.spawn(
            self.command, env={**os.environ, **self.env}, output=subprocess.PIPE, nice=self.nice
        )
        self._out = self.process.stdout
        if self._out is not None:
            os.set_blocking(self._out.fileno(), False)

    def ask_to_end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def make_end(self) -> None:
        """The whole group: what a killed server or worker forked must not keep its port or its job."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def lines(self) -> Iterator[str]:
        """What it said since the last time, whole lines only."""
        if self._out is None:
            return
        try:
            heard = os.read(self._out.fileno(), 65536)
        except BlockingIOError:
            return
        *whole, self._rest = (self._rest + heard).split(b"\n")
        if not heard:
            whole = [self._rest] if self._rest else []
            self.hang_up()
        for line in whole:
            yield line.decode(errors="replace").rstrip()

    def hang_up(self) -> None:
        if self._out is not None:
            self._out.close()
        self._out, self._rest = None, b""

    def fileno(self) -> int | None:
        return self._out.fileno() if self._out is not None else None


@dataclass
class _Record:
    started: float
    pause: float = FIRST_PAUSE
    due: float | None = None  # when to start it again


class Tree:
    """Servers first and last, services in between. Runs in the main thread and has no other."""

    def __init__(self, servers: Sequence[Server], services: Sequence[Service], *, tell: Say = say) -> None:
        self.servers = list(servers)
        self.services = list(services)
        self.tell = tell
        self.stops = 0
        self._records: dict[str, _Record] = {}
        self._wake, self._waker = os.pipe()
        for end in (self._wake, self._waker):
            os.set_blocking(end, False)

    def listen_to_signals(self) -> None:
        signal.set_wakeup_fd(self._waker)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1

    @property
    def stopping(self) -> bool:
        return self.stops > 0

    def start_servers(self) -> None:
        for server in self.servers:
            server.start()
            self._records[server.name] = _Record(time.monotonic())

    def start_services(self) -> None:
        for service in self.services:
            service.start()
            self._records[service.name] = _Record(time.monotonic())

    def run_once(self, service: Service) -> int:
        """A service that ends by itself, for example preparing the database; answers its exit status."""
        service.start()
        while service.running and not self.stopping:
            self.listen(0.1, [service, *self.services])
            self._mend()
        if self.stopping:
            service.ask_to_end()
        status = service.process.wait() if service.process else 1
        self.listen(0, [service])
        return status

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        while not self.stopping and not until():
            self.listen(0.25, self.services)
            self._mend()

    def listen(self, seconds: float, services: Sequence[Service]) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            for service in services:
                if (heard := service.fileno()) is not None:
                    selector.register(heard, selectors.EVENT_READ, service)
            ready = selector.select(seconds)
        for key, _events in ready:
            if isinstance(key.data, Service):
                for line in key.data.lines():
                    self.tell(key.data.name, line)
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 512)

    def _mend(self) -> None:
        parts: list[Server | Service] = [*self.servers, *self.services]
        for part in parts:
            if part.process is None or part.process.poll() is None:
                continue
            record = self._records[part.name]
            now = time.monotonic()
            if record.due is None:
                if now - record.started > STEADY:
                    record.pause = FIRST_PAUSE
                record.due = now + record.pause
                self.tell(
                    part.name, f"{_how_it_ended(part.process.returncode)}; starting it again in {record.pause:g} s"
                )
                record.pause = min(record.pause * 2, LONGEST_PAUSE)
                if isinstance(part, Service):
                    part.make_end()
            elif now >= record.due:
                record.started, record.due = now, None
                self._start_again(part)

    def _start_again(self, part: Server | Service) -> None:
        try:
            part.start()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from starting, try again later
            self.tell(part.name, f"did not start: {error}")

    def stop(self) -> None:
        """Services wave by wave, each given its patience, then the servers they used. A second signal hurries."""
        first = self.stops
        for wave in sorted({service.wave for service in self.services}):
            members = [service for service in self.services if service.wave == wave and service.process is not None]
            for service in members:
                service.ask_to_end()
            deadline = time.monotonic() + max((service.patience for service in members), default=0)
            while any(service.running for service in members):
                self.listen(0.1, members)
                if time.monotonic() > deadline or self.stops > max(first, 1):
                    break
            for service in members:
                if service.running:
                    self.tell(service.name, "does not end by itself and is killed")
                service.make_end()
                self.listen(0, [service])
                service.hang_up()
        for server in reversed(self.servers):
            server.stop()


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"
