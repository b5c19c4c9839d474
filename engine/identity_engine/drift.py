"""Step 6, drift: how far the agent has moved from the anchor of its own past, and what is done about it.

    deviation[m] = (v[m] - anchor[m] * (1 - w[m])) / max(1 - w[m], 0.5)
    distance     = sqrt(sum(deviation[m]^2) / 7)          the deviation of stress_response is its strength
    D0 < 0.08 <= D1 < 0.24 <= D2 < 0.40 <= D3

w is the product of (1 - a) over the mode's updates, 0 for a strength given at birth: a mean started at zero is short of its
value by that share, on both sides of the difference. The anchor holds means, v / (1 - w): those of the 20th counted report, or
of the first later one below HIGH. It follows by 0.02 while the distance is under D0.

A young agent (until its 100th counted report) shows a shift, and nothing is done about it: D2 at most, unless it breaks a core
mode. At the end of youth the anchor is set anew. From then on a shift of D3's size that is sudden (up by 0.24 or more within 20
cycles), or one that breaks a core mode, is D3: the last stable state is put back. Stress is no character: what D3 judges is the
distance without it. The second rollback within 60 cycles asks for
a pause, the third for a human; after the third nothing is rolled back until somebody decides. Source: docs/engine.md, "Step 6:
drift".
"""

from dataclasses import dataclass, field
from math import sqrt

from identity_engine.config import CONFIG, Config
from identity_engine.values import Drift, Profile, Vector, ewma, norm
from identity_engine.vocabulary import D0, D1, D2, D3, HIGH, LOW, STRESS_RESPONSE

_ROOT: float = sqrt(7)


@dataclass(frozen=True, slots=True)
class RestPoint:
    """The last stable state: modes, energy and anchor of the last cycle at D0 and LOW. A birth counts as one."""

    strengths: Vector
    coldness: Vector
    energy: float
    anchor: Vector | None = None


@dataclass(frozen=True, slots=True)
class DriftState:
    """All that drift remembers.

    `reports` counts those with a confidence above 0. `youth` is the count from which youth may end, 0 once it has ended.
    `distances` are those of the character over the last 20 cycles, oldest first, each measured after the cycle's own change, to
    6 decimals (all 20 in full would be a tenth of the state). `rollbacks` counts
    those that still matter, `last_rollback` is the cycle of the last one, 0 for none. `last` is what the last cycle came to.
    """

    rest: RestPoint
    anchor: Vector | None = None
    reports: int = 0
    youth: int = CONFIG.youth_reports
    distances: tuple[float, ...] = ()
    rollbacks: int = 0
    last_rollback: int = 0
    last: Drift = field(default_factory=Drift)

    @property
    def distance(self) -> float:
        """Distance of the character to its anchor after the last cycle; 0 without an anchor."""
        return self.distances[-1] if self.distances else 0.0


def rest_point(strengths: Vector, coldness: Vector, energy: float, anchor: Vector | None, level: int) -> RestPoint:
    """The agent as it is, to come back to: without its stress unless it is LOW."""
    if level > LOW:
        strengths, coldness = (*strengths[:STRESS_RESPONSE], 0.0), (*coldness[:STRESS_RESPONSE], 1.0)
    return RestPoint(strengths, coldness, energy, anchor)


def mean_strengths(strengths: Vector, coldness: Vector) -> Vector:
    """Mean signal of each mode, v / (1 - w) within -1..1. 0 for a mode never reported and for stress_response."""
    acting = zip(strengths[:STRESS_RESPONSE], coldness, strict=False)
    means = [0.0 if w == 1 else 1.0 if (mean := v / (1 - w)) > 1 else -1.0 if mean < -1 else mean for v, w in acting]
    return (*means, 0.0)


def deviation_from(anchor: Vector, strengths: Vector, coldness: Vector, config: Config = CONFIG) -> Vector:
    """Signed deviation of each acting mode, its start-up bias taken out as far as `warm_cap` allows; stress as it is."""
    least = config.warm_cap
    acting = zip(strengths[:STRESS_RESPONSE], coldness, anchor, strict=False)
    deviation = [(v - a * (warmth := 1 - w)) / (warmth if warmth > least else least) for v, w, a in acting]
    return (*deviation, strengths[STRESS_RESPONSE])


def distance(deviation: Vector) -> float:
    """Root mean square over the seven modes."""
    return norm(deviation) / _ROOT


def character_distance(deviation: Vector) -> float:
    """The distance of the acting modes alone: a crisis is stress, not another character."""
    a, b, c, d, e, f, _ = deviation
    return sqrt(a * a + b * b + c * c + d * d + e * e + f * f) / _ROOT


def drift_thresholds(profile: Profile, config: Config = CONFIG) -> tuple[float, float, float]:
    """Distances from which drift is D1, D2, D3 under the profile's drift tolerance."""
    if profile.drift_tolerance == "normal":
        return config.drift_d1, config.drift_d2, config.drift_d3
    strict = profile.drift_tolerance == "strict"
    factor = config.drift_tolerance_strict if strict else config.drift_tolerance_permissive
    return config.drift_d1 * factor, config.drift_d2 * factor, config.drift_d3 * factor


def breaks_core(deviation: Vector, profile: Profile, config: Config = CONFIG) -> bool:
    """Whether a core mode has fallen so far under its anchor that the agent is another."""
    return any(deviation[mode] <= -config.core_break for mode in profile.core_modes)


def is_drifting(level: int | None) -> bool:
    """Whether a level counts as drift: D1 or above."""
    return bool(level)


def restore(rest: RestPoint, strengths: Vector, coldness: Vector, *, keep_stress: bool) -> tuple[Vector, Vector, Vector]:
    """Strengths, coldness and anchor of the last stable state; a rollback keeps the stress that there is, a reset does not."""
    anchor = rest.anchor or mean_strengths(rest.strengths, rest.coldness)
    if not keep_stress:
        return rest.strengths, rest.coldness, anchor
    return (
        (*rest.strengths[:STRESS_RESPONSE], strengths[STRESS_RESPONSE]),
        (*rest.coldness[:STRESS_RESPONSE], coldness[STRESS_RESPONSE]),
        anchor,
    )


def step(
    past: DriftState,
    strengths: Vector,
    coldness: Vector,
    *,
    counted: bool,
    cycle: int,
    level: int,
    volatile: bool,
    energy: float,
    profile: Profile,
    config: Config = CONFIG,
) -> tuple[DriftState, Vector, Vector]:
    """What drift remembers after the cycle, and strengths and coldness, which a rollback changes.

    `counted`: the report had a confidence above 0. `level`: the stress state. `volatile`: as step 3 found it.
    """
    reports = past.reports + counted
    anchor, rest, youth = past.anchor, past.rest, past.youth
    if anchor is None:
        if counted and reports >= config.anchor_reports and level < HIGH:
            anchor = mean_strengths(strengths, coldness)
        return DriftState(rest, anchor, reports, youth), strengths, coldness

    deviation = deviation_from(anchor, strengths, coldness, config)
    broken = breaks_core(deviation, profile, config)
    if youth and reports >= youth and level < HIGH and not volatile and not broken:
        youth, anchor = 0, mean_strengths(strengths, coldness)
        rest = rest_point(strengths, coldness, energy, anchor, level)
        deviation = deviation_from(anchor, strengths, coldness, config)
    magnitude, character = distance(deviation), character_distance(deviation)

    rollbacks, last_rollback = past.rollbacks, past.last_rollback
    if rollbacks < config.rollbacks_most and cycle - last_rollback > config.rollback_memory:
        rollbacks = 0
    d1, d2, d3 = drift_thresholds(profile, config)
    drift_level, rolled_back = D0 if magnitude < d1 else D1 if magnitude < d2 else D2, False
    if character >= d3:
        distances = past.distances
        sudden = not youth and bool(distances) and character - min(distances) >= config.drift_rise
        if sudden or broken:
            drift_level, rolled_back = D3, rollbacks < config.rollbacks_most
    if volatile and drift_level == D0:
        drift_level = D1

    if rolled_back:
        strengths, coldness, anchor = restore(rest, strengths, coldness, keep_stress=True)
        character = character_distance(deviation_from(anchor, strengths, coldness, config))
        rollbacks, last_rollback = rollbacks + 1, cycle
    elif magnitude < d1:
        anchor = ewma(anchor, mean_strengths(strengths, coldness), config.anchor_rate)
        if drift_level == D0 and level == LOW:
            rest = RestPoint(strengths, coldness, energy, anchor)
    return (
        DriftState(
            rest,
            anchor,
            reports,
            youth,
            (*past.distances, round(character, 6))[-config.drift_window :],
            rollbacks,
            last_rollback,
            Drift(drift_level, magnitude, deviation, rolled_back),
        ),
        strengths,
        coldness,
    )
