"""Explanation: for each of the fourteen actions, the rule that decided, its step, the figure behind it, and the way back.

Built only when asked for. The way back is not estimated: `process` is played on calm turns, at most 100, until the action is
allowed, so it is exact by construction. Where calm turns do not bring an action back, the reason says what does. Source:
docs/engine.md, "Explanation".
"""

from collections.abc import Mapping
from dataclasses import dataclass

from identity_engine.arbitration import control_vector
from identity_engine.config import CONFIG, Config
from identity_engine.contract import action_space as rules
from identity_engine.contract.timing import Timing, needs_decision, timing
from identity_engine.cycle import process
from identity_engine.drift import mean_strengths
from identity_engine.memory import feedback
from identity_engine.state import State
from identity_engine.stress import thresholds
from identity_engine.values import Observation
from identity_engine.vocabulary import (
    ACTIONS,
    ALWAYS_FORBIDDEN,
    CONTRIBUTORS,
    MODES,
    PERCEPTION,
    SAFE,
    STRESS_RESPONSE,
    STRESS_STATES,
)
from identity_engine.volatility import volatility

_SPACE = "contract: action space"


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
    when = timing(state, config)
    space = rules.action_space(state, when=when, config=config)
    back = _calm_cycles(state, space.removed, config)
    reasons = [
        _allowed(state, action, config)
        if action in space.allowed
        else _removed(state, action, space.removed[action], back.get(action), when, config)
        for action in ACTIONS
    ]
    never = "forbidden always: no state, profile or setting allows it"
    reasons += [Reason(a, False, "always_forbidden", "vocabulary", never, None, None) for a in ALWAYS_FORBIDDEN]
    return tuple(reasons)


def calm_turn(state: State, config: Config = CONFIG) -> Observation:
    """A quiet, routine turn of this agent: its leading mode, as strongly as it is used to, at most 0.5.

    Its confidence is 0, so that the modes keep still and what changes is what calm alone changes.
    """
    mode = PERCEPTION if state.leader in (None, STRESS_RESPONSE) else state.leader
    usual = mean_strengths(state.strengths, state.coldness)[mode]
    return Observation(mode, min(max(usual, 0.0), config.calm_signal), 0.0)


def _calm_cycles(state: State, removed: Mapping[str, str], config: Config) -> dict[str, int]:
    """After how many calm turns each removed action is allowed; those that do not come back in time are missing."""
    turn = calm_turn(state, config)
    found: dict[str, int] = {}
    # Rules of the profile are fixed, so playing on for them is in vain.
    waiting = {action for action, rule in removed.items() if rule not in (rules.SUPPRESSED, rules.AVERSE)}
    for cycle in range(1, config.explain_turns + 1):
        if not waiting:
            break
        state, _ = process(state, turn, config)
        allowed = rules.action_space(state, config=config).allowed
        found |= dict.fromkeys(waiting & allowed, cycle)
        waiting -= allowed
    return found


def _allowed(state: State, action: str, config: Config) -> Reason:
    profile, level = state.profile, state.stress
    contributors = CONTRIBUTORS[action]
    if action in SAFE:
        rule, because = "safe", f"safe actions are guaranteed, now at {STRESS_STATES[level]}"
    elif action in rules.only_by_recovery(state, config):
        times = state.memory.episodic.recoveries
        rule, because = "past_recovery", f"{times} past recoveries guarantee it below OVER"
    elif profile.governance == "strict":
        active = rules.acting_modes(state, config)
        modes = [m for m in contributors if m in active]
        figures = ", ".join(f"{MODES[m]} {abs(state.strengths[m]):.2f} >= {config.active_at:.2f}" for m in modes)
        because = (
            f"contributed by an active mode: {figures}" if active else "no acting mode is active, so strict removes nothing"
        )
        rule = "governance_strict"
    else:
        control = control_vector(state.strengths, level, profile, config)
        shares = ", ".join(f"{MODES[m]} has {control[m]:.2f} of control" for m in contributors)
        rule, because = f"governance_{profile.governance}", f"no rule removes it; {shares}"
    return Reason(action, True, rule, _SPACE, because, None, None)


def _removed(state: State, action: str, rule: str, calm: int | None, when: Timing, config: Config) -> Reason:
    step, because, condition = _cause(state, action, rule, when, config)
    if calm is not None:
        back = f"{condition}: {calm} calm cycles from now" if condition else f"after {calm} calm cycles"
    elif needs_decision(state, config) and rule not in (rules.SUPPRESSED, rules.AVERSE):
        back = "a decision: rebaseline or last_stable"
    elif rule in (rules.SUPPRESSED, rules.AVERSE, rules.NOT_ACTIVE):
        back = condition
    else:
        back = f"{condition}; {config.explain_turns} calm cycles do not do it. A decision does: rebaseline or last_stable"
    return Reason(action, False, rule, step, because, back, calm)


def _cause(state: State, action: str, rule: str, when: Timing, config: Config) -> tuple[str, str, str]:
    """The step of a rule, why it holds with its figure, and what must change for it to end."""
    _, high, over = thresholds(state.profile, feedback(state.memory, config).spikes, config)
    contributors = CONTRIBUTORS[action]
    names = " or ".join(MODES[m] for m in contributors)
    level, size = STRESS_STATES[state.stress], abs(state.strengths[STRESS_RESPONSE])
    stress = f"removed by stress {level}"
    above, below = f"{stress}: |stress_response| {size:.2f} >=", "|stress_response| must fall below"
    match rule:
        case rules.STRESS_OVER:
            return "3 stress", f"{above} {over:.2f}", f"{below} {over:.2f}"
        case rules.STRESS_HIGH:
            return "3 stress", f"{above} {high:.2f}", f"{below} {high:.2f}"
        case rules.VOLATILE:
            value = volatility(state.volatility, config)
            because = f"{stress}: volatility {value:.2f}, volatile from {config.volatile_from:.2f}"
            return "3 stress", because, f"volatility must fall below {config.volatile_until:.2f}"
        case rules.CHRONIC:
            because = f"{stress}: {state.chronic.count} of the last {config.chronic_window} reports were stress"
            return "3 stress", because, f"fewer than {config.chronic_from} must be"
        case rules.LOW_RESILIENCE:
            resilience = state.memory.self_model.resilience
            because = f"{above} {config.stress_med:.2f}, and resilience {resilience:.2f} < {config.resilience_low:.2f}"
            return "8 memory", because, f"{below} {config.stress_med:.2f}"
        case rules.AFTER_ROLLBACK:
            since = state.cycle - state.drift.last_rollback
            because = f"rolled back {since} cycles ago, {config.rollback_guard} cycles are guarded"
            return "6 drift", because, "the guard must end"
        case rules.PAUSE:
            return "contract: timing", f"the agent should pause: {when.pause_reason}", "the reason must end"
        case rules.ESCALATE:
            return "contract: timing", f"a human is needed: {when.escalation_reason}", "the reason must end"
        case rules.NOT_ACTIVE:
            figures = ", ".join(f"{MODES[m]} {abs(state.strengths[m]):.2f} < {config.active_at:.2f}" for m in contributors)
            return _SPACE, f"no active mode contributes it: {figures}", f"{names} must reach {config.active_at:.2f}"
        case rules.SUPPRESSED:
            because = f"contributed by {names} alone, which the profile suppresses"
        case _:
            because = f"the profile's risk posture is {state.profile.risk_posture}"
    return _SPACE, because, "the profile would have to change, and it is fixed at creation"
