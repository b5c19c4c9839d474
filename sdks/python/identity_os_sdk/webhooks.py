"""Events at the receiver: `verify` checks the signature of a delivery and returns its event.

    event = verify(request.body, request.headers, os.environ["WEBHOOK_SECRET"])
    if event["type"] == "agent.paused":
        ...

Signatures are Standard Webhooks: HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`. Any library for it verifies them,
too.
"""

import hmac
import json
import time
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from typing import Any

from identity_os_sdk.errors import ConfigurationError, SignatureError

#: Seconds that a delivery's time may be away from now: a recorded one is not taken again later.
TOLERANCE = 300


def verify(
    body: bytes | str, headers: Mapping[str, str], secret: str | Iterable[str], tolerance: float = TOLERANCE
) -> dict[str, Any]:
    """The event of a delivery: id, type, timestamp, data. SignatureError when it is not from Identity OS, changed or old.

    `body`: as received, not parsed. `secret`: whsec_..., or several while one is rotated. Remember the header webhook-id: the
    same event may come twice.
    """
    secrets = [secret] if isinstance(secret, str) else list(secret)
    keys = [_key(each) for each in secrets]
    if not keys:
        raise ConfigurationError("no secret to verify with")
    found = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, stamp, signatures = (found[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        sent = int(stamp)
    except (KeyError, ValueError):
        raise SignatureError("no headers webhook-id, webhook-timestamp and webhook-signature") from None
    if abs(time.time() - sent) > tolerance:
        raise SignatureError(f"sent more than {tolerance:g} seconds ago, or in the future")
    content = body.encode() if isinstance(body, str) else bytes(body)
    signed = f"{message_id}.{stamp}.".encode() + content
    expected = [hmac.new(key, signed, "sha256").digest() for key in keys]
    given = [_decoded(each.partition(",")[2]) for each in signatures.split(" ") if each.startswith("v1,")]
    # Every pair is compared, so that the time says nothing.
    matches = [hmac.compare_digest(one, other) for one in expected for other in given]
    if not any(matches):
        raise SignatureError("the signature is not of this secret")
    event: dict[str, Any] = json.loads(content)
    return event


def _key(secret: str) -> bytes:
    key = _decoded(secret.removeprefix("whsec_"))
    if not key:
        raise ConfigurationError("the secret is not whsec_ and base64")
    return key


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (NotBase64, ValueError):
        return b""
