"""The table's stream on this machine: gives its records to its readers, as Lambda's event source mappings do."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import botocore.session

from functions.purge.app import handler
from identity_service.log import logger
from identity_service.settings import settings
from identity_service.store import dynamodb as store_client
from local.background import working

POLL_INTERVAL: Final = 0.5  # seconds


#: Takes records, and returns those from the first failure on, for redelivery.
Reader = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


@contextmanager
def reading(records: Iterator[list[dict[str, Any]]], other: Reader | None = None) -> Iterator[None]:
    """Run the purge, and another reader if there is one, in a thread while the block runs.

    `records` yields the new stream records at each iteration. A reader that fails gets its records again and holds up no other.
    """
    readers: list[Reader] = [deliver, *([other] if other else [])]

    def work(stopping: threading.Event) -> None:
        pending: list[list[dict[str, Any]]] = [[] for _ in readers]
        while not stopping.wait(POLL_INTERVAL):
            try:
                new = next(records)
            except Exception:  # the stream is read again; requests report an unavailable database
                logger().exception("stream not read")
                continue
            for number, reader in enumerate(readers):
                pending[number] += new
                try:
                    pending[number] = reader(pending[number]) if pending[number] else []
                except Exception:  # the records are given again
                    logger().exception("stream records not handled")

    with working("stream", work):
        yield


def deliver(records: list[dict[str, Any]], seconds: float = 80) -> list[dict[str, Any]]:
    """Deliver records to the purge with a time limit. Returns the records from the first failure on, for redelivery."""
    failures = handler({"Records": records}, _Context(seconds))["batchItemFailures"]
    if not failures:
        return []
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    return records[numbers.index(failures[0]["itemIdentifier"]) :]


class _Context:
    """The part of Lambda's context that the purge uses."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - time.monotonic()) * 1000)


class _Shards:
    """Reads the table's stream with the DynamoDB Streams API, from its beginning: instances that were deleted just before the
    last server stopped must still be purged, and the purge is idempotent.
    """

    def __init__(self) -> None:
        self._streams = botocore.session.get_session().create_client("dynamodbstreams")
        self._arn = store_client.client().describe_table(TableName=settings().table)["Table"].get("LatestStreamArn")
        self._positions: dict[str, str | None] = {}

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        return self

    def __next__(self) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        if self._arn is None:
            return records
        for shard in self._streams.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]:
            name = shard["ShardId"]
            if name not in self._positions:
                self._positions[name] = self._streams.get_shard_iterator(
                    StreamArn=self._arn, ShardId=name, ShardIteratorType="TRIM_HORIZON"
                )["ShardIterator"]
            position = self._positions[name]
            if position is None:
                continue
            page = self._streams.get_records(ShardIterator=position)
            self._positions[name] = page.get("NextShardIterator")
            records += page["Records"]
        return records


def of_table() -> Iterator[list[dict[str, Any]]]:
    """The stream of the configured table."""
    return _Shards()
