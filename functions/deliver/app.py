"""The delivery: takes messages from the queue, and sends each to its webhook, signed.

Attempts are counted on the delivery's item. A delivery that fails comes again after 5 s, 30 s, 2 min, 10 min, 1 h, 6 h, 12 h,
by hiding its message for so long, and then goes to the dead letters. It may be killed between any two steps: the queue gives
the message again, and what was delivered is not sent again.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from identity_service.clock import now
from identity_service.log import logger
from identity_service.store import webhooks
from identity_service.store.dynamodb import Item
from identity_service.webhooks import queue, sealing, sending

#: Seconds until the next attempt, after the first, the second, ...
DELAYS: Final = (5, 30, 120, 600, 3600, 6 * 3600, 12 * 3600)
_ENDED: Final = (webhooks.DELIVERED, webhooks.FAILED, webhooks.DROPPED)
metrics = Metrics(namespace="IdentityOS", service="events")


def handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Send all messages side by side: a slow receiver must not make the others wait. Reports those that come again."""
    records = event["Records"]
    with ThreadPoolExecutor(max_workers=max(len(records), 1)) as pool:
        outcomes = list(pool.map(_handle, records))
    _count([(outcome, milliseconds) for outcome, milliseconds in outcomes if outcome])
    again = [
        {"itemIdentifier": record["messageId"]}
        for record, (outcome, _) in zip(records, outcomes, strict=True)
        if outcome in (None, webhooks.PENDING)
    ]
    return {"batchItemFailures": again}


def _count(outcomes: list[tuple[str, int]]) -> None:
    stage = os.environ.get("IDENTITY_OS_STAGE")
    if not stage or not outcomes:
        return
    metrics.set_default_dimensions(stage=stage)
    for outcome, milliseconds in outcomes:
        metrics.add_metric(f"Deliveries{outcome.capitalize()}", MetricUnit.Count, 1)
        metrics.add_metric("DeliveryLatency", MetricUnit.Milliseconds, milliseconds)
    metrics.flush_metrics()


def _handle(record: dict[str, Any]) -> tuple[str | None, int]:
    """What became of a message, "" for one that there is nothing to do for, and how long the receiver took."""
    try:
        return _deliver(json.loads(record["body"]), record)
    except Exception:  # the message must come again after any error
        logger().exception("delivery interrupted", delivery=record["messageId"])
        return None, 0


def _deliver(message: Item, record: dict[str, Any]) -> tuple[str | None, int]:
    hook, sent = webhooks.for_delivery(message)
    if hook is None:
        return "", 0
    # `again` is the time at which somebody asked for the delivery again: what is older than that is over.
    asked, done = message.get("again") or "", (sent.get("again") or "") if sent else ""
    if sent and (done > asked or (done == asked and sent["status"] in _ENDED)):
        return "", 0
    known = sent if sent and done == asked else None
    if not hook["enabled"]:
        webhooks.note(message, webhooks.DROPPED, known["attempts"] if known else 0, answer="not sent: the webhook is off")
        return webhooks.DROPPED, 0
    account_id, attempts = message["account"], (known["attempts"] if known else 0) + 1
    headers = sending.headers(message["id"], message["payload"], _secrets(hook, account_id), now())
    answer = sending.post(hook["url"], message["payload"], headers)
    last = attempts > len(DELAYS)
    status = webhooks.DELIVERED if answer.ok else webhooks.FAILED if last else webhooks.PENDING
    if status == webhooks.FAILED:
        # Before it is noted as failed: killed in between, the message comes again and is given up again.
        queue.give_up(record["body"])
    webhooks.note(message, status, attempts, answer.status, answer.milliseconds, answer.text)
    if answer.ok:
        webhooks.works(hook, account_id)
    else:
        webhooks.fails(hook, account_id)
    if status == webhooks.PENDING:
        queue.postpone(record["receiptHandle"], DELAYS[attempts - 1])
    return status, answer.milliseconds


def _secrets(hook: Item, account_id: str) -> list[str]:
    """The secrets that sign: the newest, and the one before it for a day after it was rotated."""
    sealed = [hook["secret"]]
    if hook.get("older_until", 0) > now():
        sealed.append(hook["older_secret"])
    return [sealing.unseal(secret, account_id, hook["id"]) for secret in sealed]
