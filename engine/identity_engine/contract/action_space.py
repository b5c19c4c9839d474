"""Action space: which of the twelve actions are allowed now, and the rule that removed each of the others.

`governance` picks the base:

    stress_only  all 12
    relaxed      all 12 less what only suppressed modes contribute and what an averse risk posture removes
    strict       of that, the safe four and what the active modes contribute; as relaxed while no acting mode is active

Then these act on every base, and none removes a safe action:

    MED                    removes the risky four of an agent that is volatile, chronic, or of low resilience after an episode
    HIGH                   removes the risky four and guarantees the safe four
    OVER                   leaves exactly the safe four
    after a rollback       removes the risky four for 20 cycles
    should_pause           removes the risky four
    should_escalate        leaves exactly the safe four

A past recovery guarantees comfort below OVER, unless should_escalate. So OVER is within HIGH within MED within LOW for one
state. Source: docs/engine.md, "Action space".
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from identity_engine.activation import active_modes
from identity_engine.config import CONFIG, Config
from identity_engine.contract.timing import Timing, timing
from identity_engine.memory import Feedback, feedback
from identity_engine.state import State
from identity_engine.values import Profile
from identity_engine.vocabulary import ACTIONS, CONTRIBUTES, HIGH, MED, OVER, RISKY, SAFE, STRESS_RESPONSE

AVERSE_REMOVES: Final = frozenset({"explore", "pivot", "challenge"})

#: Names of the rules, as explanations show them.
NOT_ACTIVE, SUPPRESSED, AVERSE = "governance_strict", "suppressed_modes", "risk_posture"
VOLATILE, CHRONIC, LOW_RESILIENCE = "volatile", "chronic", "low_resilience"
STRESS_HIGH, STRESS_OVER = "stress_high", "stress_over"
AFTER_ROLLBACK, PAUSE, ESCALATE = "after_rollback", "should_pause", "should_escalate"

#: Rules that a state brings whatever its stress.
_ANY_LEVEL: Final = (AFTER_ROLLBACK, PAUSE, ESCALATE)


@dataclass(frozen=True, slots=True)
class ActionSpace:
    """`allowed` actions, and for each other action the first rule that `removed` it.

    `guarded`: a rule about the agent's state, not its profile, took the risky four.
    """

    allowed: frozenset[str]
    removed: Mapping[str, str]
    guarded: bool


def acting_modes(state: State, config: Config = CONFIG) -> tuple[int, ...]:
    """Active modes but stress_response, which contributes no action."""
    return active_modes(state.strengths[:STRESS_RESPONSE], config)


def action_space(
    state: State,
    level: int | None = None,
    *,
    past: Feedback | None = None,
    when: Timing | None = None,
    config: Config = CONFIG,
) -> ActionSpace:
    """The action space of a state, or what it would be at another stress state (`level`, 0..3) or with another `past`.

    `when` is the state's timing, for callers that have it already.
    """
    profile = state.profile
    past = past or feedback(state.memory, config)
    when = when or timing(state, config)
    last_rollback = state.drift.last_rollback
    rules = (
        (VOLATILE, state.volatility.streak > 0),
        (CHRONIC, state.chronic.streak > 0),
        (LOW_RESILIENCE, past.guarded),
        (AFTER_ROLLBACK, last_rollback > 0 and state.cycle - last_rollback <= config.rollback_guard),
        (PAUSE, when.should_pause),
        (ESCALATE, when.should_escalate),
    )
    in_force = tuple([rule for rule, holds in rules if holds])
    active = acting_modes(state, config) if profile.governance == "strict" else ()
    return _space(profile, active, state.stress if level is None else level, past.comfort, in_force)


def only_by_recovery(state: State, config: Config = CONFIG) -> frozenset[str]:
    """Actions that are allowed now because of a past recovery and nothing else."""
    without = replace(feedback(state.memory, config), comfort=False)
    return action_space(state, config=config).allowed - action_space(state, past=without, config=config).allowed


@lru_cache(maxsize=8192)
def _space(profile: Profile, active: tuple[int, ...], level: int, comfort: bool, in_force: tuple[str, ...]) -> ActionSpace:
    removed: dict[str, str] = {}
    kept = SAFE | {"comfort"} if comfort and level < OVER and ESCALATE not in in_force else SAFE
    everything = frozenset(ACTIONS)

    def remove(actions: frozenset[str], rule: str) -> None:
        for action in ACTIONS:
            if action in actions and action not in kept:
                removed.setdefault(action, rule)

    if profile.governance != "stress_only":
        others = [CONTRIBUTES[m] for m in range(STRESS_RESPONSE) if m not in profile.suppressed_modes]
        remove(everything - frozenset[str]().union(*others), SUPPRESSED)
        if profile.risk_posture == "averse":
            remove(AVERSE_REMOVES, AVERSE)
    if profile.governance == "strict" and active:
        remove(everything - frozenset[str]().union(*(CONTRIBUTES[mode] for mode in active)), NOT_ACTIVE)

    acting = [rule for rule in in_force if rule in _ANY_LEVEL or level == MED]
    for rule in acting:
        if rule not in _ANY_LEVEL:
            remove(RISKY, rule)
    if level >= HIGH:
        remove(RISKY, STRESS_HIGH)
    if level == OVER:
        remove(everything - SAFE, STRESS_OVER)
    for rule in acting:
        if rule in _ANY_LEVEL:
            remove(everything - SAFE if rule == ESCALATE else RISKY, rule)
    allowed = frozenset(action for action in ACTIONS if action not in removed)
    return ActionSpace(allowed, MappingProxyType(removed), level >= HIGH or bool(acting))
