"""Simulated time for code that blocks: each request is a thread, one runs at a time, and a sleep hands over to the next.

So the store's own code runs, retries included, and the same seed gives the same run on any machine.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from threading import Lock, Thread, stack_size


class Clock:
    """Seconds that pass only while everybody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._idle = Lock()
        self._idle.acquire()
        self._failed: BaseException | None = None

    def at(self, moment: float, work: Callable[[], None]) -> None:
        """Have `work` run at a moment, in a thread of its own."""

        def played() -> None:
            try:
                work()
            except BaseException as error:
                self._failed = error
            finally:
                self._idle.release()

        self._enqueue(moment, lambda: Thread(target=played, daemon=True).start())

    def sleep(self, seconds: float) -> None:
        """Sleep; to be called by what `at` runs."""
        woken = Lock()
        woken.acquire()
        self._enqueue(self.now + seconds, woken.release)
        self._idle.release()
        woken.acquire()

    def run(self) -> None:
        """Play everything that is due, in order, until nothing is or something raised an exception."""
        before = stack_size(256 * 1024)
        while self._due:
            self.now, _, go_on = heappop(self._due)
            go_on()
            self._idle.acquire()
            if self._failed:
                raise self._failed
        stack_size(before)

    def _enqueue(self, moment: float, go_on: Callable[[], None]) -> None:
        self._number += 1
        heappush(self._due, (moment, self._number, go_on))
