"""How lost races are tried again: a bounded number of times, with jitter so that the losers do not meet once more."""

import random
import time
from typing import Final

TRIES: Final = 6
_LONGEST: Final = 0.04


def pause(attempt: int) -> None:
    """Sleep up to 5 ms, doubling with each attempt (from 0), 40 ms at the most."""
    time.sleep(random.uniform(0, min(0.005 * 2**attempt, _LONGEST)))  # noqa: S311 - jitter, not a secret
