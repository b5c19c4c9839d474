"""Step 5, composites: what active modes make together, and which personas the agent resembles.

A composite is a pair of active modes with a name. A persona's score is the cosine of its mode profile and the strengths, 0
where they point apart, so that it says how alike the mixtures are, not how strong. Source: docs/engine.md, "Step 5:
composites".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from identity_engine.activation import active_modes
from identity_engine.config import CONFIG, Config
from identity_engine.personas import PERSONAS
from identity_engine.values import Vector, norm

#: Name of each pair of the six acting modes, and of each with stress_response, by their indexes in mode order.
COMPOSITES: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (0, 1): "inquiry", (0, 2): "analysis", (0, 3): "judgement", (0, 4): "empathy", (0, 5): "reflection",
        (1, 2): "experiment", (1, 3): "venture", (1, 4): "play", (1, 5): "quest",
        (2, 3): "direction", (2, 4): "care", (2, 5): "discipline",
        (3, 4): "persuasion", (3, 5): "conviction", (4, 5): "loyalty",
        (0, 6): "vigilance", (1, 6): "restlessness", (2, 6): "rigidity", (3, 6): "confrontation",
        (4, 6): "dependence", (5, 6): "retreat",
    }
)  # fmt: skip


def composites(strengths: Vector, config: Config = CONFIG) -> list[str]:
    """Names of the active pairs, in mode order."""
    active = active_modes(strengths, config)
    return [COMPOSITES[a, b] for i, a in enumerate(active) for b in active[i + 1 :]]


_PERSONA_AXES: Final = tuple(
    (persona.id, tuple(x / norm(persona.mode_profile) for x in persona.mode_profile)) for persona in PERSONAS
)


def persona_matches(strengths: Vector) -> list[tuple[str, float]]:
    """All personas with their scores in 0..1, best first, ties in catalogue order. Empty while every mode is at rest."""
    length = norm(strengths)
    if not length:
        return []
    a, b, c, d, e, f, g = strengths
    matches = []
    for name, (pa, pb, pc, pd, pe, pf, pg) in _PERSONA_AXES:
        score = (a * pa + b * pb + c * pc + d * pd + e * pe + f * pf + g * pg) / length
        matches.append((name, min(max(score, 0.0), 1.0)))
    matches.sort(key=lambda match: -match[1])
    return matches
