"""Step 2, energy: recovers out of stress, drains under it. Uses the system state before this cycle.

    baseline, growth:  e' = clamp(e + 0.10 - k * 0.02 * min(active modes, 4), floor, 1)        floor 0.20
    stress:            e' = clamp(e - k * 0.13, 0, 1)                                          floor lifted

k: 0.5 with a conservative energy policy, 1.5 with an aggressive one. stress_response costs nothing. Source: spec/engine.md,
step 2.

>>> next_energy(0.9, (0.0,) * 7, "baseline", Profile(), near_empty_past=False)
1.0
>>> next_energy(1.0, (0.0,) * 7, "stress", Profile(), near_empty_past=False)
0.87
"""

from identity_engine.config import CONFIG, Config
from identity_engine.values import Profile, Vector
from identity_engine.vocabulary import STRESS


def cost_factor(profile: Profile, config: Config = CONFIG) -> float:
    """What the profile's energy policy multiplies every cost with."""
    if profile.energy_policy == "conservative":
        return config.energy_policy_conservative
    return config.energy_policy_aggressive if profile.energy_policy == "aggressive" else 1.0


def burn(strengths: Vector, system: str, profile: Profile, config: Config = CONFIG) -> float:
    """Net energy lost a cycle in this state; negative while it recovers."""
    factor = cost_factor(profile, config)
    if system == STRESS:
        return factor * config.energy_stress_cost
    at = config.active_at
    active = 0
    for v in strengths[:6]:
        if v >= at or v <= -at:
            active += 1
    return factor * config.energy_mode_cost * min(active, config.energy_modes_counted) - config.energy_recovery


def next_energy(
    energy: float, strengths: Vector, system: str, profile: Profile, *, near_empty_past: bool, config: Config = CONFIG
) -> float:
    """Energy (0..1) after the cycle. A past near empty raises the floor out of stress (step 8's feedback)."""
    left = min(energy - burn(strengths, system, profile, config), 1.0)
    if system == STRESS:
        return max(left, 0.0)
    return max(left, config.energy_floor_raised if near_empty_past else config.energy_floor)
