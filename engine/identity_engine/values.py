"""The values that the engine takes and gives: profile, observation, drift, state.

Frozen and slotted. Vectors are tuples of seven floats in mode order. Nothing here reads a clock, a random number or the
outside; time is metadata that callers keep.
"""

from dataclasses import dataclass, field

from identity_engine.config import CONFIG, ENGINE_VERSION
from identity_engine.vocabulary import BASELINE, LOW

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


@dataclass(frozen=True, slots=True)
class RestPoint:
    """What a rollback puts back: modes, energy and anchor of the last cycle at D0 and LOW."""

    strengths: Vector
    coldness: Vector
    energy: float
    anchor: Vector | None


@dataclass(frozen=True, slots=True)
class State:
    """All that the engine knows of one agent. Its size does not grow with the cycles."""

    profile: Profile
    birth_strengths: Vector
    birth_energy: float
    strengths: Vector
    #: For each mode the product of (1 - a) over its updates: 1 never observed, 0 warm from the start.
    coldness: Vector
    energy: float
    stable: RestPoint
    cycle: int = 0
    stress: int = LOW
    system: str = BASELINE
    calm_streak: int = 0
    rested_streak: int = 0
    over_streak: int = 0
    empty_streak: int = 0
    anchor: Vector | None = None
    #: Distances of the last `drift_window` cycles, oldest first.
    distances: tuple[float, ...] = ()
    drift: Drift = field(default_factory=Drift)
    strikes: int = 0
    last_strike: int = 0
    #: Index of the mode that leads the control vector, None while all are at rest.
    leader: int | None = None
    stability: float = 1.0
    engine_version: str = ENGINE_VERSION


def birth(profile: Profile = Profile(), strengths: Vector = ZERO, energy: float = CONFIG.energy_start) -> State:
    """The state of a new agent. `strengths` in -1..1 are warm: drift takes them at their word. `energy` in 0..1."""
    coldness = tuple(0.0 if v else 1.0 for v in strengths)
    rest = RestPoint(strengths, coldness, energy, None)
    return State(profile, strengths, energy, strengths, coldness, energy, rest)
