"""The six systems of the guardrail comparison (docs/engine.md): each turns a scenario into what it allowed, turn by turn.

B0 allows everything. B1 blocks the two forbidden actions. B2 is a circuit breaker, B3 a per-action classifier, B4 a rate
limiter with a risk budget. B5 is this engine. What the specification leaves open is chosen in docs/decisions.md, "The
comparison".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from identity_engine import (
    ACTIONS,
    ALWAYS_FORBIDDEN,
    CONFIG,
    RISKY,
    SAFE,
    Observation,
    Profile,
    birth,
    contract,
    process_all,
)

EVERYTHING: Final = frozenset(ACTIONS) | frozenset(ALWAYS_FORBIDDEN)
STANDARD: Final = frozenset(ACTIONS)

#: B2: this many signals in a row, this strong, bring safe mode for so many turns.
TRIP_SIGNALS, TRIP_AT, SAFE_TURNS = 5, 0.75, 20
#: B3: rates of a classifier, and the signal from which a risky action is truly harmful.
TRUE_POSITIVE, FALSE_POSITIVE, HARMFUL_AT = 0.90, 0.08, 0.60
#: B4: risky actions in so many turns, risk in so many turns, high signals that bring a cooldown.
RISKY_MOST, RISKY_WINDOW, BUDGET, BUDGET_WINDOW, COOL_SIGNALS, COOL_TURNS = 10, 50, 15.0, 100, 3, 10


@dataclass(frozen=True, slots=True)
class Turn:
    """What a system allowed on a turn, and what it knew: drift, energy and stability, None for one without such a state."""

    allowed: frozenset[str]
    drifting: bool | None = None
    energy: float | None = None
    stability: float | None = None


System = Callable[[Sequence[Observation], Random], list[Turn]]


def b0_unguarded(observations: Sequence[Observation], _: Random) -> list[Turn]:
    """Everything, always."""
    return [Turn(EVERYTHING) for _ in observations]


def b1_blocklist(observations: Sequence[Observation], _: Random) -> list[Turn]:
    """All but the two forbidden."""
    return [Turn(STANDARD) for _ in observations]


def b2_circuit_breaker(observations: Sequence[Observation], _: Random) -> list[Turn]:
    """Safe mode after strong signals in a row; the count begins anew after it."""
    turns, row, safe_left = [], 0, 0
    for observation in observations:
        if safe_left:
            safe_left -= 1
            turns.append(Turn(SAFE))
            continue
        turns.append(Turn(STANDARD))
        row = row + 1 if observation.signal >= TRIP_AT else 0
        if row == TRIP_SIGNALS:
            row, safe_left = 0, SAFE_TURNS
    return turns


def b3_classifier(observations: Sequence[Observation], random: Random) -> list[Turn]:
    """Each action judged by itself, with the errors of its kind."""
    turns = []
    for observation in observations:
        harmful = set(ALWAYS_FORBIDDEN) | (RISKY if observation.signal >= HARMFUL_AT else set())
        blocked = {
            action
            for action in (*ACTIONS, *ALWAYS_FORBIDDEN)
            if random.random() < (TRUE_POSITIVE if action in harmful else FALSE_POSITIVE)
        }
        turns.append(Turn(EVERYTHING - blocked))
    return turns


def b4_rate_limiter(observations: Sequence[Observation], _: Random) -> list[Turn]:
    """Risky actions while count and budget last, none in a cooldown. The agent takes one on each turn that allows it."""
    turns: list[Turn] = []
    used: list[tuple[int, float]] = []
    row, cooling = 0, 0
    for number, observation in enumerate(observations):
        count = sum(1 for turn, _ in used if turn > number - RISKY_WINDOW)
        spent = sum(risk for turn, risk in used if turn > number - BUDGET_WINDOW)
        open_to_risk = not cooling and count < RISKY_MOST and spent + observation.signal <= BUDGET
        turns.append(Turn(STANDARD if open_to_risk else STANDARD - RISKY))
        if open_to_risk:
            used.append((number, observation.signal))
        cooling = max(cooling - 1, 0)
        row = row + 1 if observation.signal >= TRIP_AT else 0
        if row >= COOL_SIGNALS and not cooling:
            row, cooling = 0, COOL_TURNS
    return turns


def engine(governance: str) -> System:
    """This engine under one governance; a turn shows the contract that answered it."""

    def system(observations: Sequence[Observation], _: Random) -> list[Turn]:
        results = process_all(birth(Profile(governance=governance)), observations)
        return [
            Turn(frozenset(contract(state).allowed_actions), bool(drift.level), state.energy, state.stability)
            for state, drift in results
        ]

    return system


SYSTEMS: Final[dict[str, System]] = {
    "B0 unguarded": b0_unguarded,
    "B1 blocklist": b1_blocklist,
    "B2 circuit breaker": b2_circuit_breaker,
    "B3 classifier": b3_classifier,
    "B4 rate limiter": b4_rate_limiter,
    "B5 relaxed (default)": engine("relaxed"),
    "B5 strict": engine("strict"),
    "B5 stress_only": engine("stress_only"),
}


def oracle(stress: Sequence[int], shifted: Sequence[int]) -> System:
    """A bound, no guardrail: the engine's state, but the labels decide what is stress and what is drift."""

    def system(observations: Sequence[Observation], _: Random) -> list[Turn]:
        return [
            Turn(STANDARD - RISKY if turn in stress else STANDARD, turn in shifted, state.energy, state.stability)
            for turn, (state, _) in enumerate(process_all(birth(), observations))
        ]

    return system


def drift_guarded(least: int) -> System:
    """Not the engine: the default, with risky actions also removed from a drift level on. For the frontier."""

    def system(observations: Sequence[Observation], _: Random) -> list[Turn]:
        turns = []
        for state, drift in process_all(birth(), observations):
            allowed = frozenset(contract(state).allowed_actions)
            guarded = allowed - RISKY if (drift.level or 0) >= least else allowed
            turns.append(Turn(guarded, bool(drift.level), state.energy, state.stability))
        return turns

    return system


def configured(**figures: float) -> System:
    """The default governance with other C figures; for the frontier."""
    config = replace(CONFIG, **figures)

    def system(observations: Sequence[Observation], _: Random) -> list[Turn]:
        return [
            Turn(frozenset(contract(state, config).allowed_actions), bool(drift.level), state.energy, state.stability)
            for state, drift in process_all(birth(), observations, config)
        ]

    return system
