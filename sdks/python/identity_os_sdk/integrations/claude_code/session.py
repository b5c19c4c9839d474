"""What is known of one session of Claude Code, in a file: each event may be another process, and any of them may be killed.

An event holds the file from its beginning to its end, so that events of one session come one by one, whichever processes bring
them. What is written is written whole or not at all: SQLite does both, on every system.
"""

import hashlib
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

#: Seconds that an event waits for another one of its session.
_PATIENCE: Final = 5.0
#: Days after which a session that nobody goes on with is forgotten.
_KEPT_DAYS: Final = 14


def folder() -> Path:
    """Where sessions are kept: where this system keeps a program's state."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "identity-os" / "claude-code"


@contextmanager
def opened(session_id: str, agent: str) -> Iterator[dict[str, Any]]:
    """What is known of the session and may be changed, {} for a new one; it is kept when the block ends well."""
    place = folder()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = hashlib.sha256(json.dumps([session_id, agent]).encode()).hexdigest()[:32]
    file = place / f"{name}.db"
    try:
        with _begun(file) as known:
            yield known
    except sqlite3.DatabaseError as error:
        # A file that is none any more (a power failure) is begun anew by the next event. A busy one is an OperationalError.
        if not isinstance(error, sqlite3.OperationalError):
            file.unlink(missing_ok=True)
        raise


@contextmanager
def _begun(file: Path) -> Iterator[dict[str, Any]]:
    with closing(sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None)) as db:
        # A session is worth no wait for the disk: what a power failure takes with it, the session does not outlive either.
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN IMMEDIATE")
        db.execute("CREATE TABLE IF NOT EXISTS session (state TEXT NOT NULL)")
        row = db.execute("SELECT state FROM session").fetchone()
        known: dict[str, Any] = json.loads(row[0]) if row else {}
        yield known
        db.execute("DELETE FROM session")
        db.execute("INSERT INTO session VALUES (?)", (json.dumps(known),))
        db.execute("COMMIT")


def forget_old() -> None:
    """Remove what was left by sessions of long ago."""
    oldest = time.time() - _KEPT_DAYS * 86_400
    with suppress(OSError):
        for file in folder().glob("*.db"):
            with suppress(OSError):
                if file.stat().st_mtime < oldest:
                    file.unlink()
