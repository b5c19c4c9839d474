"""What a contract holds back, in words: one entry for each reason, however many actions it took.

The engine's explanation has the formula and counts the way back; here it is said as one would say it to a person.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from functions.console.agents import Standing
from identity_engine import ALWAYS_FORBIDDEN, CONFIG

#: Why a rule removes actions, where no figure of the agent is in it.
_WORDS: Final = {
    "governance_strict": "none of its active modes brings them",
    "suppressed_modes": "its profile suppresses the modes that bring them",
    "risk_posture": "its profile takes no risks",
}


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Actions that one reason removes. `back`: what brings them back, each with its actions where they differ.

    `formulas`: the engine's own words with the figures, and `step`, where it decided.
    """

    actions: tuple[str, ...]
    reason: str
    back: tuple[tuple[str, tuple[str, ...]], ...]
    step: str
    formulas: tuple[str, ...]


def held_back(standing: Standing) -> list[HeldBack]:
    """The removed actions by reason, most actions first. What nobody may ever do is not among them."""
    reasons = standing.engine.explanation(standing.state())
    removed = [each for each in reasons if not each["allowed"] and each["action"] not in ALWAYS_FORBIDDEN]
    by_rule = groupby(sorted(removed, key=itemgetter("rule")), key=itemgetter("rule"))
    entries = [_entry(standing, rule, list(group)) for rule, group in by_rule]
    return sorted(entries, key=lambda entry: -len(entry.actions))


def _entry(standing: Standing, rule: str, removed: list[dict[str, Any]]) -> HeldBack:
    back: dict[str, tuple[str, ...]] = {}
    for each in removed:
        words = _back(each)
        back[words] = (*back.get(words, ()), each["action"])
    return HeldBack(
        tuple(each["action"] for each in removed),
        _why(standing, rule),
        tuple(back.items()),
        removed[0]["step"],
        tuple(dict.fromkeys(each["because"] for each in removed)),
    )


def _why(standing: Standing, rule: str) -> str:
    limits, strength = standing.engine.thresholds(standing.state()), standing.turn["stress_strength"]
    # Rules that only some versions have read what those versions remember.
    state = standing.state()
    match rule:
        case "stress_high":
            return f"stress is {strength:.2f}, the limit {limits['HIGH']:.2f}"
        case "stress_over":
            return f"stress is {strength:.2f}, the limit of OVER {limits['OVER']:.2f}: only the safe four are left"
        case "volatile":
            return "stress is MED, and what it does cannot be foretold from what it did"
        case "chronic":
            count, window, limit = state["chronic"]["reports"].bit_count(), CONFIG.chronic_window, CONFIG.chronic_from
            return f"{count} of its last {window} reports were stress, the limit is {limit}"
        case "low_resilience":
            resilience = state["memory"]["self_model"]["resilience"]
            med = f"the limit {limits['MED']:.2f} for one that recovers as badly ({resilience:.2f})"
            return f"stress is {strength:.2f}, {med}"
        case "after_rollback":
            since = state["cycle"] - state["drift"]["last_rollback"]
            return f"it was put back to its last stable self {since} reports ago, and stays careful for {CONFIG.rollback_guard}"
        case "should_pause":
            return f"it should pause: {standing.contract['pause_reason']}"
        case "should_escalate":
            return f"it waits for a person: {standing.contract['escalation_reason']}"
        case _:
            return _WORDS.get(rule, rule.replace("_", " "))


def _back(reason: dict[str, Any]) -> str:
    count = reason["calm_cycles"]
    if count is not None:
        return f"{count} calm report{'' if count == 1 else 's'}"
    return (reason["returns_when"] or "nothing").replace("|stress_response|", "stress").replace("calm cycles", "calm reports")


def style(standing: Standing) -> Iterator[tuple[str, str]]:
    """How it is to act on what it may do: name and value."""
    contract, how = standing.contract, standing.contract["decision_style"]
    yield "works with people", contract["collaboration_style"]
    goals = f"goals of {contract['max_delegation_complexity']} complexity"
    yield "hands over", goals if contract["delegation_allowed"] else "nothing"
    yield "results", "to be verified" if contract["verification_required"] else "need no check"
    yield "tempo", how["tempo"]
    yield "risk", how["risk"]
    yield "commits at", f"{how['commitment_threshold']} certainty"
    yield "recovers", contract["recovery_profile"]["preferred_path"]
    steps = contract["max_steps_remaining"]
    if steps is not None:
        more = f"{steps} more report{'' if steps == 1 else 's'} like these" if steps else "no further report like these"
        yield "energy lasts for", more
    most = contract["hard_locks"]["option_set_max"]
    if most is not None:
        yield "weighs", f"at most {most} options"
