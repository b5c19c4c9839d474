"""What an event becomes on its way: the payload that a receiver gets, the webhook-id, the message in the queue. Pure."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from identity_engine import canonical
from identity_service.events import event_id
from identity_service.store.dynamodb import Item


@dataclass(frozen=True, slots=True)
class Told:
    """An event with everything that a receiver gets."""

    id: str
    type: str
    at: str
    account_id: str
    data: dict[str, Any]

    def payload(self) -> str:
        """The body of a delivery."""
        return canonical({"id": self.id, "type": self.type, "timestamp": self.at, "data": self.data})


def told_by(image: Item) -> list[Told]:
    """The events of a stored record, or of an item of the outbox."""
    stored = json.loads(image["events"])
    pk, at = image["PK"], image["at"]
    account_id = pk.split("#")[1]
    common: dict[str, Any] = {"account_id": account_id}
    if "actor" in image:
        common["actor"] = image["actor"]
    if "#INST#" in pk:
        agent = stored["agent"]
        common |= {"instance_id": pk.rpartition("#")[2], "name": agent.pop("name"), "record": image["record"], "now": agent}
    found = []
    for event in stored["events"]:
        kind = event.pop("type")
        # An item of the outbox has one event, and is named by it.
        identity = event_id(pk, str(image["record"]), kind) if "record" in image else image["SK"].partition("#")[2]
        found.append(Told(identity, kind, at, account_id, common | event))
    return found


def webhook_id(identity: str, hook_id: str) -> str:
    """The header webhook-id: the same on every retry, so that a receiver can tell that it had an event before."""
    return sha256(f"{identity}.{hook_id}".encode()).hexdigest()


def message(told: Told, hook_id: str) -> dict[str, str]:
    """What lies in the queue for one webhook."""
    return {
        "account": told.account_id,
        "hook": hook_id,
        "id": webhook_id(told.id, hook_id),
        "at": told.at,
        "type": told.type,
        "payload": told.payload(),
    }
