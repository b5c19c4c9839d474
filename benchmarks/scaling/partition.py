"""One partition of DynamoDB in simulated time, behind the few operations of a botocore client that the store calls.

It has a bucket of a second's units, AWS's documented maximum of a partition: what was saved up (burst capacity) and what is
taken from colder partitions (adaptive capacity) raise a partition to it, not above. A write that is refused for its bucket is
free; one whose condition fails costs its units. Two transactions on an item at a time: the later one is cancelled.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from benchmarks.cost import ANSWER, TRANSACTION
from benchmarks.scaling.clock import Clock
from benchmarks.speed.calls import size

#: Units a second of a partition (DynamoDB developer guide, "Partitions and data distribution").
WRITES: Final = 1_000
READS: Final = 3_000


class Bucket:
    """Units that come back by the second, and are kept for a second."""

    def __init__(self, clock: Clock, rate: int) -> None:
        self._clock, self._rate = clock, rate
        self._left, self._at = 0.0, 0.0
        self.spent = 0

    def take(self, units: int) -> bool:
        """Take units, if there are as many."""
        now = self._clock.now
        self._left, self._at = min(self._left + (now - self._at) * self._rate, self._rate), now
        if self._left < units:
            return False
        self._left -= units
        self.spent += units
        return True


class Partition:
    """The client of a table that has one partition. `calls` counts what was sent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.writes, self.reads = Bucket(clock, WRITES), Bucket(clock, READS)
        self._items: dict[str, dict[str, Any]] = {}
        self._busy_until: dict[str, float] = {}
        self.calls = 0

    def close(self) -> None:
        """No connection is kept."""

    def get_item(self, Key: Mapping[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        """A strongly consistent read of a small item."""
        self._arrive()
        if not self.reads.take(1):
            self._throttle("GetItem")
        item = self._items.get(str(Key))
        self._clock.sleep(ANSWER / 2)
        return {"Item": item} if item else {}

    def update_item(self, Key: Mapping[str, Any], **how: Any) -> dict[str, Any]:  # noqa: N803
        """An update that adds to numbers, whose condition is taken to hold, or one that raises the version of a head."""
        self._arrive()
        if not self.writes.take(1):
            self._throttle("UpdateItem")
        item, values = self._items.setdefault(str(Key), {}), how["ExpressionAttributeValues"]
        if how["UpdateExpression"] == "SET version = :next":
            if item["version"] != values[":before"]:
                self._clock.sleep(ANSWER / 2)
                raise _error("ConditionalCheckFailedException", "UpdateItem")
            item["version"] = values[":next"]
        for name, value in re.findall(r"(#\w+) (:\w+)", how["UpdateExpression"]):
            attribute = how["ExpressionAttributeNames"][name]
            item[attribute] = {"N": str(int(item.get(attribute, {"N": "0"})["N"]) + int(values[value]["N"]))}
        self._clock.sleep(ANSWER / 2)
        return {"Attributes": dict(item)}

    def transact_write_items(self, TransactItems: list[dict[str, Any]], **_: Any) -> None:  # noqa: N803
        """Puts, the first of them conditional on a version."""
        self._arrive()
        puts = [operation["Put"] for operation in TransactItems]
        key = str({name: puts[0]["Item"][name] for name in ("PK", "SK")})
        units = sum(2 * math.ceil(size(put["Item"]) / 1024) for put in puts)
        others: list[str] = ["None"] * (len(puts) - 1)
        if not self.writes.take(units):
            self._cancel(["ThrottlingError", *others])
        if self._busy_until.get(key, 0) > self._clock.now:
            self._cancel(["TransactionConflict", *others])
        if (current := self._items.get(key)) and current["version"] != puts[0]["ExpressionAttributeValues"][":after"]:
            self._cancel(["ConditionalCheckFailed", *others])
        self._busy_until[key] = self._clock.now + TRANSACTION - ANSWER
        self._clock.sleep(TRANSACTION - ANSWER)
        self._items[key] = puts[0]["Item"]
        self._clock.sleep(ANSWER / 2)

    def _arrive(self) -> None:
        self.calls += 1
        self._clock.sleep(ANSWER / 2)

    def _throttle(self, operation: str) -> None:
        self._clock.sleep(ANSWER / 2)
        raise _error("ProvisionedThroughputExceededException", operation)

    def _cancel(self, reasons: list[str]) -> None:
        self._clock.sleep(ANSWER / 2)
        raise _error("TransactionCanceledException", "TransactWriteItems", CancellationReasons=[{"Code": r} for r in reasons])


def _error(code: str, operation: str, **more: Any) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": 400}, **more}
    return ClientError(response, operation)
