"""What an address that a person typed can make this server do: nothing but one POST to a public host."""

import http.server
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.common import outbound

NOT_AN_ADDRESS = [
    *("file:///etc/passwd", "gopher://example.org/", "ftp://example.org/", "//example.org", "example.org", "https://"),
    *("http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/", "http://0x7f.0.0.1/"),
    *("http://user:secret@example.org/", "http://example.org:99999/", "http://exa mple.org/", "http://[::1/"),
    *("http://example.org\\@127.0.0.1/", "http://example.org/\r\nHost: a", "http://ｅxample.org/"),
]
PRIVATE = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1"),
    *("192.0.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"),
    *(
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::127.0.0.1",
    ),
]


@pytest.mark.parametrize("url", NOT_AN_ADDRESS)
def test_what_is_no_plain_web_address_is_refused_before_any_look_up(url: str) -> None:
    with pytest.raises(outbound.Refused):
        outbound.target(url)


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_of_ones_own_network_are_refused(address: str) -> None:
    assert not outbound.is_public(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(outbound.Refused):
        outbound.check(f"http://{host}/")


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert outbound.is_public(ipaddress.ip_address(address))


def test_localhost_by_name_is_refused_too() -> None:
    with pytest.raises(outbound.Refused, match="OUTBOUND_ALLOW"):
        outbound.check("http://localhost/")


Names = dict[str, list[list[str]]]  # what the resolver says the first time, the second …


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[[Names], None]:
    def use(names: Names) -> None:
        real = socket.getaddrinfo

        def answer(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
            if host not in names:
                return real(host, port, *rest, **more)
            said = names[host].pop(0) if len(names[host]) > 1 else names[host][0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in said]

        monkeypatch.setattr(socket, "getaddrinfo", answer)

    return use


def test_one_private_address_among_public_ones_refuses_the_host(resolver: Callable[[Names], None]) -> None:
    resolver({"host.example.org": [["8.8.8.8", "10.0.0.1"]]})
    with pytest.raises(outbound.Refused):
        outbound.check("https://host.example.org/")


class Receiver(http.server.BaseHTTPRequestHandler):
    seen: list[tuple[str, str, bytes]]
    status = 200
    location = ""
    drip = 0.0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers["Host"], body))
        if self.drip:
            for letter in b"HTTP/1.0 200 OK\r\n" * 100:
                self.wfile.write(bytes([letter]))
                self.wfile.flush()
                time.sleep(self.drip)
            return
        self.send_response(self.status)
        if self.location:
            self.send_header("Location", self.location)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[tuple[type[Receiver], int]]:
    kind = type("One", (Receiver,), {"seen": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield kind, server.server_address[1]
    server.shutdown()
    server.server_close()


def test_the_connection_goes_to_the_address_that_was_checked(
    resolver: Callable[[Names], None], receiver: tuple[type[Receiver], int], settings: Any
) -> None:
    kind, port = receiver
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    resolver({"host.example.org": [["127.0.0.1"], ["10.9.9.9"]]})  # a second look-up would lead elsewhere
    answer = outbound.post(f"http://host.example.org:{port}/in?x=1", b"{}", {"Content-Type": "application/json"})
    assert answer.status == 200
    assert kind.seen == [("/in?x=1", f"host.example.org:{port}", b"{}")]


def test_a_name_that_turns_private_after_it_was_saved_is_refused(
    resolver: Callable[[Names], None], receiver: tuple[type[Receiver], int]
) -> None:
    kind, port = receiver
    resolver({"host.example.org": [["8.8.8.8"], ["127.0.0.1"]]})
    outbound.check(f"http://host.example.org:{port}/")
    with pytest.raises(outbound.Refused):
        outbound.post(f"http://host.example.org:{port}/", b"{}", {})
    assert kind.seen == []


@pytest.mark.parametrize("allow", ["127.0.0.0/8", "localhost"])
def test_an_operator_can_allow_a_network_or_a_host(
    allow: str, receiver: tuple[type[Receiver], int], settings: Any
) -> None:
    settings.OUTBOUND_ALLOW = ["not an address", allow]
    host = "localhost" if allow == "localhost" else "127.0.0.1"
    assert outbound.post(f"http://{host}:{receiver[1]}/", b"", {}).status == 200


def test_a_redirect_is_an_answer_and_not_followed(receiver: tuple[type[Receiver], int], settings: Any) -> None:
    kind, port = receiver
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    kind.status, kind.location = 302, f"http://127.0.0.1:{port}/elsewhere"
    assert outbound.post(f"http://127.0.0.1:{port}/", b"", {}).status == 302
    assert [path for path, _host, _body in kind.seen] == ["/"]


def test_an_answer_by_drops_is_cut_off(
    receiver: tuple[type[Receiver], int], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, port = receiver
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    kind.drip = 0.05
    monkeypatch.setattr(outbound, "TOTAL_SECONDS", 0.4)
    began = time.monotonic()
    with pytest.raises(outbound.Unreachable, match="in time"):
        outbound.post(f"http://127.0.0.1:{port}/", b"", {})
    assert time.monotonic() - began < 30, "the whole answer takes 85 seconds"


def test_errors_say_nothing_of_the_other_side(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def shout() -> None:
            line, _from = server.accept()
            line.recv(10_000)
            line.sendall(b"root:x:0:0 secret banner\r\n\r\n")
            line.close()

        threading.Thread(target=shout, daemon=True).start()
        with pytest.raises(outbound.Unreachable) as caught:
            outbound.post(f"http://127.0.0.1:{port}/", b"", {})
    assert "secret" not in str(caught.value)


def test_too_large_a_message_is_refused() -> None:
    with pytest.raises(outbound.Refused):
        outbound.post("https://example.org/", b"x" * (outbound.MOST_BYTES + 1), {})
