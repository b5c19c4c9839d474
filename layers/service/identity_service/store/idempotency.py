"""Idempotency records: the stored responses of POST requests with an Idempotency-Key, kept for a day.

    <partition> / IDEM#<SHA-256 of the key>   request fingerprint, status, answer (the body, packed), digest
                                              (of the audit record), commit, expires (TTL)

The partition is the instance's, or the account's for requests that create an instance. The record is written in the same
transaction as the request's change, conditional on there being no record yet: so a retried request is executed once. Source:
docs/api.md, "Envelope".
"""

from base64 import b85decode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from zlib import decompress

from identity_service.store import dynamodb
from identity_service.store.dynamodb import Item
from identity_service.store.packing import RESPONSE, pack, unpack

_LIFETIME: Final = 24 * 3600  # seconds


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """A request with an Idempotency-Key. `fingerprint` identifies the request, to detect a reused key."""

    pk: str
    key: str
    fingerprint: str
    moment: float

    def item_key(self) -> dict[str, str]:
        """Primary key of the record."""
        return {"PK": self.pk, "SK": f"IDEM#{sha256(self.key.encode()).hexdigest()}"}

    def put(self, status: int, body: bytes, commit: str = "", digest: str | None = None) -> dict[str, Any]:
        """The operation that stores the response, conditional on there being none yet."""
        record = self.item_key() | {
            "fingerprint": self.fingerprint,
            "status": status,
            "answer": pack(body.decode(), RESPONSE),
            "digest": digest,
            "commit": commit,
            "expires": int(self.moment) + _LIFETIME,
        }
        return dynamodb.put(record, "attribute_not_exists(PK) OR expires <= :now", {":now": int(self.moment)})

    def raise_if_replayed(self, record: Item | None) -> None:
        """Raise Replayed when `record`, the stored record of the key, exists and has not expired."""
        if record is not None and record["expires"] > self.moment:
            raise Replayed(self, record)

    def check(self) -> None:
        """Raise Replayed when there is a stored response for the key."""
        self.raise_if_replayed(dynamodb.get(self.item_key()))

    def store(self, status: int, body: bytes) -> None:
        """Store the response to a request that changes nothing. Replayed when another request with the key was first."""
        try:
            dynamodb.write(self.put(status, body))
        except dynamodb.Conflict as conflict:
            self.raise_if_replayed(conflict.items[0])
            raise


class Replayed(Exception):
    """The key has a stored response already. `same` tells whether it belongs to the same request."""

    def __init__(self, idempotency: IdempotencyRecord, record: Item) -> None:
        super().__init__("replayed")
        self.same = idempotency.fingerprint == record["fingerprint"]
        self.status: int = record["status"]
        #: Digest of the audit record that the request left, None when it left none.
        self.digest: str | None = record.get("digest")
        self.body = _body(record["answer"])


def _body(answer: bytes | str) -> bytes:
    # Before there were dictionaries a body was compressed by itself and stored as text.
    return unpack(answer).encode() if isinstance(answer, bytes) else decompress(b85decode(answer))
