"""Identity OS's engine: a pure, deterministic function from what an agent did to what it may do.

    process(state, observation) -> (state', drift)        contract(state') -> Contract

Same state and same observation give the same bytes, on every machine. The standard library alone: no clock, no randomness, no
I/O. Import from here; the modules below are its own affair.

>>> state, drift = process(birth(), Observation(MODES.index("stress_response"), 0.9))
>>> STRESS_STATES[state.stress], round(state.energy, 2), drift.level
('MED', 0.9, None)
"""

from identity_engine.arbitration import control_vector
from identity_engine.codec import canonical, decode, encode, restore, snapshot_id
from identity_engine.composites import persona_matches
from identity_engine.config import CONFIG, ENGINE_VERSION, Config
from identity_engine.contract import (
    COMPLEXITIES,
    Contract,
    GoalAssessment,
    Reason,
    assess_goal,
    calm_turn,
    contract,
    explain,
    timing,
)
from identity_engine.cycle import process, process_all
from identity_engine.personality_test import options, profile_of, question_ids, score, starting_strengths
from identity_engine.personas import PERSONA_BY_ID, PERSONAS, Persona
from identity_engine.questions import QUESTIONS, VERSIONS
from identity_engine.reset import RESETS, reset
from identity_engine.state import State, birth
from identity_engine.values import Drift, Observation, Profile, Vector
from identity_engine.views import (
    MODE_CONSTANTS,
    MODE_TITLES,
    contract_view,
    drift_event_view,
    drift_view,
    edge,
    explanation_view,
    goal_view,
    memory_view,
    mode_map,
    snapshot_view,
    thresholds_view,
    turn_view,
)
from identity_engine.vocabulary import (
    ACTIONS,
    ALWAYS_FORBIDDEN,
    DRIFT_LEVELS,
    DRIFT_TOLERANCES,
    ENERGY_POLICIES,
    GOVERNANCE,
    MODE_INDEX,
    MODES,
    RISK_POSTURES,
    RISKY,
    SAFE,
    SEVERITIES,
    STRESS_STATES,
    STRESS_TOLERANCES,
)

__all__ = [
    "ACTIONS",
    "ALWAYS_FORBIDDEN",
    "COMPLEXITIES",
    "CONFIG",
    "DRIFT_LEVELS",
    "DRIFT_TOLERANCES",
    "ENERGY_POLICIES",
    "ENGINE_VERSION",
    "GOVERNANCE",
    "MODES",
    "MODE_CONSTANTS",
    "MODE_INDEX",
    "MODE_TITLES",
    "PERSONAS",
    "PERSONA_BY_ID",
    "QUESTIONS",
    "RESETS",
    "RISKY",
    "RISK_POSTURES",
    "SAFE",
    "SEVERITIES",
    "STRESS_STATES",
    "STRESS_TOLERANCES",
    "VERSIONS",
    "Config",
    "Contract",
    "Drift",
    "GoalAssessment",
    "Observation",
    "Persona",
    "Profile",
    "Reason",
    "State",
    "Vector",
    "assess_goal",
    "birth",
    "calm_turn",
    "canonical",
    "contract",
    "contract_view",
    "control_vector",
    "decode",
    "drift_event_view",
    "drift_view",
    "edge",
    "encode",
    "explain",
    "explanation_view",
    "goal_view",
    "memory_view",
    "mode_map",
    "options",
    "persona_matches",
    "process",
    "process_all",
    "profile_of",
    "question_ids",
    "reset",
    "restore",
    "score",
    "snapshot_id",
    "snapshot_view",
    "starting_strengths",
    "thresholds_view",
    "timing",
    "turn_view",
]
