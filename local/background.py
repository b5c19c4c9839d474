"""A thread of the local server that works while a block runs: the stream's readers, the delivery of events."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def working(name: str, work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run `work` in a thread called `name` while the block runs. It is given the event that tells it to stop."""
    stopping = threading.Event()
    thread = threading.Thread(target=work, args=(stopping,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(5)
