"""The queue between fan-out and delivery on this machine: in this process, with the three calls of SQS that are used.

A message that was received is hidden until it is deleted or its time is over, as in SQS. What is in it when the server stops is
found again in the table (`local/events.py`).
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

#: Seconds for which a received message is hidden: longer than a delivery takes.
VISIBILITY: Final = 60.0
#: Most messages that are received at once.
BATCH: Final = 10
#: Dead letters that are kept in memory.
_DEAD: Final = 1000


@dataclass(slots=True)
class _Message:
    body: str
    due: float

    @property
    def name(self) -> tuple[str, str | None]:
        document = json.loads(self.body)
        return document["id"], document.get("again")


class Queue:
    """A queue and its dead letters."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock, self._changed = clock, threading.Condition()
        self._messages: dict[str, _Message] = {}
        self._number = 0
        self.dead_letters: deque[str] = deque(maxlen=_DEAD)

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: ARG002, N803
        """As SQS."""
        with self._changed:
            waiting = {message.name for message in self._messages.values()}
            for entry in Entries:
                message = _Message(entry["MessageBody"], 0.0)
                # A restart finds the same event in the table and in the stream.
                if message.name not in waiting:
                    self._number += 1
                    self._messages[str(self._number)] = message
            self._changed.notify_all()
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def change_message_visibility(self, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: ARG002, N803
        """As SQS; a receipt is the message's id."""
        with self._changed:
            self._messages[ReceiptHandle].due = self._clock() + VisibilityTimeout

    def send_message(self, QueueUrl: str, MessageBody: str) -> None:  # noqa: ARG002, N803
        """As SQS. Only dead letters are sent alone."""
        self.dead_letters.append(MessageBody)

    def receive(self) -> list[dict[str, str]]:
        """Messages that are due, as Lambda gets them."""
        with self._changed:
            now = self._clock()
            due = [number for number, message in self._messages.items() if message.due <= now][:BATCH]
            for number in due:
                self._messages[number].due = now + VISIBILITY
            return [{"messageId": n, "receiptHandle": n, "body": self._messages[n].body} for n in due]

    def delete(self, ids: list[str]) -> None:
        """Delete messages that were handled."""
        with self._changed:
            for number in ids:
                self._messages.pop(number, None)

    def wait(self, seconds: float) -> None:
        """Return when a message was sent, or after so many seconds."""
        with self._changed:
            self._changed.wait(seconds)

    def __len__(self) -> int:
        return len(self._messages)
