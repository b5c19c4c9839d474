"""Retries: a bounded number of attempts, with exponential backoff and jitter so that competing writers spread out."""

import random
import time
from typing import Final

TRIES: Final = 6
_LONGEST: Final = 0.04


def pause(attempt: int) -> None:
    """Sleep a random time up to 5 ms, doubled with each attempt (from 0), 40 ms at most."""
    time.sleep(random.uniform(0, min(0.005 * 2**attempt, _LONGEST)))  # noqa: S311 - jitter, not a secret
