"""Goals: should the agent take this one on now?

    critical at HIGH or OVER               reject
    needs a mode the profile suppresses    defer
    costs more energy than is left         defer        low 0.05, medium 0.15, high 0.30, critical 0.45
    else                                   accept

The first that holds decides. Source: spec/engine.md, "The contract"; costs C.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from identity_engine.config import CONFIG, Config
from identity_engine.energy import cost_factor
from identity_engine.state import State
from identity_engine.vocabulary import HIGH, MODES, STRESS_STATES

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
    budget = state.energy
    missing = [MODES[mode] for mode in required_modes if mode in state.profile.suppressed_modes]
    if complexity == "critical" and state.stress >= HIGH:
        return GoalAssessment("reject", f"critical goals are rejected at {STRESS_STATES[state.stress]}", cost, budget)
    if missing:
        return GoalAssessment("defer", f"it needs {', '.join(missing)}, which the profile suppresses", cost, budget)
    if cost > budget:
        return GoalAssessment("defer", f"it costs {cost:.2f} energy and {budget:.2f} is left", cost, budget)
    return GoalAssessment("accept", f"it costs {cost:.2f} of {budget:.2f} energy", cost, budget)
