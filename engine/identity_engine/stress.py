"""Step 3, stress and system state.

Level from |v(stress_response)|: MED >= 0.30, HIGH >= 0.55, OVER >= 0.87. On a turn that does not target stress_response it
bleeds toward zero: 0.02 at LOW and MED, 0.01 at HIGH, and 0.01 at OVER if the turn is calm (s <= 0.5) or led by connection.
HIGH or OVER enters the system state `stress`; three cycles in a row below HIGH leave it. `growth` comes when LOW, rested and
stable for 20 cycles. Source: spec/engine.md, step 3.

>>> stress_level(0.62775, thresholds(Profile(), spikes=0))
2
"""

from identity_engine.config import CONFIG, Config
from identity_engine.state import State
from identity_engine.values import Observation, Profile
from identity_engine.vocabulary import BASELINE, CONNECTION, GROWTH, HIGH, LOW, MED, OVER, STRESS, STRESS_RESPONSE

Thresholds = tuple[float, float, float]


def thresholds(profile: Profile, spikes: int, config: Config = CONFIG) -> Thresholds:
    """Strengths of stress_response from which stress is MED, HIGH, OVER for this profile and past."""
    shift = 0.0
    if profile.stress_tolerance == "fragile":
        shift = -config.stress_tolerance_shift
    elif profile.stress_tolerance == "resilient":
        shift = config.stress_tolerance_shift
    if spikes >= config.stress_spikes_from:
        shift -= config.stress_spikes_shift
    return config.stress_med, config.stress_high + shift, config.stress_over + shift


def stress_level(strength: float, limits: Thresholds) -> int:
    """Rank of the stress state: 0 LOW .. 3 OVER."""
    size = abs(strength)
    if size < limits[0]:
        return LOW
    if size < limits[1]:
        return MED
    return HIGH if size < limits[2] else OVER


def bleed(strength: float, observation: Observation, limits: Thresholds, config: Config = CONFIG) -> float:
    """Strength of stress_response after what this turn lets it bleed; it never crosses zero."""
    if observation.mode == STRESS_RESPONSE or not strength:
        return strength
    level = stress_level(strength, limits)
    if level == OVER and observation.signal > config.calm_signal and observation.mode != CONNECTION:
        return strength
    step = config.bleed_low if level <= MED else config.bleed_high
    return max(strength - step, 0.0) if strength > 0 else min(strength + step, 0.0)


def next_system(state: State, level: int, energy: float, config: Config = CONFIG) -> tuple[str, int, int]:
    """System state, calm streak and rested streak after the cycle, both in cycles."""
    if level >= HIGH:
        return STRESS, 0, 0
    calm = state.calm_streak + 1
    rested = 0
    if level == LOW and energy >= config.growth_energy and state.stability >= config.growth_stability:
        rested = min(state.rested_streak + 1, config.growth_after)
    if state.system == STRESS and calm < config.calm_to_leave:
        return STRESS, calm, rested
    return GROWTH if rested >= config.growth_after else BASELINE, min(calm, config.calm_to_leave), rested
