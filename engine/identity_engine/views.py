"""The engine's edge: values as plain dictionaries, ready for JSON.

Here, and only here, floats are rounded, once, to 6 decimals (docs/engine.md, "Determinism"), and mode indexes get their names:
the request constant ("EXPLORATION") as a key or value, the display name ("Stress Response") in a contract, as the seed shows
them.
"""

from typing import Any, Final

from identity_engine.composites import composites, persona_matches
from identity_engine.config import CONFIG
from identity_engine.contract import Contract, GoalAssessment, explain, timing
from identity_engine.contract.action_space import action_space
from identity_engine.contract.timing import Timing
from identity_engine.drift import drift_thresholds
from identity_engine.memory import feedback
from identity_engine.memory.episodic import signals
from identity_engine.memory.growth import velocity
from identity_engine.state import State
from identity_engine.stress import thresholds
from identity_engine.values import Drift, Vector
from identity_engine.vocabulary import DRIFT_LEVELS, MODES, STRESS_RESPONSE, STRESS_STATES

MODE_CONSTANTS: Final = tuple(name.upper() for name in MODES)
MODE_TITLES: Final = tuple(name.replace("_", " ").title() for name in MODES)


def edge(value: float) -> float:
    """Rounded to 6 decimals; never a negative zero."""
    return round(value, 6) + 0.0


def _fields(value: Any) -> dict[str, Any]:
    """A flat dataclass as a dictionary; dataclasses.asdict copies deeply and takes ten times as long."""
    return {name: getattr(value, name) for name in value.__slots__}


def mode_map(vector: Vector) -> dict[str, float]:
    """A vector by mode constant, in mode order."""
    return {name: edge(x) for name, x in zip(MODE_CONSTANTS, vector, strict=True)}


def snapshot_view(state: State) -> dict[str, Any]:
    """Where the agent stands: the fields of a snapshot but its ids."""
    best = persona_matches(state.strengths)[:2]
    named = [{"id": name, "score": edge(score)} for name, score in best]
    return {
        "cycle": state.cycle,
        "mode_strengths": mode_map(state.strengths),
        "energy_level": edge(state.energy),
        "stress_state": STRESS_STATES[state.stress],
        "system_state": state.system,
        "stability_index": edge(state.stability),
        "persona": {"primary": named[0] if named else None, "secondary": named[1] if named else None},
        "composites": composites(state.strengths),
    }


def contract_view(contract: Contract) -> dict[str, Any]:
    """An ExecutionContract, flat but for its named groups."""
    timing, trust, personality = contract.timing, contract.trust, contract.personality
    return {
        "dominant_modes": [MODE_TITLES[m] for m in contract.dominant_modes],
        "suppressed_modes": [MODE_TITLES[m] for m in contract.suppressed_modes],
        "allowed_actions": list(contract.allowed_actions),
        "forbidden_actions": list(contract.forbidden_actions),
        "stress_state": STRESS_STATES[contract.stress],
        "system_state": contract.system,
        "energy_level": edge(contract.energy),
        "stability_index": edge(contract.stability),
        "should_pause": timing.should_pause,
        "pause_reason": timing.pause_reason,
        "should_escalate": timing.should_escalate,
        "escalation_reason": timing.escalation_reason,
        "max_steps_remaining": timing.max_steps_remaining,
        "trust": edge(trust.trust),
        "delegation_allowed": trust.delegation_allowed,
        "max_delegation_complexity": trust.max_delegation_complexity,
        "collaboration_style": trust.collaboration_style,
        "verification_required": trust.verification_required,
        "preferred_actions": list(personality.preferred_actions),
        "discouraged_actions": list(personality.discouraged_actions),
        "action_alignment": {action: edge(score) for action, score in personality.action_alignment.items()},
        "decision_style": _fields(contract.decision_style),
        "recovery_profile": _fields(contract.recovery_profile),
        "hard_locks": _fields(contract.hard_locks),
        "narrative_prompt": contract.narrative_prompt,
    }


def drift_view(drift: Drift) -> dict[str, Any]:
    """Where the agent stands against its anchor; `level` is None in warm-up."""
    return {
        "level": None if drift.level is None else DRIFT_LEVELS[drift.level],
        "magnitude": edge(drift.magnitude),
        "deviation": mode_map(drift.deviation),
        "rolled_back": drift.rolled_back,
    }


def drift_event_view(drift: Drift, cycle: int) -> dict[str, Any] | None:
    """A drift event, None at D0 and in warm-up. `affected_modes`: those that moved by D1's distance or more on their own."""
    if not drift.level:
        return None
    view = drift_view(drift)
    affected = [n for n, x in zip(MODE_CONSTANTS, drift.deviation, strict=True) if abs(x) >= CONFIG.drift_d1]
    return {
        "cycle": cycle,
        "drift_level": view["level"],
        "magnitude": view["magnitude"],
        "deviation": view["deviation"],
        "affected_modes": affected,
        "rolled_back": view["rolled_back"],
    }


def turn_view(state: State, drift: Drift, decided: Contract | None = None) -> dict[str, Any]:
    """A cycle in a few figures, for a line of many: what its state and contract say. No drift in warm-up.

    `decided` is the state's contract, for callers that have it already.
    """
    when = decided.timing if decided else timing(state)
    allowed = decided.allowed_actions if decided else action_space(state, when=when).allowed
    return standing_view(state, drift, when) | {"allowed_count": len(allowed)}


def standing_view(state: State, drift: Drift, when: Timing) -> dict[str, Any]:
    """What `turn_view` has but for the number of allowed actions."""
    return {
        "stress_strength": edge(abs(state.strengths[STRESS_RESPONSE])),
        "stress_state": STRESS_STATES[state.stress],
        "energy_level": edge(state.energy),
        "drift_distance": None if drift.level is None else edge(drift.magnitude),
        "drift_level": None if drift.level is None else DRIFT_LEVELS[drift.level],
        "paused": when.should_pause,
        "escalated": when.should_escalate,
        "rolled_back": drift.rolled_back,
    }


def thresholds_view(state: State) -> dict[str, float]:
    """From which strength stress is MED, HIGH, OVER for this agent now, and from which distance its drift is D1, D2, D3."""
    stress = thresholds(state.profile, feedback(state.memory).spikes)
    figures = zip((*STRESS_STATES[1:], *DRIFT_LEVELS[1:]), (*stress, *drift_thresholds(state.profile)), strict=True)
    return {name: edge(value) for name, value in figures}


def memory_view(state: State) -> dict[str, Any]:
    """What the agent remembers: the fourteen signals, self-model, growth, coherence and narrative."""
    memory = state.memory
    found = signals(memory.episodic, state.cycle)
    episodic = {name: edge(value) if isinstance(value, float) else value for name, value in found.items()}
    leader = found["dominant_mode"]
    episodic["dominant_mode"] = None if leader is None else MODE_CONSTANTS[int(leader)]
    return {
        "episodic": episodic,
        "self_model": {
            "stress_resilience": edge(memory.self_model.resilience),
            "trait_stability": edge(memory.self_model.trait_stability),
            "energy_efficiency": edge(memory.self_model.energy_efficiency),
        },
        "growth_direction": mode_map(velocity(memory.growth)),
        "identity_coherence": edge(memory.coherence.value),
        "narrative": _fields(memory.narrative),
    }


def goal_view(assessment: GoalAssessment) -> dict[str, Any]:
    """An assessed goal."""
    return {
        "decision": assessment.decision,
        "reason": assessment.reason,
        "energy_cost": edge(assessment.cost),
        "energy_budget": edge(assessment.budget),
    }


def explanation_view(state: State) -> list[dict[str, Any]]:
    """The reason for each of the fourteen actions."""
    return [_fields(reason) for reason in explain(state)]
