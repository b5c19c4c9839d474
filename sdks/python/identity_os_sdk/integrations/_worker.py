"""A queue of limited length and a thread that works it off: whoever puts something in never waits and sees no exception."""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger("identity_os_sdk")

Item = TypeVar("Item")


class Worker(Generic[Item]):
    """Calls `work` with each item, in order, in a thread of its own, which begins with the first item.

    `most`: items that may wait. What comes when so many wait is dropped, counted in `dropped`, and logged once. None is a mark
    and not counted.
    """

    def __init__(self, name: str, work: Callable[[Item], None], most: int) -> None:
        self._name, self._work, self._most = name, work, most
        self.dropped = 0
        self._begin()

    def _begin(self) -> None:
        """Empty and without a thread: at first, and in the child of a fork, whose copy of the lock may be held for ever."""
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._waiting: deque[Item] = deque()
        self._busy = self._stopped = False
        self._thread: threading.Thread | None = None

    def put(self, item: Item, *, always: bool = False) -> None:
        """Put an item in line, or drop it. `always`: however many wait; not counted when it is too late."""
        if self._process != os.getpid():
            self._begin()
        with self._changed:
            if not self._stopped and (always or len(self._waiting) < self._most):
                self._waiting.append(item)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                    self._thread.start()
                self._changed.notify_all()
                return
            if always:
                return
            self.dropped += 1
            first = self.dropped == 1
        if first:
            log.warning("%s: %d wait already, or it was stopped; what comes is dropped and counted", self._name, self._most)

    def flush(self, seconds: float) -> bool:
        """Wait until all is done, at most so long. Whether it is."""
        if threading.current_thread() is self._thread:
            return False
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, seconds)

    def stop(self, seconds: float) -> bool:
        """Flush and take no more. Whether all was done; the rest is dropped."""
        done = self.flush(seconds)
        with self._changed:
            self._stopped = True
            self.dropped += sum(item is not None for item in self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        return done

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopped)
                if not self._waiting:
                    return
                item = self._waiting.popleft()
                self._busy = True
            try:
                self._work(item)
            except Exception:
                log.exception("%s failed; the next one is worked on", self._name)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
