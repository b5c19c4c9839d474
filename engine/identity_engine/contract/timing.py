"""Timing: when to pause, when to call a human, and how long the energy lasts.

Pause: energy gone under stress; repeated D3; incoherence that lasts. Escalate: OVER for 10 cycles or more (P); empty for long;
severe deviation. The first reason that holds, in this order, is the one given. Source: spec/engine.md, "The contract".
"""

from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.energy import burn
from identity_engine.state import State
from identity_engine.vocabulary import STRESS


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
    pause = escalate = None
    if state.system == STRESS and state.energy <= config.energy_gone:
        pause = f"energy {state.energy:.2f} is gone under stress"
    elif state.strikes >= config.strikes_pause:
        pause = f"{state.strikes} rollbacks (D3) within {config.strike_memory} cycles of each other"
    elif state.memory.coherence.low_streak >= config.coherence_pause:
        pause = f"identity coherence {state.memory.coherence.value:.2f} for {state.memory.coherence.low_streak} cycles"

    if state.over_streak >= config.escalate_over:
        escalate = f"OVER for {state.over_streak} cycles"
    elif state.empty_streak >= config.escalate_empty:
        escalate = f"out of energy for {state.empty_streak} cycles"
    elif state.strikes >= config.strikes_escalate:
        escalate = f"the shift goes on after {state.strikes} rollbacks"
    elif state.drift.magnitude >= config.escalate_deviation:
        escalate = f"deviation {state.drift.magnitude:.2f} from the anchor is severe"

    rate = burn(state.strengths, state.system, state.profile, config)
    steps = int(state.energy / rate + 1e-9) if rate > 0 else None
    return Timing(pause is not None, pause, escalate is not None, escalate, steps)
