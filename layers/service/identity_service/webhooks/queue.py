"""The queue between fan-out and delivery: SQS, or another object with the same three calls (`local/queue.py`).

IDENTITY_OS_QUEUE and IDENTITY_OS_DEAD_LETTERS are the addresses of the two queues.
"""

import json
import os
from collections.abc import Sequence
from typing import Any, Final

#: Most messages in one call.
_BATCH: Final = 10
#: Longest time for which SQS hides a message, less what may have passed since it was received.
LONGEST_DELAY: Final = 12 * 3600 - 600
_client: Any = None


class NotSent(Exception):
    """The queue did not take some of the messages."""


def use(client: Any) -> None:
    """Use this client from now on; None: SQS."""
    global _client
    _client = client


def _sqs() -> Any:
    if _client is None:
        import botocore.session

        use(botocore.session.get_session().create_client("sqs"))
    return _client


def send(messages: Sequence[dict[str, str]]) -> None:
    """Put messages into the queue. The group of each is its webhook, so that a slow receiver starves no other. NotSent."""
    for start in range(0, len(messages), _BATCH):
        entries = [
            {"Id": str(number), "MessageBody": json.dumps(message), "MessageGroupId": message["hook"]}
            for number, message in enumerate(messages[start : start + _BATCH])
        ]
        answer = _sqs().send_message_batch(QueueUrl=os.environ.get("IDENTITY_OS_QUEUE", ""), Entries=entries)
        if answer.get("Failed"):
            raise NotSent(answer["Failed"][0].get("Code", ""))


def postpone(receipt: str, seconds: int) -> None:
    """Hide a message that was received, and let it be delivered again after so many seconds."""
    _sqs().change_message_visibility(
        QueueUrl=os.environ.get("IDENTITY_OS_QUEUE", ""), ReceiptHandle=receipt, VisibilityTimeout=min(seconds, LONGEST_DELAY)
    )


def give_up(body: str) -> None:
    """Put a message among the dead letters."""
    _sqs().send_message(QueueUrl=os.environ.get("IDENTITY_OS_DEAD_LETTERS", ""), MessageBody=body)
