"""Growth direction: where each mode is heading, as the gap between a fast and a slow average of its strength.

    velocity[m] = fast[m] - slow[m]        x' = x + rate * (v - x), rate 0.10 fast, 0.02 slow

Positive while a mode gains, in strength units. Source: docs/engine.md, "Step 8: memory"; rates C.
"""

from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.memory.record import CycleRecord
from identity_engine.values import Vector, ewma


@dataclass(frozen=True, slots=True)
class Growth:
    """The two averages."""

    fast: Vector
    slow: Vector


def next_growth(past: Growth, record: CycleRecord, config: Config = CONFIG) -> Growth:
    """Growth memory after the cycle."""
    strengths = record.strengths
    return Growth(ewma(past.fast, strengths, config.growth_fast), ewma(past.slow, strengths, config.growth_slow))


def velocity(memory: Growth) -> Vector:
    """Where each mode is heading."""
    return tuple([f - s for f, s in zip(memory.fast, memory.slow, strict=True)])
