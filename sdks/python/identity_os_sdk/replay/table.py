"""The turns of a played run as rows of a table: each report and each refusal where it stands, quiet stretches in one row."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from identity_os_sdk.observer import RULES
from identity_os_sdk.replay.play import Played, Refusal, Turn

#: From so many turns on, quiet ones that follow each other are one row.
_LONG = 60
#: The least number of quiet turns that are one row then.
_QUIET = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a turn; several quiet ones, whose last one is `turn`; or a refusal, which came `times` in a row.

    `first` and `last` count the turns of the run from 1. A refusal has those of the turn before it, 0 before the first.
    """

    first: int
    last: int
    turn: Turn | None = None
    refusal: Refusal | None = None
    times: int = 1

    @property
    def what(self) -> str:
        """What was reported, in words."""
        if self.turn is None:
            return ""
        rule = RULES.get(self.turn.rule)
        return rule.event if rule else self.turn.rule

    @property
    def mode(self) -> str:
        """The mode that was reported."""
        return self.turn.mode.replace("_", " ").capitalize() if self.turn else ""


def rows(played: Played) -> list[Row]:
    """All rows, in order."""
    refusals: dict[int, list[Row]] = {}
    for turn, at in groupby(played.refused, lambda refusal: refusal.turn):
        refusals[turn] = [
            Row(turn, turn, refusal=same[0], times=len(same))
            for _, group in groupby(at, lambda refusal: (refusal.tool, refusal.kind, refusal.reason))
            if (same := list(group))
        ]
    found = refusals.get(0, [])[:]
    long = len(played.turns) > _LONG
    for quiet, group in groupby(_noted(played, refusals), lambda noted: noted[1]):
        turns = [number for number, _ in group]
        if quiet and long and len(turns) >= _QUIET:
            found.append(Row(turns[0], turns[-1], played.turns[turns[-1] - 1]))
            continue
        for number in turns:
            found.append(Row(number, number, played.turns[number - 1]))
            found += refusals.get(number, [])
    return found


def refusals(played: Played) -> list[Row]:
    """What was refused in the run and why, once each, with how often."""
    counts = Counter((refusal.tool, refusal.kind, refusal.reason) for refusal in played.refused)
    firsts = {(refusal.tool, refusal.kind, refusal.reason): refusal for refusal in reversed(played.refused)}
    return [Row(firsts[same].turn, firsts[same].turn, refusal=firsts[same], times=count) for same, count in counts.items()]


def _noted(played: Played, refusals: dict[int, list[Row]]) -> Iterator[tuple[int, bool]]:
    """The number of each turn, and whether nothing happened there that a reader would look for."""
    before = None
    for number, turn in enumerate(played.turns, 1):
        same = before is not None and _condition(turn) == _condition(before)
        loud = turn.mode == "STRESS_RESPONSE" or turn.incident or turn.rolled_back or turn.rule in ("denied", "approved")
        yield number, same and not loud and number not in refusals
        before = turn


def _condition(turn: Turn) -> tuple[object, ...]:
    return turn.stress_state, turn.drift_level, turn.paused, turn.escalated, turn.allowed
