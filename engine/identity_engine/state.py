"""The state: all that the engine knows of one agent, and how one begins."""

from dataclasses import dataclass, field

from identity_engine.chronic import Chronic
from identity_engine.config import CONFIG, ENGINE_VERSION
from identity_engine.drift import DriftState, rest_point
from identity_engine.memory import Memory, first_memory
from identity_engine.stress import stress_level, thresholds
from identity_engine.values import ZERO, Profile, Vector
from identity_engine.vocabulary import BASELINE, HIGH, LOW, STRESS, STRESS_RESPONSE
from identity_engine.volatility import Volatility


@dataclass(frozen=True, slots=True)
class State:
    """Its size does not grow with the cycles. Streaks are in cycles."""

    profile: Profile
    birth_strengths: Vector
    birth_energy: float
    strengths: Vector
    #: For each mode the product of (1 - a) over its updates: 1 never observed, 0 warm from the start.
    coldness: Vector
    energy: float
    drift: DriftState
    memory: Memory
    volatility: Volatility = field(default_factory=Volatility)
    chronic: Chronic = field(default_factory=Chronic)
    cycle: int = 0
    stress: int = LOW
    system: str = BASELINE
    calm_streak: int = 0
    rested_streak: int = 0
    over_streak: int = 0
    #: Cycles since energy was gone under stress, 0 once it is back or stress has ended.
    exhausted_streak: int = 0
    #: Index of the mode that leads the control vector, None while all are at rest.
    leader: int | None = None
    stability: float = 1.0
    engine_version: str = ENGINE_VERSION


def birth(profile: Profile = Profile(), strengths: Vector = ZERO, energy: float = CONFIG.energy_start) -> State:
    """The state of a new agent. `strengths` in -1..1 are warm: drift takes them at their word. `energy` in 0..1.

    Stress state and system state follow from the strengths. ValueError for a negative stress_response: there is no such stress.
    """
    stress = strengths[STRESS_RESPONSE]
    if stress < 0:
        raise ValueError("stress_response is negative")
    coldness = tuple(0.0 if v else 1.0 for v in strengths)
    level = stress_level(stress, thresholds(profile, spikes=0))
    return State(
        profile=profile,
        birth_strengths=strengths,
        birth_energy=energy,
        strengths=strengths,
        coldness=coldness,
        energy=energy,
        drift=DriftState(rest_point(strengths, coldness, energy, None, level)),
        memory=first_memory(strengths, energy),
        stress=level,
        system=STRESS if level >= HIGH else BASELINE,
    )
