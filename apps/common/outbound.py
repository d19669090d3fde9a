"""The one way out: a POST to an address that a person typed. Nothing else in apps/ opens a connection to a stranger.

Server-side request forgery is stopped here: only http and https, only public addresses (or those that OUTBOUND_ALLOW
names), no redirects, and the connection goes to the very address that was checked, so that a second look-up of the
name cannot lead elsewhere (DNS rebinding). What the other side answers is never read beyond its status.
"""

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

CONNECT_SECONDS, TOTAL_SECONDS = 5.0, 10.0
MOST_BYTES = 256 * 1024
_PORTS = {"http": 80, "https": 443}
_NUMBERS = re.compile(r"(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+))*\.?", re.IGNORECASE)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """The address is not one to send anything to; the text says why, to the person who typed it."""


class Unreachable(Exception):
    """Nobody answered; the text is ours and holds nothing of the other side."""


@dataclass(frozen=True, slots=True)
class Target:
    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    milliseconds: int


def target(url: str) -> Target:
    """What the address says, before any look-up. Refused when it is no plain http or https address."""
    if re.search(r"[\x00-\x20\x7f\\]", url) or not url.isascii():
        raise Refused(_("An address holds no spaces, control signs or signs beyond ASCII."))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(_("This is not an address like https://host.example.org/path.")) from error
    if parts.scheme not in _PORTS:
        raise Refused(_("The address must begin with https:// or http://."))
    if not parts.hostname or port == 0:
        raise Refused(_("This is not an address like https://host.example.org/path."))
    if parts.username is not None or parts.password is not None:
        raise Refused(_("Leave name and password out of the address; check the signature instead."))
    host = parts.hostname.rstrip(".").lower()
    if _NUMBERS.fullmatch(host) and not _is_canonical(host):
        raise Refused(_("Write the host by its name."))  # 2130706433, 0x7f.1 and 017700000001 all mean 127.0.0.1
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], path)


def _is_canonical(host: str) -> bool:
    try:
        return str(ipaddress.ip_address(host)) == host
    except ValueError:
        return False


def resolve(goal: Target) -> list[str]:
    """The addresses of the host, every one of them checked: one that is not public refuses all."""
    try:
        found = socket.getaddrinfo(goal.host, goal.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(_("The name of the host is not known.")) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not _allowed(goal.host, ipaddress.ip_address(address.partition("%")[0])):
            raise Refused(
                _("The host is not on the public internet. An operator can allow it in the setting OUTBOUND_ALLOW.")
            )
    return addresses


def check(url: str) -> Target:
    """For forms: the address as it is now. It is checked again whenever something is sent."""
    goal = target(url)
    resolve(goal)
    return goal


def _allowed(host: str, address: Address) -> bool:
    for entry in settings.OUTBOUND_ALLOW:
        if entry.lower().rstrip(".") == host:
            return True
        try:
            if address in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return is_public(address)


_CARRIERS = tuple(  # of an IPv4 address inside: a gateway would lead there, whatever it is
    ipaddress.IPv6Network(net) for net in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
)


def is_public(address: Address) -> bool:
    """A unicast address of the public internet, and no wrapping of another one."""
    if address.is_multicast or address.is_reserved or address.is_link_local or not address.is_global:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return not (address.is_site_local or any(address in net for net in _CARRIERS))
    return True


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket to an address that was checked; Host and SNI keep the name."""

    def __init__(self, goal: Target, addresses: list[str]) -> None:
        super().__init__(goal.host, goal.port)
        self.default_port = _PORTS[goal.scheme]
        self.goal, self.addresses = goal, addresses

    def connect(self) -> None:
        plain = _socket(self.addresses, self.goal.port)
        plain.settimeout(TOTAL_SECONDS)
        if self.goal.scheme == "http":
            self.sock = plain
            return
        try:
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.goal.host)
        except BaseException:
            plain.close()
            raise


def _socket(addresses: list[str], port: int) -> socket.socket:
    last: OSError = OSError()
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=CONNECT_SECONDS)
        except OSError as error:
            last = error
    raise last


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Sends once. Any status is an answer, a redirect too: nobody follows it."""
    if len(body) > MOST_BYTES:
        raise Refused(_("The message is too large to send."))
    goal = target(url)
    connection = _Connection(goal, resolve(goal))
    began = time.monotonic()
    try:
        connection.connect()
        return _ask(connection, body, headers, began)
    except ssl.SSLError as error:
        raise Unreachable(_("The connection is not secure: its certificate or protocol was not accepted.")) from error
    except TimeoutError as error:
        raise Unreachable(_("Nobody answered in time.")) from error
    except (OSError, http.client.HTTPException) as error:
        late = time.monotonic() - began >= TOTAL_SECONDS
        sentence = _("Nobody answered in time.") if late else _("The connection was refused or broke off.")
        raise Unreachable(sentence) from error
    finally:
        connection.close()


def _ask(connection: _Connection, body: bytes, headers: Mapping[str, str], began: float) -> Answer:
    # a timeout of the socket begins anew with every byte; this one does not
    watch = threading.Timer(TOTAL_SECONDS, _cut, [connection.sock])
    watch.start()
    try:
        connection.request("POST", connection.goal.path, body=body, headers=dict(headers))
        status = connection.getresponse().status
    finally:
        watch.cancel()
    return Answer(status, round(1000 * (time.monotonic() - began)))


def _cut(line: socket.socket) -> None:
    try:
        socket.socket.shutdown(line, socket.SHUT_RDWR)
    except OSError:
        return  # closed already
