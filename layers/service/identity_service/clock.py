"""The one place that reads the clock. The engine never does."""

import time
from datetime import UTC, datetime


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


def iso(moment: float) -> str:
    """ISO 8601 in UTC, to the second: 2026-03-24T10:15:30Z."""
    return datetime.fromtimestamp(int(moment), UTC).isoformat()[:19] + "Z"


def parse_iso(text: str) -> str:
    """An ISO 8601 date and time in UTC, fractions kept. Without an offset it is taken as UTC. ValueError if it is invalid."""
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat().replace("+00:00", "Z")
