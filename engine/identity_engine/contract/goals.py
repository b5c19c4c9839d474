"""Goals: should the agent take this one on now?

    critical at HIGH or OVER                                reject
    needs a mode the profile suppresses                     defer
    should_pause or should_escalate                         defer
    above low at OVER                                       defer
    needs a mode that has no allowed action now             defer
    costs more energy than is left                          defer        low 0.05, medium 0.15, high 0.30, critical 0.45
    else                                                    accept

The first that holds decides, so nothing is accepted that the contract forbids. Source: docs/engine.md, "Trust, goals,
personality"; costs C.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from identity_engine.config import CONFIG, Config
from identity_engine.contract.action_space import action_space
from identity_engine.contract.timing import timing
from identity_engine.energy import cost_factor
from identity_engine.state import State
from identity_engine.vocabulary import CONTRIBUTES, HIGH, MODES, OVER, STRESS_STATES

COMPLEXITIES: Final = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class GoalAssessment:
    """`decision`: accept, defer, reject. `cost` and `budget` in energy, 0..1."""

    decision: str
    reason: str
    cost: float
    budget: float


def assess_goal(state: State, complexity: str, required_modes: Sequence[int] = (), config: Config = CONFIG) -> GoalAssessment:
    """Assess a goal of one of `COMPLEXITIES` (ValueError for another word) that needs the given modes, by index."""
    cost = config.goal_cost[COMPLEXITIES.index(complexity)] * cost_factor(state.profile, config)
    decision, reason = _decide(state, complexity, required_modes, cost, config)
    return GoalAssessment(decision, reason, cost, state.energy)


def _decide(state: State, complexity: str, modes: Sequence[int], cost: float, config: Config) -> tuple[str, str]:
    level = STRESS_STATES[state.stress]
    if complexity == "critical" and state.stress >= HIGH:
        return "reject", f"critical goals are rejected at {level}"
    suppressed = [MODES[mode] for mode in modes if mode in state.profile.suppressed_modes]
    if suppressed:
        return "defer", f"it needs {', '.join(suppressed)}, which the profile suppresses"
    when = timing(state, config)
    if when.should_escalate:
        return "defer", f"a human is needed first: {when.escalation_reason}"
    if when.should_pause:
        return "defer", f"the agent should pause: {when.pause_reason}"
    if state.stress == OVER and complexity != "low":
        return "defer", f"only low goals are taken on at {level}"
    allowed = action_space(state, when=when, config=config).allowed
    blocked = [MODES[mode] for mode in modes if not CONTRIBUTES[mode] & allowed]
    if blocked:
        return "defer", f"it needs {', '.join(blocked)}, which has no allowed action now"
    if cost > state.energy:
        return "defer", f"it costs {cost:.2f} energy and {state.energy:.2f} is left"
    return "accept", f"it costs {cost:.2f} of {state.energy:.2f} energy"
