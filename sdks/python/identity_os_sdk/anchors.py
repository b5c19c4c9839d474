"""The customer's own record of digests: what the API answered, in a file that no operator can rewrite.

    {"instance_id": ..., "digest": ..., "request_id": ..., "at": ...}        one line for each request that left an audit record

`identity-os verify EXPORT --anchors FILE` finds a trail that was written anew: each digest here must be in it.
"""

import json
import logging
import os
from datetime import datetime, timezone
from typing import Any

from identity_os_sdk.errors import ConfigurationError

logger = logging.getLogger("identity_os_sdk")


class AuditLog:
    """Appends a line for each digest. Safe to share between threads and processes: a line is one write at the file's end."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        try:
            self._append(b"")
        except OSError as error:
            raise ConfigurationError(f"audit_log {path}: {error.strerror}") from error

    def keep(self, path: str, result: Any, digest: str, request_id: str | None) -> None:
        """Keep the digest of a request to `path`. A line that cannot be written is logged: the request took effect."""
        parts = path.split("/")
        known = parts[2] if parts[1] == "instances" and len(parts) > 2 else None
        instance_id = known or getattr(result, "instance_id", None) or getattr(result, "id", None)
        row = {
            "instance_id": instance_id,
            "digest": digest,
            "request_id": request_id,
            "at": datetime.now(timezone.utc).isoformat(),  # noqa: UP017 - Python 3.10 has no UTC
        }
        try:
            self._append(json.dumps(row).encode() + b"\n")
        except OSError:
            logger.exception("the digest %s of %s was not kept in %s", digest, instance_id, self._path)

    def _append(self, line: bytes) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)
