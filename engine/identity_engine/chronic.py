"""Step 3, chronic stress: most of the last reports were failures, however weak.

    chronic = 24 or more of the last 40 reports were stress_response at a signal of 0.15 or more

Failure and success in turn are not chronic: 20 of 40. Source: docs/engine.md, "Step 3: stress and system state"; figures C.

>>> state = Chronic()
>>> for _ in range(24):
...     state = next_chronic(state, Observation(6, 0.3))
>>> (state.count, state.streak)
(24, 1)
"""

from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.values import Observation
from identity_engine.vocabulary import STRESS_RESPONSE


@dataclass(frozen=True, slots=True)
class Chronic:
    """`reports`: a bit for each of the last 40 reports, 1 for stress, newest lowest. `streak`: chronic cycles in a row."""

    reports: int = 0
    streak: int = 0

    @property
    def count(self) -> int:
        """Reports of stress among the last 40."""
        return self.reports.bit_count()


def next_chronic(past: Chronic, observation: Observation, config: Config = CONFIG) -> Chronic:
    """Chronic stress after the observation."""
    if not past.reports and observation.mode != STRESS_RESPONSE:
        return past
    stressed = observation.mode == STRESS_RESPONSE and observation.signal >= config.chronic_signal
    reports = (past.reports << 1 | stressed) & ((1 << config.chronic_window) - 1)
    return Chronic(reports, past.streak + 1 if reports.bit_count() >= config.chronic_from else 0)
