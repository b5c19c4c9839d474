"""The record of one cycle that every layer of memory reads."""

from dataclasses import dataclass

from identity_engine.values import Profile, Vector


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """What one cycle came to.

    `drift_level` 0..3 or None, `distance` to the anchor after the cycle's own change, `leader` a mode or None.
    """

    cycle: int
    profile: Profile
    strengths: Vector
    control: Vector
    leader: int | None
    energy: float
    stress: int
    system: str
    drift_level: int | None
    distance: float
    young: bool
    volatile: bool
