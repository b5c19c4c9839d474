"""Explanation: for each of the fourteen actions, the rule that decided, its step, the figure behind it, and the way back.

Built only when asked for. The way back out of stress is not estimated but counted: the bleed of step 3 is played on calm turns
until the threshold is passed. Source: spec/engine.md, "The contract", last paragraph.
"""

from dataclasses import dataclass, replace

from identity_engine.arbitration import control_vector
from identity_engine.config import CONFIG, Config
from identity_engine.contract import action_space as rules
from identity_engine.memory import feedback
from identity_engine.memory.self_model import resilience_after
from identity_engine.state import State
from identity_engine.stress import Thresholds, bleed, thresholds
from identity_engine.values import Observation
from identity_engine.vocabulary import (
    ACTIONS,
    ALWAYS_FORBIDDEN,
    CONTRIBUTORS,
    MED,
    MODES,
    PERCEPTION,
    SAFE,
    STRESS_RESPONSE,
    STRESS_STATES,
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an action is allowed or not.

    `rule` and `step` name what decided; `because` says it with its figure; `returns_when` says what would bring a forbidden
    action back, None for an allowed one and for what never returns; `calm_cycles` counts the calm turns until then, None where
    calm alone does not do it.
    """

    action: str
    allowed: bool
    rule: str
    step: str
    because: str
    returns_when: str | None
    calm_cycles: int | None


def explain(state: State, config: Config = CONFIG) -> tuple[Reason, ...]:
    """One reason for each action, in vocabulary order, the always forbidden last."""
    past = feedback(state.memory, config)
    limits = thresholds(state.profile, past.spikes, config)
    space = rules.action_space(state, config=config)
    reasons = [
        _allowed(state, action, config)
        if action in space.allowed
        else _removed(state, action, space.removed[action], limits, config)
        for action in ACTIONS
    ]
    never = "forbidden always: no state, profile or setting allows it"
    reasons += [Reason(a, False, "always_forbidden", "vocabulary", never, None, None) for a in ALWAYS_FORBIDDEN]
    return tuple(reasons)


def calm_cycles(state: State, below: float, limits: Thresholds, config: Config = CONFIG) -> int:
    """How many calm turns bring |stress_response| under `below` (> 0)."""
    strength, turn = state.strengths[STRESS_RESPONSE], Observation(PERCEPTION, 0.0)
    cycles = 0
    while abs(strength) >= below:
        strength = bleed(strength, turn, limits, config)
        cycles += 1
    return cycles


def _allowed(state: State, action: str, config: Config) -> Reason:
    profile, level = state.profile, state.stress
    contributors = CONTRIBUTORS[action]
    if action in SAFE:
        rule, because = "safe", f"safe actions are guaranteed, now at {STRESS_STATES[level]}"
    elif action in rules.only_by_recovery(state, config):
        times = state.memory.episodic.recoveries
        rule, because = "past_recovery", f"{times} past recoveries guarantee it below OVER"
    elif profile.governance == "strict":
        active = rules.active_modes(state, config)
        modes = [m for m in contributors if m in active]
        figures = ", ".join(f"{MODES[m]} {abs(state.strengths[m]):.2f} >= {config.active_at:.2f}" for m in modes)
        because = f"contributed by an active mode: {figures}" if active else "no acting mode is active, so all are allowed"
        rule = "governance_strict"
    else:
        control = control_vector(state.strengths, level, profile, config)
        shares = ", ".join(f"{MODES[m]} has {control[m]:.2f} of control" for m in contributors)
        rule, because = f"governance_{profile.governance}", f"no rule removes it; {shares}"
    return Reason(action, True, rule, "contract: action space", because, None, None)


def _removed(state: State, action: str, rule: str, limits: Thresholds, config: Config) -> Reason:
    _, high, over = limits
    size = abs(state.strengths[STRESS_RESPONSE])
    level = STRESS_STATES[state.stress]
    contributors = CONTRIBUTORS[action]
    names = " or ".join(MODES[m] for m in contributors)

    def under_stress(limit: float, below: float, why: str) -> Reason:
        turns = calm_cycles(state, below, limits, config)
        back = f"|stress_response| must fall below {below:.2f}: about {turns} calm cycles at this rate"
        because = f"removed by stress {level}: |stress_response| {size:.2f} >= {limit:.2f}{why}"
        return Reason(action, False, rule, "3 stress", because, back, turns)

    if rule == rules.STRESS_OVER:
        return under_stress(over, _back_below(state, action, limits, config), "")
    if rule == rules.STRESS_HIGH:
        return under_stress(high, _back_below(state, action, limits, config), "")
    if rule == rules.LOW_RESILIENCE:
        resilience = state.memory.self_model.resilience
        why = f", and resilience {resilience:.2f} < {config.resilience_low:.2f}"
        return under_stress(limits[0], limits[0], why)
    step = "contract: action space"
    if rule == rules.NOT_ACTIVE:
        figures = ", ".join(f"{MODES[m]} {abs(state.strengths[m]):.2f} < {config.active_at:.2f}" for m in contributors)
        back = f"{names} must reach {config.active_at:.2f}"
        return Reason(action, False, rule, step, f"no active mode contributes it: {figures}", back, None)
    if rule == rules.SUPPRESSED:
        because = f"contributed by {names} alone, which the profile suppresses"
    else:
        because = f"the profile's risk posture is {state.profile.risk_posture}"
    return Reason(action, False, rule, step, because, "the profile would have to change, and it is fixed at creation", None)


def _back_below(state: State, action: str, limits: Thresholds, config: Config) -> float:
    """The threshold under which stress no longer removes the action, as the agent will be once this episode is over."""
    past = feedback(state.memory, config)
    over_in = calm_cycles(state, limits[1], limits, config)
    left = resilience_after(state.memory.self_model, state.memory.episodic.streak + over_in - 1, config)
    later = replace(past, guarded=config.memory_feedback and left < config.resilience_low)
    for level in range(state.stress - 1, 0, -1):
        if action in rules.action_space(state, level, past if level > MED else later, config).allowed:
            return limits[level]
    return limits[0]
