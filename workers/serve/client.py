"""How others talk to the inference process. Standard library only: the web process holds this, and never torch."""

import http.client
import json
import threading
import weakref
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from workers.serve.wire import Name, Rows

CONNECT = 2.0  # seconds
ANSWER = 90.0  # a batch of 500 long texts on two slow cores


class Down(Exception):
    """Nobody answers at the address, or what answers is not ours."""


class Busy(Exception):
    """It has more in hand than it can do soon."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"busy for {retry_after} s")
        self.retry_after = retry_after


class Refused(Exception):
    """It understood and cannot: a version that cannot be opened, an encoder that is not there. Says why."""


class Client:
    """Each thread keeps a connection of its own."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Down("There is no address of the inference process.")
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._mine = threading.local()
        self._kept: weakref.WeakSet[http.client.HTTPConnection] = weakref.WeakSet()  # a thread's goes with its thread

    def close(self) -> None:
        """Ends the connections of all threads; the next question opens a new one."""
        for connection in list(self._kept):
            connection.close()

    def predict(self, models: Sequence[Name], texts: Sequence[str], *, timeout: float = ANSWER) -> Rows:
        """By the first of the versions that is loaded; `told["model"]` is its place in `models`.

        Probabilities as rows (n, k), spans in `told["spans"]`. Raises Down, Busy or Refused.
        """
        return self._rows("/predict", {"models": list(models), "texts": list(texts)}, timeout)

    def embed(self, encoder: str, texts: Sequence[str], *, runtime: str = "auto", timeout: float = ANSWER) -> Rows:
        """Unit rows (n, d); `told["digest"]` is the encoder's. Raises Down, Busy or Refused."""
        return self._rows("/embed", {"encoder": encoder, "runtime": runtime, "texts": list(texts)}, timeout)

    def warm(self, models: Sequence[Name]) -> None:
        """Let these be loaded in the background, the first one last to be given up."""
        self._ask("POST", "/warm", {"models": list(models)}, CONNECT)

    def health(self) -> dict[str, Any]:
        """{"device", "loaded": [[folder, digest] …], "loading", "failed", "waiting", "requests", "batches", …}"""
        found: dict[str, Any] = json.loads(self._ask("GET", "/health", None, CONNECT))
        return found

    def _rows(self, path: str, body: dict[str, Any], timeout: float) -> Rows:
        try:
            return Rows.unpack(self._ask("POST", path, body, timeout))
        except (ValueError, KeyError) as error:
            raise Down("What answers at the address is not the inference process.") from error

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, timeout: float) -> bytes:
        sent = json.dumps(body, ensure_ascii=False).encode() if body is not None else None
        # a kept connection may have been closed by a process that ended since; asking twice does no harm
        for kept in (True, False):
            connection = self._connection(kept=kept)
            again = kept and connection.sock is not None
            try:
                if connection.sock is None:
                    connection.timeout = CONNECT
                    connection.connect()
                connection.sock.settimeout(timeout)
                connection.request(method, self._path + path, sent, self._headers)
                response = connection.getresponse()
                return self._checked(response, response.read())
            except (ConnectionError, http.client.HTTPException, OSError) as error:
                self._forget()
                if not again or isinstance(error, TimeoutError):
                    raise Down(str(error) or type(error).__name__) from error
        raise Down("")

    @staticmethod
    def _checked(response: http.client.HTTPResponse, body: bytes) -> bytes:
        if response.status == 200:
            return body
        if response.status == 503:
            raise Busy(int(response.headers.get("Retry-After") or 1))
        if response.status == 409:
            raise Refused(str(json.loads(body)["detail"]))
        raise Down(f"The inference process answers {response.status}.")

    def _connection(self, *, kept: bool) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if found is None or not kept:
            found = self._kind(self._host, self._port, timeout=CONNECT)
            self._mine.connection = found
            self._kept.add(found)
        return found

    def _forget(self) -> None:
        found: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if found is not None:
            found.close()
        self._mine.connection = None
