"""The values that the engine takes and gives: profile, observation, drift. The state has a module of its own.

Frozen and slotted. Vectors are tuples of seven floats in mode order. Nothing here reads a clock, a random number or the
outside; time is metadata that callers keep.
"""

from dataclasses import dataclass

Vector = tuple[float, ...]

ZERO: Vector = (0.0,) * 7


@dataclass(frozen=True, slots=True)
class Profile:
    """Who the agent is: fixed at creation, all of it optional (spec/engine.md, Input).

    `core_modes` and `suppressed_modes` hold mode indexes in mode order and share none; the other fields hold words of the
    vocabulary; `description` is free text that nothing is computed on.
    """

    core_modes: tuple[int, ...] = ()
    suppressed_modes: tuple[int, ...] = ()
    risk_posture: str = "moderate"
    energy_policy: str = "balanced"
    stress_tolerance: str = "normal"
    drift_tolerance: str = "normal"
    governance: str = "relaxed"
    description: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What the agent just did: a mode index, how strongly (0..1) and how sure the report is (0..1)."""

    mode: int
    signal: float
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Drift:
    """Where the agent stands against its anchor after a cycle.

    `level` is 0..3 for D0..D3, None until the anchor is set; `magnitude` the distance (>= 0) that was measured before any
    rollback; `deviation` its signed part for each mode; `rolled_back` whether D3 put the last stable state back.
    """

    level: int | None = None
    magnitude: float = 0.0
    deviation: Vector = ZERO
    rolled_back: bool = False
