"""Step 6, drift: how far the agent has moved from the anchor of its own past.

    warm[m]  = v[m] / max(1 - w[m], 0.5)        w: product of (1 - a) over the mode's updates, 0 for a strength given at birth
    distance = sqrt(sum((warm[m] - anchor[m])^2) / 7)
    D0 < 0.08 <= D1 < 0.24 <= D2 < 0.40 <= D3

D3 must also be sudden (up by 0.24 or more within 20 cycles) or break a core mode, else a shift of that size is D2. It puts
back the last stable state. The anchor is set at cycle 20 and follows only at D0. Source: spec/engine.md, step 6. Sums are
plain loops: the built-in sum() of floats differs between Python versions.
"""

from math import sqrt

from identity_engine.config import CONFIG, Config
from identity_engine.values import Drift, Profile, Vector
from identity_engine.vocabulary import D0, D1, D2, D3


def warm_strengths(strengths: Vector, coldness: Vector, config: Config = CONFIG) -> Vector:
    """Strengths with the start-up bias of their mean taken out, as far as `warm_cap` allows."""
    least = config.warm_cap
    return tuple([v / (1 - w if 1 - w > least else least) for v, w in zip(strengths, coldness, strict=True)])


def distance(deviation: Vector) -> float:
    """Root mean square over the seven modes."""
    total = 0.0
    for d in deviation:
        total += d * d
    return sqrt(total / 7)


def limits(profile: Profile, config: Config = CONFIG) -> tuple[float, float, float]:
    """Distances from which drift is D1, D2, D3 under the profile's drift tolerance."""
    if profile.drift_tolerance == "normal":
        return config.drift_d1, config.drift_d2, config.drift_d3
    strict = profile.drift_tolerance == "strict"
    factor = config.drift_tolerance_strict if strict else config.drift_tolerance_permissive
    return config.drift_d1 * factor, config.drift_d2 * factor, config.drift_d3 * factor


def measure(warm: Vector, anchor: Vector, recent: tuple[float, ...], profile: Profile, config: Config = CONFIG) -> Drift:
    """Level, magnitude and signed deviation; `recent` are the distances of the last cycles. D3 means: roll back."""
    deviation = tuple([x - a for x, a in zip(warm, anchor, strict=True)])
    magnitude = distance(deviation)
    d1, d2, d3 = limits(profile, config)
    if magnitude < d1:
        level = D0
    elif magnitude < d2:
        level = D1
    elif magnitude < d3:
        level = D2
    else:
        sudden = bool(recent) and magnitude - min(recent) >= config.drift_rise
        broken = any(deviation[mode] <= -config.core_break for mode in profile.core_modes)
        level = D3 if sudden or broken else D2
    return Drift(level, magnitude, deviation, level == D3)


def follow(anchor: Vector, warm: Vector, config: Config = CONFIG) -> Vector:
    """The anchor one step nearer to where the agent is; called at D0 only."""
    rate = config.anchor_rate
    return tuple([a + rate * (x - a) for a, x in zip(anchor, warm, strict=True)])
