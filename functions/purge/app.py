"""The purge: deletes the remaining items of deleted instances. Triggered by the table's stream.

It deletes in small batches until its time is nearly used up, and reports a record that it could not finish, so that the stream
delivers it again. So an instance of any size is deleted, and an interruption at any point is safe.
"""

from typing import Any, Final

from identity_service.log import logger
from identity_service.store.purge import Interrupted, exists, purge

#: Longest time of one batch in milliseconds, with all retries.
_LONGEST_BATCH: Final = 75_000


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Purge the partition of every deleted head, and of every fork whose mark expired before it was finished.

    The first record that is not finished is reported for redelivery.
    """

    def may_continue() -> bool:
        remaining: int = context.get_remaining_time_in_millis()
        return remaining > _LONGEST_BATCH

    for record in event["Records"]:
        keys = record["dynamodb"]["Keys"]
        if record["eventName"] != "REMOVE" or keys["SK"]["S"] not in ("HEAD", "FORK"):
            continue
        if keys["SK"]["S"] == "FORK" and exists(keys["PK"]["S"]):
            continue  # the fork was finished
        try:
            purge(keys["PK"]["S"], may_continue)
        except Interrupted as interrupted:
            logger().info("purge continues at redelivery", partition=keys["PK"]["S"], removed=interrupted.args[0])
        except Exception:  # the record must be redelivered after any error
            logger().exception("purge interrupted", partition=keys["PK"]["S"])
        else:
            continue
        return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}
