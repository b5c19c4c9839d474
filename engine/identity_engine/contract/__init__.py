"""Step 9, the ExecutionContract: what a state allows, and how to act on it.

One module for each dimension (action space, timing, goals, trust, personality), one for style, one for the narrative, and one
that explains.
"""

from identity_engine.contract.assemble import Contract, contract
from identity_engine.contract.explanation import Reason, calm_turn, explain
from identity_engine.contract.goals import COMPLEXITIES, GoalAssessment, assess_goal
from identity_engine.contract.timing import timing

__all__ = ["COMPLEXITIES", "Contract", "GoalAssessment", "Reason", "assess_goal", "calm_turn", "contract", "explain", "timing"]
