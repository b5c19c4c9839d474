"""The purge: removes what is left of deleted instances, woken by the table's stream.

It works in small steps, as long as there is time. What it could not finish it reports, and the stream delivers the record
again; so an instance of any size goes, and being interrupted anywhere loses nothing.
"""

from typing import Any, Final

from identity_service.log import logger
from identity_service.store.purge import Interrupted, purge

#: Milliseconds that one step may take at the worst: a deletion tried again and again.
_ONE_STEP: Final = 75_000


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Purge the partition of every head that was removed; the first that is not through is reported for another try."""

    def may_continue() -> bool:
        remaining: int = context.get_remaining_time_in_millis()
        return remaining > _ONE_STEP

    for record in event["Records"]:
        keys = record["dynamodb"]["Keys"]
        if record["eventName"] != "REMOVE" or keys["SK"]["S"] != "HEAD":
            continue
        try:
            purge(keys["PK"]["S"], may_continue)
        except Interrupted as interrupted:
            logger().info("purge goes on later", partition=keys["PK"]["S"], removed=interrupted.args[0])
        except Exception:  # whatever it was, the record must come again
            logger().exception("purge interrupted", partition=keys["PK"]["S"])
        else:
            continue
        return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}
