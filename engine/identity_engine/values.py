"""The values that the engine takes and gives: profile, observation, drift. The state has a module of its own.

Frozen and slotted. Vectors are tuples of seven floats in mode order. Nothing here reads a clock, a random number or the
outside; time is metadata that callers keep.
"""

from dataclasses import dataclass
from math import sqrt

Vector = tuple[float, ...]

ZERO: Vector = (0.0,) * 7


def norm(vector: Vector) -> float:
    """Euclidean length. Written out: the built-in sum() of floats differs between Python versions, and a loop takes longer."""
    a, b, c, d, e, f, g = vector
    return sqrt(a * a + b * b + c * c + d * d + e * e + f * f + g * g)


def ewma(mean: Vector, values: Vector, rate: float) -> Vector:
    """An exponentially weighted mean after one more value: mean + rate * (value - mean), for each mode."""
    a, b, c, d, e, f, g = mean
    u, v, w, x, y, z, last = values
    return (
        a + rate * (u - a),
        b + rate * (v - b),
        c + rate * (w - c),
        d + rate * (x - d),
        e + rate * (y - e),
        f + rate * (z - f),
        g + rate * (last - g),
    )


@dataclass(frozen=True, slots=True)
class Profile:
    """Who the agent is: fixed at creation, all of it optional (docs/engine.md, "Input").

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
    """What the agent just did: a mode index, how strongly (0..1) and how sure the report is (0..1).

    `incident`: something that a detector or a person has confirmed; for stress_response alone.
    """

    mode: int
    signal: float
    confidence: float = 1.0
    incident: bool = False


@dataclass(frozen=True, slots=True)
class Drift:
    """The distance between the agent and its anchor after a cycle.

    `level` is 0..3 for D0..D3, None until the anchor is set; `magnitude` the distance (>= 0) that was measured before any
    rollback; `deviation` its signed part for each mode; `rolled_back` whether D3 put the last stable state back.
    """

    level: int | None = None
    magnitude: float = 0.0
    deviation: Vector = ZERO
    rolled_back: bool = False
