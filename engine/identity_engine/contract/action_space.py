"""Action space: which of the twelve actions are allowed now, and the rule that removed each of the others.

`governance` picks the base:

    strict       the safe four and what the active modes contribute; all 12 while no acting mode is active
    relaxed      all 12 less what only suppressed modes contribute and what an averse risk posture removes
    stress_only  all 12

Then stress acts on every base: HIGH removes the risky four and guarantees the safe four, OVER leaves exactly the safe four.
Memory acts with it: low resilience after an episode removes the risky four already at MED, and a past recovery guarantees
comfort below OVER. No rule removes a safe action, so OVER is within HIGH within MED within LOW for one state. Source:
spec/engine.md, "The contract".
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from identity_engine.config import CONFIG, Config
from identity_engine.memory import Feedback, feedback
from identity_engine.state import State
from identity_engine.values import Profile
from identity_engine.vocabulary import ACTIONS, CONTRIBUTES, HIGH, MED, OVER, RISKY, SAFE, STRESS_RESPONSE

AVERSE_REMOVES: Final = frozenset({"explore", "pivot", "challenge"})

#: Names of the rules, as explanations show them.
NOT_ACTIVE, SUPPRESSED, AVERSE = "governance_strict", "suppressed_modes", "risk_posture"
LOW_RESILIENCE, STRESS_HIGH, STRESS_OVER = "low_resilience", "stress_high", "stress_over"


@dataclass(frozen=True, slots=True)
class ActionSpace:
    """`allowed` actions, and for each other action the one rule that `removed` it."""

    allowed: frozenset[str]
    removed: Mapping[str, str]


def active_modes(state: State, config: Config = CONFIG) -> tuple[int, ...]:
    """Acting modes (all but stress_response) with |strength| at or above the activity threshold."""
    at = config.active_at
    return tuple([m for m in range(STRESS_RESPONSE) if abs(state.strengths[m]) >= at])


def action_space(state: State, level: int | None = None, past: Feedback | None = None, config: Config = CONFIG) -> ActionSpace:
    """The action space of a state, or what it would be at another stress state (`level`, 0..3) or with another `past`."""
    profile, past = state.profile, past or feedback(state.memory, config)
    active = active_modes(state, config) if profile.governance == "strict" else ()
    return _space(profile, active, state.stress if level is None else level, past.comfort, past.guarded)


def only_by_recovery(state: State, config: Config = CONFIG) -> frozenset[str]:
    """Actions that are allowed now because of a past recovery and nothing else."""
    without = replace(feedback(state.memory, config), comfort=False)
    return action_space(state, config=config).allowed - action_space(state, past=without, config=config).allowed


@lru_cache(maxsize=8192)
def _space(profile: Profile, active: tuple[int, ...], level: int, comfort: bool, guarded: bool) -> ActionSpace:
    removed: dict[str, str] = {}
    kept = SAFE | {"comfort"} if comfort and level < OVER else SAFE

    def remove(actions: frozenset[str], rule: str) -> None:
        for action in ACTIONS:
            if action in actions and action not in kept:
                removed.setdefault(action, rule)

    if profile.governance == "strict" and active:
        contributed = frozenset[str]().union(*(CONTRIBUTES[mode] for mode in active))
        remove(frozenset(ACTIONS) - contributed, NOT_ACTIVE)
    elif profile.governance == "relaxed":
        others = [CONTRIBUTES[m] for m in range(STRESS_RESPONSE) if m not in profile.suppressed_modes]
        remove(frozenset(ACTIONS) - frozenset[str]().union(*others), SUPPRESSED)
        if profile.risk_posture == "averse":
            remove(AVERSE_REMOVES, AVERSE)

    if level == MED and guarded:
        remove(RISKY, LOW_RESILIENCE)
    if level >= HIGH:
        remove(RISKY, STRESS_HIGH)
    if level == OVER:
        remove(frozenset(ACTIONS) - SAFE, STRESS_OVER)
    allowed = frozenset(action for action in ACTIONS if action not in removed)
    return ActionSpace(allowed, MappingProxyType(removed))
