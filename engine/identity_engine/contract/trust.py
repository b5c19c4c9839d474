"""Trust: how far this agent may be left alone now.

    trust = by stress state (0.8, 0.6, 0.35, 0.1) * (0.5 + 0.5 * coherence) + 0.4 * (resilience - 0.5), within 0..1

Stress lowers it, resilience raises it, incoherence lowers it and asks for verification. Source: docs/engine.md, "Trust,
goals, personality"; figures C.
"""

from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.contract.goals import COMPLEXITIES
from identity_engine.contract.timing import Timing
from identity_engine.state import State
from identity_engine.vocabulary import HIGH


@dataclass(frozen=True, slots=True)
class Trust:
    """`trust` in 0..1. `max_delegation_complexity`: a complexity of goals, None when nothing may be handed over."""

    trust: float
    delegation_allowed: bool
    max_delegation_complexity: str | None
    collaboration_style: str
    verification_required: bool


def trust(state: State, when: Timing, config: Config = CONFIG) -> Trust:
    """The trust dimension of a state. collaboration_style: autonomous, paired, supervised.

    Who should pause may not delegate and is not autonomous; who should escalate is supervised.
    """
    coherence = state.memory.coherence.value
    resilience = state.memory.self_model.resilience
    raw = config.trust_at[state.stress] * (1 - config.trust_coherence + config.trust_coherence * coherence)
    raw += config.trust_resilience * (resilience - config.resilience_start)
    value = min(max(raw, 0.0), 1.0)
    held = when.should_pause or when.should_escalate
    allowed = state.stress < HIGH and not held and value >= config.trust_delegation
    # From the least trust that allows any delegation up to full trust, in equal steps.
    steps = len(COMPLEXITIES) * (value - config.trust_delegation) / (1 - config.trust_delegation)
    most = COMPLEXITIES[min(max(int(steps), 0), len(COMPLEXITIES) - 1)] if allowed else None
    if when.should_escalate or value < config.trust_paired:
        style = "supervised"
    else:
        style = "autonomous" if value >= config.trust_autonomous and not held else "paired"
    incoherent = coherence < config.verify_below or state.volatility.streak > 0
    return Trust(value, allowed, most, style, state.stress >= HIGH or held or incoherent)
