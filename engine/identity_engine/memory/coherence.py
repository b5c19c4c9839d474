"""Identity coherence: is the agent still itself?

    coherence   = 0.6 * descriptive + 0.4 * normative                                                         (P)
    descriptive = 1 - min(1, distance to the anchor / 0.40)
    normative   = (1 - control of suppressed modes) * min(1, control of core modes / 0.5)

Descriptive: as it has been; 1 until there is an anchor. Normative: as its profile says it should be; 1 without a profile, and
while every mode is at rest. Source: docs/engine.md, "Step 8: memory"; figures but the two weights C.
"""

from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.memory.record import CycleRecord


@dataclass(frozen=True, slots=True)
class Coherence:
    """`value` in 0..1, and for how many cycles in a row it has been too low."""

    value: float = 1.0
    low_streak: int = 0


def next_coherence(past: Coherence, record: CycleRecord, config: Config = CONFIG) -> Coherence:
    """Coherence after the cycle."""
    descriptive = 1 - min(1.0, record.distance / config.drift_d3)
    value = config.coherence_descriptive * descriptive + (1 - config.coherence_descriptive) * _normative(record, config)
    # The young may still be anything: a shift is shown, not held against them.
    low = value < config.coherence_low and not record.young
    return Coherence(value, past.low_streak + 1 if low else 0)


def _normative(record: CycleRecord, config: Config) -> float:
    profile, control = record.profile, record.control
    if record.leader is None:
        return 1.0
    suppressed = core = 0.0
    for mode in profile.suppressed_modes:
        suppressed += control[mode]
    for mode in profile.core_modes:
        core += control[mode]
    kept = max(0.0, 1 - suppressed)
    return kept * min(1.0, core / config.coherence_core) if profile.core_modes else kept
