"""Which URLs a webhook may have, and which addresses are connected to: none that is inside.

A URL is https on port 443. Its host is looked up by us, once, and the connection goes to the address that was found, so that no
second look-up can answer otherwise. One address that is not public refuses them all: a name with a public and a private address
is an attack or a mistake. Only a local server accepts http://localhost. Source: docs/events.md, "No way in".
"""

import ipaddress
import os
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

#: Longest URL in characters.
URL_LIMIT: Final = 500
_LOCALHOST: Final = ("localhost", "127.0.0.1")
#: Ranges that lead inside or elsewhere, whatever this Python's `is_global` says of them.
_REFUSED: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",  # carrier-grade NAT
        "168.63.129.16/32",  # Azure's host
        "192.0.0.0/24",  # protocol assignments, Oracle's metadata among them
        "192.88.99.0/24",  # 6to4 relays
        "::/96",  # an IPv4 address, in a form that is no longer used
        "::ffff:0:0/96",  # an IPv4 address, mapped
        "::ffff:0:0:0/96",  # an IPv4 address, translated
        "64:ff9b::/96",  # an IPv4 address behind NAT64
        "64:ff9b:1::/48",  # the same, local
        "2001::/23",  # protocol assignments, Teredo's tunnels among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # an IPv4 address behind 6to4
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
    )
)


class Refused(Exception):
    """The URL or its address is not one that events are sent to; the message says why, in words for the webhook's owner."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the address to connect to, and the name that the certificate must have."""

    address: str
    port: int
    host: str
    path: str
    tls: bool


def check(url: str) -> None:
    """Refused when no webhook may have this URL. Looks nothing up."""
    _parts(url)


def target(url: str) -> Target:
    """Look the host up, once. Refused; OSError when the name has no address."""
    host, port, path, tls = _parts(url)
    found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    if tls:
        for address in sorted(found):
            if not is_public(address):
                raise Refused(f"{host} has the address {address}, which is not public")
    # IPv4 first: Lambda has no way out over IPv6 without a VPC.
    return Target(min(found, key=lambda address: (":" in address, address)), port, host, path, tls)


def is_public(address: str) -> bool:
    """Whether an address is in the internet, for everybody the same."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if getattr(ip, "scope_id", None) or any(ip.version == network.version and ip in network for network in _REFUSED):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_link_local)


def localhost_allowed() -> bool:
    """Whether this is a local server, which may send to its own machine."""
    return os.environ.get("IDENTITY_OS_WEBHOOKS_LOCALHOST", "") == "true"


def _parts(url: str) -> tuple[str, int, str, bool]:
    """Host, port, path with query, and whether it is https. Refused."""
    if len(url) > URL_LIMIT or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise Refused(f"use a URL of at most {URL_LIMIT} printable ASCII characters without spaces")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Refused("this is not a URL") from None
    if parts.username is not None or parts.password is not None:
        raise Refused("leave user and password out: events are signed")
    if "#" in url:
        raise Refused("leave out the part from # on: it is never sent")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme == "http" and host in _LOCALHOST and localhost_allowed():
        return host, port or 80, path, False
    if parts.scheme != "https" or port not in (None, 443) or not host:
        local = " (a local server also takes http://localhost)" if localhost_allowed() else ""
        raise Refused(f"use an https URL on port 443{local}")
    try:
        literal = str(ipaddress.ip_address(host))
    except ValueError:
        literal = ""
    if literal and not is_public(literal):
        raise Refused(f"the address {host} is not public")
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        raise Refused(f"the name {host} is not public")
    return host, 443, path, True
