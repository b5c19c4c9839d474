"""The narrative prompt: the contract as short instructions for a language model.

Written as orders ("Prefer ..., avoid ..."), since prescriptive text moves a model more than description does. It never
contradicts the contract: it prefers allowed actions that are not discouraged, and while the agent should pause or hand over it
says that and no more. Source: docs/engine.md, "The prompt". The words are fixed, so that the same contract gives the same text.
"""

from collections.abc import Collection, Sequence

from identity_engine.contract.style import DecisionStyle
from identity_engine.contract.timing import Timing
from identity_engine.vocabulary import HIGH, MED, OVER

_TEMPO = {
    "measured": "Take one step at a time.",
    "observant": "Look closely before you act.",
    "exploratory": "Try more than one way.",
    "decisive": "Decide and move on.",
}
_STRESS = {
    MED: "Keep changes small.",
    HIGH: "Take no risks until the pressure falls.",
    OVER: "Do only what is safe, and say that you are stabilizing.",
}


def narrative_prompt(
    allowed: Sequence[str],
    removed: Sequence[str],
    discouraged: Collection[str],
    style: DecisionStyle,
    timing: Timing,
    level: int,
) -> str:
    """One to four short sentences. `allowed` best first, as in the contract; `removed` in vocabulary order."""
    if timing.should_escalate:
        return f"Stop and hand over to a human: {timing.escalation_reason}."
    if timing.should_pause:
        return f"Pause now and wait: {timing.pause_reason}."
    preferred = [action for action in allowed if action not in discouraged][:3]
    orders = [f"prefer {', '.join(preferred)}"] * bool(preferred) + [f"avoid {', '.join(removed)}"] * bool(removed)
    text = "; ".join(orders)
    sentences = [f"{text[:1].upper()}{text[1:]}."] * bool(text)
    sentences.append(_TEMPO[style.tempo])
    if level in _STRESS:
        sentences.append(_STRESS[level])
    return " ".join(sentences)
