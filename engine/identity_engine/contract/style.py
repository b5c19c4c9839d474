"""Decision style, recovery profile and hard locks: how to act on what is allowed.

Source: docs/engine.md, "Style, recovery, locks"; every figure and rule here is C.
"""

from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.contract.action_space import ActionSpace
from identity_engine.state import State
from identity_engine.values import Vector
from identity_engine.vocabulary import (
    ASSERTION,
    CONNECTION,
    EXPLORATION,
    HIGH,
    IDENTITY,
    LOW,
    ORDER,
    OVER,
    PERCEPTION,
    RISK_POSTURES,
    STRESS,
)

_TEMPO = {PERCEPTION: "observant", EXPLORATION: "exploratory", ASSERTION: "decisive"}
#: The action without which a tempo makes no sense.
_NEEDS = {EXPLORATION: "explore", ASSERTION: "execute"}


@dataclass(frozen=True, slots=True)
class DecisionStyle:
    """tempo: measured, observant, exploratory, decisive. risk: a risk posture. The others: low, medium, high."""

    tempo: str
    risk: str
    expressiveness: str
    commitment_threshold: str


@dataclass(frozen=True, slots=True)
class RecoveryProfile:
    """preferred_path: baseline, rapid, gradual, oscillating."""

    preferred_path: str
    support_required: bool
    cooldown_required: bool


@dataclass(frozen=True, slots=True)
class HardLocks:
    """Limits for the caller's own decision loop; None where no lock is in force.

    option_set_max: options to weigh at a time (count). novelty_rate: share of new approaches, at most. noise_filter_min,
    exec_strictness_min, goal_resistance_min, pivot_threshold_min: least thresholds in 0..1.
    """

    option_set_max: int | None = None
    novelty_rate: float | None = None
    noise_filter_min: float | None = None
    exec_strictness_min: float | None = None
    goal_resistance_min: float | None = None
    pivot_threshold_min: float | None = None


def decision_style(state: State, control: Vector, space: ActionSpace, config: Config = CONFIG) -> DecisionStyle:
    """Style from the leading mode and the profile; whatever takes the risky actions makes it slower and safer."""
    level, leader = state.stress, state.leader
    tempo = "measured"
    if not space.guarded and leader is not None and _NEEDS.get(leader, "clarify") in space.allowed:
        tempo = _TEMPO.get(leader, tempo)
    # Postures stand from boldest to safest: HIGH allows bounded at the boldest, OVER only averse.
    boldest = {HIGH: "bounded", OVER: "averse"}.get(level, "averse" if space.guarded else "seeking")
    risk = max(state.profile.risk_posture, boldest, key=RISK_POSTURES.index)

    outward = control[EXPLORATION] + control[ASSERTION] + control[CONNECTION]
    voice = 2 if outward >= config.voice_high else 1 if outward >= config.voice_medium or not any(control) else 0
    if level >= HIGH:
        voice = max(voice - 1, 0) if level == HIGH else 0

    commitment = "low" if leader == ASSERTION else "medium"
    if level >= HIGH or leader in (ORDER, IDENTITY):
        commitment = "high"
    return DecisionStyle(tempo, risk, ("low", "medium", "high")[voice], commitment)


def recovery_profile(state: State, config: Config = CONFIG) -> RecoveryProfile:
    """How to come back: rapid out of MED, gradual out of HIGH and OVER, oscillating when the crises recur."""
    if state.stress >= HIGH:
        path = "oscillating" if state.memory.episodic.spikes >= config.stress_spikes_from else "gradual"
    elif state.stress == LOW and state.system != STRESS:
        path = "baseline"
    else:
        path = "rapid"
    spent = state.system == STRESS and state.energy <= config.energy_floor
    return RecoveryProfile(path, state.stress == OVER or spent, state.system == STRESS)


def hard_locks(state: State, config: Config = CONFIG) -> HardLocks:
    """In force only at OVER (option set, novelty, noise, strictness) and when identity is very high (goals, pivots)."""
    over = state.stress == OVER
    firm = state.strengths[IDENTITY] >= config.identity_lock_at
    return HardLocks(
        option_set_max=config.lock_options if over else None,
        novelty_rate=config.lock_novelty if over else None,
        noise_filter_min=config.lock_noise if over else None,
        exec_strictness_min=config.lock_strictness if over else None,
        goal_resistance_min=config.lock_goals if firm else None,
        pivot_threshold_min=config.lock_pivot if firm else None,
    )
