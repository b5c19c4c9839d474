"""Step 1, mode activation: only the targeted mode moves, as an exponentially weighted mean of its signals.

    v' = v(1 - a) + s*a        a = alpha * confidence        a = alpha * beta * confidence for stress_response

v: strength in -1..1, s: signal strength in 0..1. A report of stress never leaves less stress than a calm turn would:
v' = max(v', v - step of the bleed). An incident leaves at least HIGH + 0.05 at once. Source: docs/engine.md, "Step 1: mode
activation" (alpha C, beta P).

>>> from identity_engine.stress import thresholds
>>> from identity_engine.values import Profile
>>> strengths, _ = activate((0.0,) * 7, (1.0,) * 7, Observation(6, 0.9), thresholds(Profile(), 0))
>>> round(strengths[6], 6)
0.405
"""

from identity_engine.config import CONFIG, Config
from identity_engine.stress import Thresholds, bleed_step
from identity_engine.values import Observation, Vector
from identity_engine.vocabulary import STRESS_RESPONSE


def active_modes(strengths: Vector, config: Config = CONFIG) -> tuple[int, ...]:
    """Modes, stress_response among them, with |strength| at or above the activity threshold."""
    at = config.active_at
    return tuple([mode for mode, v in enumerate(strengths) if v >= at or v <= -at])


def activate(
    strengths: Vector, coldness: Vector, observation: Observation, levels: Thresholds, config: Config = CONFIG
) -> tuple[Vector, Vector]:
    """Strengths and coldness after the observation. Coldness is the product of (1 - a) that step 6 corrects with.

    `levels` are the strengths of stress_response at which MED, HIGH and OVER begin for this agent.
    """
    mode = observation.mode
    before = strengths[mode]
    a = config.alpha * observation.confidence
    if mode == STRESS_RESPONSE:
        a *= config.beta
    after = before * (1 - a) + observation.signal * a
    if mode == STRESS_RESPONSE:
        after = max(after, before - bleed_step(before, levels, config))
        if observation.incident:
            after = max(after, levels[1] + config.incident_above_high)
    return (
        (*strengths[:mode], after, *strengths[mode + 1 :]),
        (*coldness[:mode], coldness[mode] * (1 - a), *coldness[mode + 1 :]),
    )
