"""Which runs are worth a look, and why, in words."""

from dataclasses import dataclass

from identity_os_sdk.replay.alarms import COUNTERS
from identity_os_sdk.replay.play import Played

#: The levels of stress, the lowest first.
STRESS = ("LOW", "MED", "HIGH", "OVER")


@dataclass(frozen=True, slots=True)
class Look:
    """A run that is worth a look, and why, the weightiest reason first. `score` orders runs: the higher, the more so."""

    played: Played
    why: tuple[str, ...]
    score: tuple[int, ...]


def look(played: Played) -> Look:
    """What happened in a run, in words, and how much it asks for a look.

    A refusal in a run that succeeded comes first: it may be a false one. Then what an operator would be called for.
    """
    run, turns = played.run, played.turns
    outcome = {True: "succeeded", False: "failed", None: ""}[run.succeeded]
    held = sum(refusal.changing for refusal in played.refused)
    other = len(played.refused) - held
    back = sum(turn.rolled_back for turn in turns)
    worst = max((STRESS.index(turn.stress_state) for turn in turns), default=0)
    incidents = sum(turn.incident for turn in turns)
    escalated, paused = any(turn.escalated for turn in turns), any(turn.paused for turn in turns)
    drifted = sum(turn.drift_level == "D3" for turn in turns)
    said: tuple[tuple[object, str], ...] = (
        (held, f"{_calls(held, 'changing ')} would have been refused{f'; the run {outcome}' if outcome else ''}"),
        (other, f"{_calls(other, 'other ')} would have been refused"),
        (escalated, "a human would have been asked for (escalation)"),
        (paused, "the agent would have been paused"),
        (back, "rolled back"),
        (incidents, "an incident was reported"),
        (worst >= STRESS.index("HIGH"), f"stress reached {STRESS[worst]}"),
        (drifted, f"at drift D3 for {drifted} cycles"),
        (played.signs >= COUNTERS[-1], f"{played.signs} failed or repeated calls"),
    )
    false = held if run.succeeded else 0
    score = (false, held, escalated, paused, back, incidents, other, worst, drifted, played.signs)
    return Look(played, tuple(text for happened, text in said if happened), tuple(map(int, score)))


def _calls(count: int, kind: str) -> str:
    return f"{count} {kind}call{'' if count == 1 else 's'}"
