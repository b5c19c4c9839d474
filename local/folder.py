"""Locks on the server's data folder: one server at a time for its keys, one DynamoDB Local at a time for its data.

The locks are the operating system's. They end with the processes that hold them, even killed ones, so a lock file that is left
over blocks nobody.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InUse(Exception):
    """Another process holds the lock. The message is the note that it left in the file: who it is."""


@contextmanager
def locked(path: Path, holder: str) -> Iterator[int]:
    """Hold the lock of this file while the block runs, or raise InUse. Yields the file's descriptor.

    A child process that inherits the descriptor holds the lock too, until both have closed it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(os.pread(descriptor, 200, 0).decode(errors="replace") or "another process") from None
        note(descriptor, holder)
        yield descriptor
    finally:
        os.close(descriptor)


def note(descriptor: int, holder: str) -> None:
    """Say in a locked file who holds it."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, holder.encode(), 0)
