"""One delivery as a request: signed, to the address that was looked up, in 15 seconds, without redirects.

Signatures follow Standard Webhooks: HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`, one for each secret while one
is rotated.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final

from standardwebhooks import Webhook

from identity_service.webhooks import addresses
from identity_service.webhooks.addresses import Refused, Target

#: Seconds for a delivery, the look-up of the name included.
DEADLINE: Final = 15.0
#: Bytes of the answer's body that are kept.
ANSWER_LIMIT: Final = 200
USER_AGENT: Final = "identity-os-webhooks/1.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a delivery. `status`: of HTTP, 0 without an answer. `text`: the start of the answer, or what went wrong."""

    status: int
    milliseconds: int
    text: str

    @property
    def ok(self) -> bool:
        """Whether the receiver took it."""
        return 200 <= self.status < 300


def headers(message_id: str, body: str, secrets: Sequence[str], moment: float) -> dict[str, str]:
    """The headers of a delivery, signed with each of the secrets."""
    # The library takes the time without a zone, and means UTC.
    at = datetime.fromtimestamp(int(moment), UTC).replace(tzinfo=None)
    signatures = [Webhook(secret).sign(message_id, at, body) for secret in secrets]
    return {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment)),
        "webhook-signature": " ".join(signatures),
    }


def post(url: str, body: str, headers: Mapping[str, str], deadline: float = DEADLINE) -> Answer:
    """Send it. Never raises for what the receiver or its network does."""
    begun = time.monotonic()

    def answer(status: int, text: str) -> Answer:
        return Answer(status, int((time.monotonic() - begun) * 1000), text)

    try:
        where = addresses.target(url)
    except Refused as refused:
        return answer(0, f"not sent: {refused}")
    except (OSError, UnicodeError):
        return answer(0, "not sent: the name of the host has no address")
    connection = _Connection(where, max(begun + deadline - time.monotonic(), 0.001))
    # Each read has a timeout, but a receiver that sends a byte now and then would never reach it.
    ending = threading.Timer(deadline, connection.cut)
    ending.start()
    try:
        connection.request("POST", where.path, body.encode(), dict(headers))
        response = connection.getresponse()
        return answer(response.status, response.read(ANSWER_LIMIT).decode(errors="replace"))
    except (OSError, http.client.HTTPException) as error:
        if connection.was_cut or isinstance(error, TimeoutError):
            return answer(0, f"no answer within {deadline:g} seconds")
        return answer(0, f"no answer: {type(error).__name__}")
    finally:
        ending.cancel()
        connection.close()


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Connection(http.client.HTTPConnection):
    """A connection to an address, for a name: SNI, the certificate and the Host header are the name's."""

    def __init__(self, where: Target, timeout: float) -> None:
        super().__init__(where.host, where.port, timeout=timeout)
        self._where = where
        self.default_port = 443 if where.tls else 80
        self.was_cut = False

    def connect(self) -> None:
        self.sock = socket.create_connection((self._where.address, self._where.port), self.timeout)
        if self._where.tls:
            self.sock = _tls().wrap_socket(self.sock, server_hostname=self._where.host)

    def cut(self) -> None:
        """End the connection, from another thread: whoever reads from it gets an error."""
        self.was_cut = True
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)
