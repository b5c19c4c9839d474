"""Events on this machine: the fan-out reads the table's stream beside the purge, the delivery takes from an in-process queue.

What was not delivered when a server stopped is found again in the table when the next one starts: records and items of the
outbox that have events, and deliveries that wait for another attempt. What was delivered is not sent again: its item says so.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from functions.deliver.app import handler as deliver
from functions.fanout.app import handler as fan_out
from identity_service.clock import iso, now
from identity_service.log import logger
from identity_service.store import dynamodb, outbox, webhooks
from identity_service.webhooks import queue
from local.background import working
from local.queue import Queue

_POLL_INTERVAL: Final = 0.5  # seconds
#: Attributes from which a message is made again.
_SENT: Final = ("id", "type", "payload", "at", "again", "status")


def prepare(folder: Path) -> Queue:
    """Set what the functions need on this machine: a file for the key of secrets, http://localhost allowed, a queue."""
    os.environ.setdefault("IDENTITY_OS_SECRET_FILE", str(folder / "secret"))
    os.environ["IDENTITY_OS_WEBHOOKS_LOCALHOST"] = "true"
    waiting = Queue()
    queue.use(waiting)
    return waiting


@contextmanager
def delivering(waiting: Queue) -> Iterator[None]:
    """Run the delivery in a thread while the block runs."""

    def work(stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                if not deliver_due(waiting):
                    waiting.wait(_POLL_INTERVAL)
            except Exception:  # the messages are received again
                logger().exception("delivery interrupted")
                stopping.wait(_POLL_INTERVAL)

    with working("delivery", work):
        yield


def deliver_due(waiting: Queue) -> int:
    """Give the delivery the messages that are due, as Lambda's event source does. Returns how many there were."""
    records = waiting.receive()
    if records:
        failed = {failure["itemIdentifier"] for failure in deliver({"Records": records}, None)["batchItemFailures"]}
        waiting.delete([record["messageId"] for record in records if record["messageId"] not in failed])
    return len(records)


def find_unfinished() -> None:
    """Tell again what a stopped server may not have told, and queue the deliveries that wait. Reads the whole table."""
    records: list[dict[str, Any]] = []
    oldest = iso(now() - outbox.DAYS * 86_400)
    for key in dynamodb.scan(("PK", "SK", "at", "events", "status")):
        if key.get("at", "") < oldest:
            continue
        if key["SK"].startswith("SENT#") and key.get("status") == webhooks.PENDING:
            _queue_again(key)
        elif "events" in key and key["SK"].startswith(("OBS#", "EVENT#", "OUT#")):
            image = dynamodb.get({"PK": key["PK"], "SK": key["SK"]})
            if image:
                change = {"NewImage": dynamodb.to_dynamo(image), "SequenceNumber": f"found-{len(records)}"}
                records.append({"eventName": "INSERT", "dynamodb": change})
    told(records)


def _queue_again(key: dict[str, Any]) -> None:
    sent = dynamodb.get({"PK": key["PK"], "SK": key["SK"]}, _SENT)
    if sent and sent.pop("status") == webhooks.PENDING:
        _, hook, *_ = key["SK"].split("#")
        queue.send([sent | {"account": key["PK"].partition("#")[2], "hook": hook}])


def told(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give records to the fan-out. Returns those from the first failure on, for redelivery."""
    failures = fan_out({"Records": records}, None)["batchItemFailures"]
    if not failures:
        return []
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    return records[numbers.index(failures[0]["itemIdentifier"]) :]
