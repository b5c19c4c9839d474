"""The input scenarios of docs/engine.md's reference behaviours, seeded: what the agent does, turn by turn.

`random.Random` gives the same floats for the same seed on every machine and Python version.
"""

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Final

from identity_engine import MODE_INDEX, Observation

PERCEPTION, EXPLORATION, ORDER, ASSERTION, CONNECTION, IDENTITY, STRESS = range(len(MODE_INDEX))
TURNS: Final = 300
#: The turns of the spike scenario that its author labels as stress.
SPIKE: Final = range(100, 150)
#: Steady turns of R11 before anything happens: past the end of youth.
STABLE_START: Final = 120

Scenario = Callable[[Random], list[Observation]]


def tutorial() -> list[Observation]:
    """R1: exploration once, then stress five times."""
    return [Observation(EXPLORATION, 0.7)] + [Observation(STRESS, 0.9)] * 5


def crisis_and_calm(calm: int = 80) -> list[Observation]:
    """R2: stress fifteen times, then `calm` quiet turns."""
    return [Observation(STRESS, 0.95)] * 15 + [Observation(EXPLORATION, 0.1)] * calm


def steady(random: Random, turns: int = TURNS) -> list[Observation]:
    """R3: two modes in turn."""
    return [
        Observation((PERCEPTION, ORDER)[turn % 2], random.uniform(0.3, 0.7), random.uniform(0.7, 0.9)) for turn in range(turns)
    ]


def gradual(random: Random) -> list[Observation]:
    """R4: three pairs of modes, 100 turns each, the signal rising from 0.3 to 0.8."""
    pairs = ((PERCEPTION, ORDER), (EXPLORATION, ASSERTION), (CONNECTION, IDENTITY))
    return [
        Observation(pairs[turn // 100][turn % 2], 0.3 + 0.5 * turn / (TURNS - 1), random.uniform(0.7, 0.9))
        for turn in range(TURNS)
    ]


def spike(random: Random) -> list[Observation]:
    """R5: steady, with fifty turns of stress."""
    turns = steady(random)
    for turn in SPIKE:
        turns[turn] = Observation(STRESS, random.uniform(0.8, 1.0), random.uniform(0.7, 0.9))
    return turns


def chaotic(random: Random) -> list[Observation]:
    """R6: any mode, any strength."""
    return [Observation(random.randrange(7), random.uniform(0.1, 1), random.uniform(0.3, 1)) for _ in range(TURNS)]


#: Turns in which the two crises of R10 begin, and how long one lasts, back to LOW included.
CRISES: Final = (60, 190)
CRISIS_SPAN: Final = 70


def two_crises(random: Random) -> list[Observation]:
    """R10: 60 calm turns, then twice the very same 130: twelve of stress and the calm after it. 320 in all."""

    def calm(turns: int) -> list[Observation]:
        return [
            Observation((PERCEPTION, ORDER)[turn % 2], random.uniform(0.3, 0.5), random.uniform(0.7, 0.9))
            for turn in range(turns)
        ]

    before = calm(CRISES[0])
    crisis = [Observation(STRESS, random.uniform(0.8, 1.0), random.uniform(0.7, 0.9)) for _ in range(12)]
    crisis += calm(CRISES[1] - CRISES[0] - len(crisis))
    return before + crisis + crisis


def stray(random: Random) -> list[Observation]:
    """R11, first half: a stable start, then one of a new mode."""
    return [*steady(random, STABLE_START), Observation(EXPLORATION, 0.95)]


def takeover(random: Random, turns: int = 60) -> list[Observation]:
    """R11, second half: a stable start, then three other modes at once, for `turns` turns."""
    others = (EXPLORATION, ASSERTION, CONNECTION)
    return [*steady(random, STABLE_START), *(Observation(others[turn % 3], 0.95) for turn in range(turns))]


#: The four scenarios of 300 turns, in the order that the tables show them.
SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {"steady": steady, "gradual": gradual, "spike": spike, "chaotic": chaotic}
)
