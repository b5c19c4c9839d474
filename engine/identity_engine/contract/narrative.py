"""The narrative prompt: the contract as short instructions for a language model.

Written as orders ("Prefer ..., avoid ..."), since prescriptive text moves a model more than description does. Source:
spec/engine.md, "The contract". The words are fixed, so that the same contract gives the same text.
"""

from collections.abc import Sequence

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


def narrative_prompt(allowed: Sequence[str], removed: Sequence[str], style: DecisionStyle, timing: Timing, level: int) -> str:
    """Two to six short sentences. `allowed` best first, as in the contract; `removed` in vocabulary order."""
    sentences = [f"Prefer {', '.join(allowed[:3])}" + (f"; avoid {', '.join(removed)}." if removed else ".")]
    sentences.append(_TEMPO[style.tempo])
    if level in _STRESS:
        sentences.append(_STRESS[level])
    if timing.should_pause:
        sentences.append("Pause now and wait.")
    if timing.should_escalate:
        sentences.append("Hand over to a human.")
    return " ".join(sentences)
