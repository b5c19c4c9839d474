"""Personality: how well each action fits the agent as it is now. It orders what is allowed; it never allows anything.

    alignment = control of the modes that contribute the action - 0.5 * share of those modes that the profile suppresses

Range -0.5..1. Source: spec/engine.md, "The contract"; the figure is C.
"""

from typing import Final

from identity_engine.values import Profile, Vector
from identity_engine.vocabulary import ACTIONS, CONTRIBUTES

SUPPRESSION_COST: Final = 0.5  # C

_CONTRIBUTORS: Final = tuple(tuple(m for m in range(7) if action in CONTRIBUTES[m]) for action in ACTIONS)


def action_alignment(control: Vector, profile: Profile) -> dict[str, float]:
    """Alignment of each of the twelve actions, in vocabulary order."""
    suppressed = profile.suppressed_modes
    alignment = {}
    for action, modes in zip(ACTIONS, _CONTRIBUTORS, strict=True):
        score = 0.0
        for mode in modes:
            score += control[mode]
        if suppressed:
            score -= SUPPRESSION_COST * len([m for m in modes if m in suppressed]) / len(modes)
        alignment[action] = score
    return alignment
