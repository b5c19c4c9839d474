"""Step 2, energy: recovers out of stress, drains under it. Uses the system state before this cycle.

    baseline, growth          e' = clamp(e + 0.10 - min(k * 0.02 * min(active modes, 4), 0.08), floor, 1)       floor 0.20
    stress, a failure         e' = max(e - k * 0.13 * max(s - 0.5, 0) / 0.4, 0)           a report of stress; floor lifted
    stress, any other report  e' = min(e + 0.03, 1), or + 0.01 where s > 0.5              an agent that rests recovers

k: 0.5 with a conservative energy policy, 1.5 with an aggressive one. stress_response costs nothing. Source: docs/engine.md,
"Step 2: energy".

>>> calm, failure = Observation(0, 0.5), Observation(6, 0.9)
>>> next_energy(0.9, (0.0,) * 7, "baseline", failure, Profile(), near_empty_past=False)
1.0
>>> next_energy(1.0, (0.0,) * 7, "stress", failure, Profile(), near_empty_past=False)
0.87
>>> next_energy(0.5, (0.0,) * 7, "stress", calm, Profile(), near_empty_past=False)
0.53
"""

from identity_engine.activation import active_modes
from identity_engine.config import CONFIG, Config
from identity_engine.values import Observation, Profile, Vector
from identity_engine.vocabulary import STRESS, STRESS_RESPONSE


def cost_factor(profile: Profile, config: Config = CONFIG) -> float:
    """What the profile's energy policy multiplies every cost with."""
    if profile.energy_policy == "conservative":
        return config.energy_policy_conservative
    return config.energy_policy_aggressive if profile.energy_policy == "aggressive" else 1.0


def burn(strengths: Vector, system: str, profile: Profile, config: Config = CONFIG) -> float:
    """Net energy lost a cycle in this state, by a report of stress where there is stress; negative while it recovers."""
    factor = cost_factor(profile, config)
    if system == STRESS:
        return factor * config.energy_stress_cost
    active = min(len(active_modes(strengths[:STRESS_RESPONSE], config)), config.energy_modes_counted)
    return min(factor * config.energy_mode_cost * active - config.energy_recovery, -config.energy_least_gain)


def next_energy(
    energy: float,
    strengths: Vector,
    system: str,
    observation: Observation,
    profile: Profile,
    *,
    near_empty_past: bool,
    config: Config = CONFIG,
) -> float:
    """Energy (0..1) after the cycle. A past near empty raises the floor out of stress (step 8's feedback)."""
    if system == STRESS:
        excess = observation.signal - config.calm_signal
        if observation.mode != STRESS_RESPONSE:
            return min(energy + (config.energy_loud_gain if excess > 0 else config.energy_calm_gain), 1.0)
        share = max(excess, 0.0) / (config.energy_cost_signal - config.calm_signal)
        return max(energy - share * burn(strengths, system, profile, config), 0.0)
    after = min(energy - burn(strengths, system, profile, config), 1.0)
    return max(after, config.energy_floor_raised if near_empty_past else config.energy_floor)
