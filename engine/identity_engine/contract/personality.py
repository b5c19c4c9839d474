"""Personality: how well each action fits the agent as it is now. It orders what is allowed; it never allows anything.

    alignment = control of the modes that contribute the action - 0.5 * share of those modes that the profile suppresses

Range -0.5..1. Preferred: allowed and at 0.25 or above. Discouraged: below zero. Source: docs/engine.md,
"Trust, goals, personality"; the figures are C.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from identity_engine.config import CONFIG, Config
from identity_engine.values import Profile, Vector
from identity_engine.vocabulary import ACTIONS, CONTRIBUTORS


def action_alignment(control: Vector, profile: Profile, config: Config = CONFIG) -> dict[str, float]:
    """Alignment of each of the twelve actions, in vocabulary order."""
    suppressed = profile.suppressed_modes
    alignment = {}
    for action, modes in CONTRIBUTORS.items():
        score = 0.0
        for mode in modes:
            score += control[mode]
        if suppressed:
            score -= config.suppression_cost * len([m for m in modes if m in suppressed]) / len(modes)
        alignment[action] = score
    return alignment


@dataclass(frozen=True, slots=True)
class Personality:
    """Actions in vocabulary order; alignment by action."""

    preferred_actions: tuple[str, ...]
    discouraged_actions: tuple[str, ...]
    action_alignment: Mapping[str, float]


def personality(alignment: Mapping[str, float], allowed: Collection[str], config: Config = CONFIG) -> Personality:
    """The personality dimension; what safety removed is never preferred."""
    return Personality(
        tuple([a for a in ACTIONS if a in allowed and alignment[a] >= config.preferred_at]),
        tuple([a for a in ACTIONS if alignment[a] < 0]),
        alignment,
    )
