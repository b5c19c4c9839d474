"""Step 3, stress and system state.

Level from |v(stress_response)|: MED >= 0.30, HIGH >= 0.55, OVER >= 0.87. A volatile or chronic agent is at MED at least. On a
turn that does not target stress_response its strength bleeds toward zero: 0.02 at LOW and MED, 0.01 at HIGH, and 0.01 at OVER
if the turn is calm (s <= 0.5) or led by connection. HIGH or OVER enters the system state `stress`; three cycles in a row below
HIGH leave it. `growth` comes when calm, rested and stable for 20 cycles. Source: docs/engine.md, "Step 3: stress and system
state".

>>> stress_level(0.62775, thresholds(Profile(), spikes=0))
2
"""

from identity_engine.config import CONFIG, Config
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


def stress_level(strength: float, levels: Thresholds) -> int:
    """Rank of the stress state: 0 LOW .. 3 OVER."""
    size = abs(strength)
    if size < levels[0]:
        return LOW
    if size < levels[1]:
        return MED
    return HIGH if size < levels[2] else OVER


def bleed_step(strength: float, levels: Thresholds, config: Config = CONFIG) -> float:
    """What a calm turn takes off this strength of stress_response."""
    return config.bleed_low if stress_level(strength, levels) <= MED else config.bleed_high


def bleed(strength: float, observation: Observation, levels: Thresholds, config: Config = CONFIG) -> float:
    """Strength of stress_response after this turn's bleed; it never crosses zero."""
    if observation.mode == STRESS_RESPONSE or not strength:
        return strength
    loud = observation.signal > config.calm_signal and observation.mode != CONNECTION
    if loud and stress_level(strength, levels) == OVER:
        return strength
    step = bleed_step(strength, levels, config)
    return max(strength - step, 0.0) if strength > 0 else min(strength + step, 0.0)


def next_system(
    system: str,
    calm_streak: int,
    rested_streak: int,
    *,
    strength: float,
    level: int,
    energy: float,
    stability: float,
    config: Config = CONFIG,
) -> tuple[str, int, int]:
    """System state, calm streak and rested streak after the cycle, both in cycles.

    `strength` is that of stress_response, `level` the stress state, `stability` that before this cycle.
    """
    if level >= HIGH:
        return STRESS, 0, 0
    calm = calm_streak + 1
    rested = 0
    quiet = level == LOW and abs(strength) < config.growth_stress
    if quiet and energy >= config.growth_energy and stability >= config.growth_stability:
        rested = min(rested_streak + 1, config.growth_after)
    if system == STRESS and calm < config.calm_to_leave:
        return STRESS, calm, rested
    return GROWTH if rested >= config.growth_after else BASELINE, min(calm, config.calm_to_leave), rested
