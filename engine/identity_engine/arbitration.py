"""Step 4, arbitration: how much each mode has to say.

    control[m] = max(v[m], 0) * weight[m] / sum        weight = base + 1.5 for a core mode, - 1 for a suppressed one, >= 0

Under stress, weight moves from exploration, assertion and connection to perception, order and identity. The vector sums to
1, or is all zero while no mode has strength. Source: docs/engine.md, "Step 4: arbitration", and its rows R8 and R9.

>>> explorer = Profile(core_modes=(0, 1), suppressed_modes=(2,), risk_posture="seeking")
>>> [round(c, 6) for c in control_vector((0.6, 0.7, 0.1, 0.2, 0.2, 0.4, 0.0), 0, explorer)]
[0.331034, 0.434483, 0.013793, 0.027586, 0.027586, 0.165517, 0.0]
"""

from functools import lru_cache

from identity_engine.config import CONFIG, Config
from identity_engine.values import ZERO, Profile, Vector
from identity_engine.vocabulary import IDENTITY, ORDER, PERCEPTION, STRESS_RESPONSE

_GROUNDING = frozenset({PERCEPTION, ORDER, IDENTITY})


@lru_cache(maxsize=4096)
def _weights(core: tuple[int, ...], suppressed: tuple[int, ...], level: int, config: Config) -> Vector:
    weights = []
    for mode, base in enumerate(config.weights):
        if mode == STRESS_RESPONSE:
            weights.append(base)
            continue
        shift = config.weight_shift[level]
        weight = base + (shift if mode in _GROUNDING else -shift)
        weight += config.weight_core * (mode in core) + config.weight_suppressed * (mode in suppressed)
        weights.append(max(weight, 0.0))
    return tuple(weights)


def control_vector(strengths: Vector, level: int, profile: Profile, config: Config = CONFIG) -> Vector:
    """Share of control of each mode in 0..1 at the stress level `level`."""
    weights = _weights(profile.core_modes, profile.suppressed_modes, level, config)
    shares = [v * w if v > 0 else 0.0 for v, w in zip(strengths, weights, strict=True)]
    total = 0.0
    for share in shares:
        total += share
    if not total:
        return ZERO
    return tuple([share / total for share in shares])


def leading(control: Vector) -> int | None:
    """The mode with the most control, the earlier one in mode order on a tie; None when none has any."""
    most = max(control)
    return control.index(most) if most > 0 else None
