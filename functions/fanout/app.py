"""The fan-out: takes the events of committed requests from the table's stream to webhooks, the event bus and metrics.

The second reader of the stream, beside the purge. It may be killed between any two steps and is then given the same records
again: what it sends has ids that are made of the record, so whoever gets something twice can tell.

IDENTITY_OS_EVENT_BUS    the EventBridge bus; empty: none, as on this machine
IDENTITY_OS_STAGE        a dimension of the metrics; empty: no metrics, as on this machine
"""

import json
import os
from functools import cache
from typing import Any, Final

from aws_lambda_powertools.metrics import Metrics, MetricUnit

from identity_service import events
from identity_service.log import logger
from identity_service.store import webhooks
from identity_service.store.dynamodb import Item, from_dynamo
from identity_service.webhooks import queue
from identity_service.webhooks.messages import Told, message, told_by

#: Most events in one call of EventBridge.
_BATCH: Final = 10
#: The items that have events for others; a drift event of the history is none.
_KINDS: Final = ("OBS#", "EVENT#", "OUT#")
#: The metric of each type: how many agents it happened to.
_METRICS: Final = {
    events.DRIFTED: "Drifted",
    events.ROLLED_BACK: "RolledBack",
    events.PAUSED: "Paused",
    events.RESUMED: "Resumed",
    events.ESCALATED: "Escalated",
    events.DEESCALATED: "Deescalated",
}
metrics = Metrics(namespace="IdentityOS", service="events")


def handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """Tell of every record that has events. The first one that fails is reported, and comes again with those after it."""
    hooks: dict[str, list[Item]] = {}
    failures, counted = [], 0
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage")
        if record["eventName"] != "INSERT" or image is None or "events" not in image:
            continue
        if not image["SK"]["S"].startswith(_KINDS):
            continue
        try:
            counted += _tell(from_dynamo(image), hooks)
        except Exception:  # the record must come again after any error
            logger().exception("events not sent", partition=image["PK"]["S"])
            failures = [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]
            break
    if counted and metrics.provider.metric_set:  # a hundred values flush themselves
        metrics.flush_metrics()
    return {"batchItemFailures": failures}


def _tell(image: Item, hooks: dict[str, list[Item]]) -> int:
    """Tell of one record. Returns how many metrics were counted."""
    if "message" in image:  # a delivery that somebody wants again
        queue.send([json.loads(image["message"])])
        return 0
    told = told_by(image)
    if "to" in image:
        queue.send([message(each, image["to"]) for each in told])
        return 0
    account_id = told[0].account_id
    if account_id not in hooks:
        hooks[account_id] = webhooks.of_account(account_id)
    queue.send(
        [
            message(each, hook["id"])
            for each in told
            for hook in hooks[account_id]
            if webhooks.wants(hook, each.type, each.at) and each.data.get("webhook_id") != hook["id"]
        ]
    )
    _publish(told)
    return sum(_count(each) for each in told)


def _publish(told: list[Told]) -> None:
    bus = os.environ.get("IDENTITY_OS_EVENT_BUS", "")
    if not bus:
        return
    for start in range(0, len(told), _BATCH):
        entries = [
            {"EventBusName": bus, "Source": "identity-os", "DetailType": each.type, "Detail": each.payload()}
            for each in told[start : start + _BATCH]
        ]
        answer = _eventbridge().put_events(Entries=entries)
        if answer["FailedEntryCount"]:
            raise queue.NotSent(str(next(entry for entry in answer["Entries"] if "ErrorCode" in entry)))


def _count(told: Told) -> int:
    stage = os.environ.get("IDENTITY_OS_STAGE")
    if not stage:
        return 0
    metrics.set_default_dimensions(stage=stage)
    if told.type == events.STRESS_CHANGED:
        metrics.add_metric(f"Entered{told.data['to']}", MetricUnit.Count, 1)
        metrics.add_metric(f"Left{told.data['from']}", MetricUnit.Count, 1)
        return 2
    if told.type in _METRICS:
        metrics.add_metric(_METRICS[told.type], MetricUnit.Count, 1)
        return 1
    return 0


@cache
def _eventbridge() -> Any:
    import botocore.session

    return botocore.session.get_session().create_client("events")
