"""The purge: removes what is left of deleted instances, woken by the table's stream.

Each step removes one item, so being interrupted loses nothing: the stream delivers the record again and the purge goes on.
"""

from typing import Any

from identity_service.log import logger
from identity_service.store.instances import purge


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Purge the partition of every head that was removed; the first failure is reported for another try."""
    for record in event["Records"]:
        keys = record["dynamodb"]["Keys"]
        if record["eventName"] != "REMOVE" or keys["SK"]["S"] != "HEAD":
            continue
        try:
            purge(keys["PK"]["S"])
        except Exception:  # whatever it was, the record must come again
            logger().exception("purge interrupted")
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}
