"""The daemon: answers hooks over a socket, so that each event does not wait for Python to import.

It knows nothing that is not in files. It may be killed at any time: the hook that waits for it goes on alone, the next one
starts another. It ends by itself when nobody asked for a while, or when its socket is gone.
"""

import logging
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from . import client

try:
    import fcntl
except ImportError:  # no daemon on Windows: hooks answer alone
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger("identity_os_sdk.claude_code")

#: Seconds without a question after which it ends, and between two looks at that.
IDLE: Final = 900.0
_LOOK: Final = 5.0
#: No event is larger; Claude Code cuts results before.
_LARGEST: Final = 64 * 1024 * 1024

Answer = Callable[[list[str], str, str], tuple[int, str, str]]


def serve(where: str, answer: Answer, idle: float = IDLE) -> int:
    """Answer at the socket until nobody asks. `answer(arguments, project, text)` is called in a thread for each event."""
    lock = os.open(f"{where}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 0  # another one was quicker
    os.truncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    # What is there belongs to a daemon that was killed: a living one holds the lock.
    with suppress(FileNotFoundError):
        os.unlink(where)
    os.umask(0o077)
    with _Server(where, answer) as server:
        own = os.stat(where).st_ino
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        while server.asked or time.monotonic() - server.last < idle:
            time.sleep(min(_LOOK, idle / 4))
            if not _is_ours(where, own):
                break
        if _is_ours(where, own):
            os.unlink(where)
        server.shutdown()
        while server.asked:
            time.sleep(0.01)
    return 0


def running(where: str) -> int | None:
    """The process that serves at the socket, None when there is none."""
    try:
        with open(f"{where}.lock", "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or 0) or None
    except OSError:
        pass
    return None


def _is_ours(where: str, inode: int) -> bool:
    try:
        return os.stat(where).st_ino == inode
    except OSError:
        return False


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer if fcntl else object):  # type: ignore[misc]
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, where: str, answer: Answer) -> None:
        self.answer, self.asked, self.last, self._counting = answer, 0, time.monotonic(), threading.Lock()
        super().__init__(where, _Handler)

    def counted(self, step: int) -> None:
        with self._counting:
            self.asked, self.last = self.asked + step, time.monotonic()


class _Handler(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        self.server.counted(1)
        try:
            self.request.settimeout(10.0)
            code, output, errors = self.server.answer(*_read(self.request))
            parts = [str(code), output, errors.replace("\0", "")]
            self.request.sendall(b"\0".join(part.encode(errors="replace") for part in parts) + client.END)
        except Exception:
            # No answer: the hook sees the end, and goes on alone.
            log.exception("an event could not be answered")
        finally:
            self.server.counted(-1)


def _read(line: Any) -> tuple[list[str], str, str]:
    parts, size = [], 0
    while part := line.recv(65536):
        parts.append(part)
        size += len(part)
        if size > _LARGEST:
            raise ValueError("an event of more than 64 MB")
    number, _, rest = b"".join(parts).partition(b"\0")
    *given, project, text = rest.split(b"\0", int(number) + 1)
    return [os.fsdecode(word) for word in given], os.fsdecode(project), text.decode(errors="replace")
