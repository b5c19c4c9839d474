"""Timing: when to pause, when to call a human, and how long the energy lasts.

    pause     energy gone under stress; volatile for 20 cycles or coherence low for 20; two rollbacks; chronic for 60 cycles
    escalate  OVER for 10 cycles or more (P); energy gone for 10; a deviation of 0.60 or more, never in youth; three rollbacks

The first reason that holds, in the order of the code, is the one given. A flag falls with its reason. Source: docs/engine.md,
"Timing".
"""

from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.energy import burn
from identity_engine.state import State
from identity_engine.volatility import volatility


@dataclass(frozen=True, slots=True)
class Timing:
    """Reasons are None while the flag is off. `max_steps_remaining` in cycles, None while energy does not fall."""

    should_pause: bool
    pause_reason: str | None
    should_escalate: bool
    escalation_reason: str | None
    max_steps_remaining: int | None


def timing(state: State, config: Config = CONFIG) -> Timing:
    """The timing dimension of a state."""
    pause, escalate = _pause_reason(state, config), _escalation_reason(state, config)
    rate = burn(state.strengths, state.system, state.profile, config)
    steps = int(state.energy / rate + 1e-9) if rate > 0 else None
    return Timing(pause is not None, pause, escalate is not None, escalate, steps)


def needs_decision(state: State, config: Config = CONFIG) -> bool:
    """Whether only a person's reset can lift what holds the agent: the last rollback is spent."""
    return state.drift.rollbacks >= config.rollbacks_most


def _pause_reason(state: State, config: Config) -> str | None:
    drift, coherence = state.drift, state.memory.coherence
    if state.exhausted_streak:
        return f"energy is {state.energy:.2f} under stress; it was gone and is not back at {config.energy_back:.2f}"
    if drift.rollbacks >= config.rollbacks_pause:
        if needs_decision(state, config):
            return f"{drift.rollbacks} rollbacks (D3), the last in cycle {drift.last_rollback}"
        return f"{drift.rollbacks} rollbacks (D3) within {config.rollback_memory} cycles of each other"
    if state.volatility.streak >= config.pause_volatile:
        return f"volatile for {state.volatility.streak} cycles: volatility {volatility(state.volatility, config):.2f}"
    if coherence.low_streak >= config.coherence_pause:
        return f"identity coherence {coherence.value:.2f} is low, for {coherence.low_streak} cycles"
    if state.chronic.streak >= config.pause_chronic:
        count, window = state.chronic.count, config.chronic_window
        return f"chronic stress for {state.chronic.streak} cycles: {count} of the last {window} reports"
    return None


def _escalation_reason(state: State, config: Config) -> str | None:
    if state.over_streak >= config.escalate_over:
        return f"OVER for {state.over_streak} cycles"
    if state.exhausted_streak >= config.escalate_empty:
        return f"energy gone under stress, and not back at {config.energy_back:.2f} for {state.exhausted_streak} cycles"
    if needs_decision(state, config):
        return f"the shift went on after {state.drift.rollbacks} rollbacks; a person decides: rebaseline or last_stable"
    if not state.drift.youth and state.drift.distance >= config.escalate_deviation:
        return f"deviation {state.drift.distance:.2f} from the anchor is severe"
    return None
