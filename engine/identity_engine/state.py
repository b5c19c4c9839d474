"""The state: all that the engine knows of one agent, and how one begins."""

from dataclasses import dataclass, field

from identity_engine.config import CONFIG, ENGINE_VERSION
from identity_engine.memory import Memory, first_memory
from identity_engine.values import ZERO, Drift, Profile, Vector
from identity_engine.vocabulary import BASELINE, LOW, STRESS_RESPONSE


@dataclass(frozen=True, slots=True)
class RestPoint:
    """What a rollback puts back: modes, energy and anchor of the last cycle at D0 and LOW."""

    strengths: Vector
    coldness: Vector
    energy: float
    anchor: Vector | None


@dataclass(frozen=True, slots=True)
class State:
    """Its size does not grow with the cycles."""

    profile: Profile
    birth_strengths: Vector
    birth_energy: float
    strengths: Vector
    #: For each mode the product of (1 - a) over its updates: 1 never observed, 0 warm from the start.
    coldness: Vector
    energy: float
    stable: RestPoint
    memory: Memory
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
    """The state of a new agent. `strengths` in -1..1 are warm: drift takes them at their word. `energy` in 0..1.

    Who is born under stress has no stable past: a rollback puts back the rest of its birth but not the stress.
    """
    calm = strengths if abs(strengths[STRESS_RESPONSE]) < CONFIG.stress_med else (*strengths[:STRESS_RESPONSE], 0.0)
    coldness, rested = (tuple(0.0 if v else 1.0 for v in vector) for vector in (strengths, calm))
    rest = RestPoint(calm, rested, energy, None)
    return State(profile, strengths, energy, strengths, coldness, energy, rest, first_memory(strengths, energy))
