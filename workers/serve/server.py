"""A small HTTP/1.1 server for our own clients: keep-alive, bodies with a length, one answer after the other."""

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.serve.wire import MOST_BYTES, TYPE

log = logging.getLogger(__name__)
MOST_HEAD = 16 * 1024
IDLE = 300.0  # seconds until a connection on which nobody asks is closed


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    type: str = "application/json"
    retry_after: int = 0

    @classmethod
    def of(cls, told: dict[str, Any], status: int = 200, *, retry_after: int = 0) -> "Answer":
        return cls(status, json.dumps(told, ensure_ascii=False).encode(), retry_after=retry_after)

    @classmethod
    def rows(cls, packed: bytes) -> "Answer":
        return cls(200, packed, TYPE)


Handle = Callable[[dict[str, Any]], Awaitable[Answer]]
_WORDS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 409: "Conflict", 413: "Too Large"}


@dataclass
class Server:
    """`routes` maps "POST /predict" to what answers; every request shows the key."""

    key: str
    routes: Mapping[str, Handle]
    _busy: int = 0
    _ending: bool = False
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _quiet: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, host, port, limit=MOST_HEAD, backlog=512)

    async def end(self, patience: float) -> None:
        """Take nothing new, finish what was asked, hang up."""
        self._ending = True
        if self._server is not None:
            self._server.close()
        try:
            async with asyncio.timeout(patience):
                while self._busy:
                    self._quiet.clear()
                    await self._quiet.wait()
        except TimeoutError:
            log.warning("%d requests were not finished in time", self._busy)
        for writer in list(self._open):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while not self._ending and await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass  # the other side has gone, or never spoke
        except asyncio.LimitOverrunError:
            log.warning("a request's head is too long")
        finally:
            self._open.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer. Whether the connection stays."""
        async with asyncio.timeout(IDLE):
            head = await reader.readuntil(b"\r\n\r\n")
        self._busy += 1
        try:
            request, *lines = head.decode("latin-1").split("\r\n")
            method, path = (*request.split(" "), "", "")[:2]
            headers = {name.strip().lower(): value.strip() for name, _c, value in (one.partition(":") for one in lines)}
            length = headers.get("content-length", "0")
            if not length.isdecimal() or int(length) > MOST_BYTES:
                self._write(writer, Answer.of({"detail": "The request is too large."}, 413), stay=False)
                return False
            async with asyncio.timeout(IDLE):
                body = await reader.readexactly(int(length))
            answer = await self._answered(f"{method} {path}", headers.get("authorization", ""), body)
            stay = not self._ending and headers.get("connection", "").lower() != "close"
            self._write(writer, answer, stay=stay)
            await writer.drain()
            return stay
        finally:
            self._busy -= 1
            self._quiet.set()

    async def _answered(self, route: str, shown: str, body: bytes) -> Answer:
        if not hmac.compare_digest(shown.encode(), f"Bearer {self.key}".encode()):
            return Answer.of({"detail": "The key does not fit: both sides need the same SECRET_KEY."}, 401)
        handle = self.routes.get(route)
        if handle is None:
            return Answer.of({"detail": "There is no such address."}, 404)
        try:
            return await handle(json.loads(body) if body else {})
        except (ValueError, KeyError, TypeError) as error:
            return Answer.of({"detail": f"The request cannot be read ({type(error).__name__})."}, 400)
        except Exception:
            log.exception("a request failed")
            return Answer.of({"detail": "Something unexpected happened."}, 500)

    @staticmethod
    def _write(writer: asyncio.StreamWriter, answer: Answer, *, stay: bool) -> None:
        lines = [
            f"HTTP/1.1 {answer.status} {_WORDS.get(answer.status, 'Refused')}",
            f"Content-Type: {answer.type}",
            f"Content-Length: {len(answer.body)}",
            f"Connection: {'keep-alive' if stay else 'close'}",
        ]
        if answer.retry_after:
            lines.append(f"Retry-After: {answer.retry_after}")
        writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
