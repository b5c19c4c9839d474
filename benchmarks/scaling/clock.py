"""Simulated time for code that blocks: each request has a thread, one runs at a time, and a sleep hands over to the next.

So the store's own code runs, retries included, and the same seed gives the same run on any machine.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from threading import Lock, Thread


class _Worker:
    """A thread that does one piece of work after the other, since a new thread for each would take longer than the work."""

    def __init__(self) -> None:
        self.work: Callable[[], None] | None = None
        self.wake = Lock()
        self.wake.acquire()


class Clock:
    """Seconds that pass only while everybody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._free: list[_Worker] = []
        self._failed: BaseException | None = None
        self._idle = Lock()
        self._idle.acquire()

    def at(self, moment: float, work: Callable[[], object]) -> None:
        """Have `work` run at a moment, in a thread of its own."""
        self._enqueue(moment, lambda: self._begin(work))

    def sleep(self, seconds: float) -> None:
        """Sleep; to be called by what `at` runs."""
        woken = Lock()
        woken.acquire()
        self._enqueue(self.now + seconds, woken.release)
        self._idle.release()
        woken.acquire()

    def run(self) -> None:
        """Play everything that is due, in order, until nothing is or something raised an exception."""
        while self._due and not self._failed:
            self.now, _, go_on = heappop(self._due)
            go_on()
            self._idle.acquire()
        for worker in self._free:
            worker.work = None
            worker.wake.release()
        if self._failed:
            raise self._failed

    def _enqueue(self, moment: float, go_on: Callable[[], None]) -> None:
        self._number += 1
        heappush(self._due, (moment, self._number, go_on))

    def _begin(self, work: Callable[[], object]) -> None:
        if self._free:
            worker = self._free.pop()
        else:
            worker = _Worker()
            Thread(target=self._play, args=(worker,), daemon=True).start()
        worker.work = work
        worker.wake.release()

    def _play(self, worker: _Worker) -> None:
        while True:
            worker.wake.acquire()
            if worker.work is None:
                return
            try:
                worker.work()
            except BaseException as error:
                self._failed = error
            self._free.append(worker)
            self._idle.release()
