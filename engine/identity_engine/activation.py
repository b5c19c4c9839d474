"""Step 1, mode activation: only the targeted mode moves, as an exponentially weighted mean of its signals.

    v' = v(1 - a) + s*a        a = alpha * confidence        a = alpha * beta * confidence for stress_response

v: strength in -1..1, s: signal strength in 0..1. Source: spec/engine.md, step 1 (alpha C, beta P).

>>> strengths, _ = activate((0.0,) * 7, (1.0,) * 7, Observation(6, 0.9))
>>> round(strengths[6], 6)
0.405
"""

from identity_engine.config import CONFIG, Config
from identity_engine.values import Observation, Vector
from identity_engine.vocabulary import STRESS_RESPONSE


def activate(strengths: Vector, coldness: Vector, observation: Observation, config: Config = CONFIG) -> tuple[Vector, Vector]:
    """Strengths and coldness after the observation. Coldness is the product of (1 - a) that step 6 corrects with."""
    mode = observation.mode
    a = config.alpha * observation.confidence
    if mode == STRESS_RESPONSE:
        a *= config.beta
    moved = strengths[mode] * (1 - a) + observation.signal * a
    colder = coldness[mode] * (1 - a)
    return (
        (*strengths[:mode], moved, *strengths[mode + 1 :]),
        (*coldness[:mode], colder, *coldness[mode + 1 :]),
    )
