"""Idempotency records: what a POST that its caller named has answered, kept for a day.

    <partition> / IDEM#<SHA-256 of the key>   fingerprint of the request, status, answer (compressed), commit, expires (TTL)

The partition is the instance's, or the account's for what creates one. The record is written in the transaction that does the
work, under the condition that there is none: so the work is done once, whoever asks again, and how often. Source: spec/api.md,
"Envelope".
"""

from base64 import b85decode, b85encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from zlib import compress, decompress

from identity_service.store import dynamodb
from identity_service.store.dynamodb import Item

_KEPT: Final = 24 * 3600  # seconds


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """A request under its Idempotency-Key. `fingerprint` tells it from others that came under the same key."""

    pk: str
    key: str
    fingerprint: str
    moment: float

    def item_key(self) -> dict[str, str]:
        """Primary key of the record."""
        return {"PK": self.pk, "SK": f"IDEM#{sha256(self.key.encode()).hexdigest()}"}

    def put(self, status: int, body: bytes, commit: str = "") -> dict[str, Any]:
        """The operation that stores the answer, if there is none yet."""
        record = self.item_key() | {
            "fingerprint": self.fingerprint,
            "status": status,
            "answer": b85encode(compress(body, 1)).decode(),
            "commit": commit,
            "expires": int(self.moment) + _KEPT,
        }
        return dynamodb.put(record, "attribute_not_exists(PK) OR expires <= :now", {":now": int(self.moment)})

    def raise_if_answered(self, record: Item | None) -> None:
        """Replayed when `record`, what is stored under the key, still counts."""
        if record is not None and record["expires"] > self.moment:
            raise Replayed(self, record)

    def look(self) -> None:
        """Replayed when the request, or another under the same key, was answered before."""
        self.raise_if_answered(dynamodb.get(self.item_key()))

    def keep(self, status: int, body: bytes) -> None:
        """Store the answer to a request that changes nothing. Replayed when a twin was first."""
        try:
            dynamodb.write(self.put(status, body))
        except dynamodb.Conflict as conflict:
            self.raise_if_answered(conflict.items[0])
            raise


class Replayed(Exception):
    """There is an answer under this key already. `same` says whether it was to the same request."""

    def __init__(self, idempotency: IdempotencyRecord, record: Item) -> None:
        super().__init__("replayed")
        self.same = idempotency.fingerprint == record["fingerprint"]
        self.status: int = record["status"]
        self.body = decompress(b85decode(record["answer"]))
