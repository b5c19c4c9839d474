"""The events of a request: what a person or another system must hear of. Pure computation from before and after.

    agent.stress_changed                   the stress state is another than before the request
    agent.drifted, agent.rolled_back       D2 or D3 begins; D3 put the last stable state back
    agent.paused, agent.resumed            a flag of the contract changed
    agent.escalated, agent.deescalated
    agent.reset, agent.rebaselined         a person decided; created and deleted have nothing to compute
    agent.created, agent.deleted
    key.created, key.revoked, usage.threshold_reached, webhook.disabled

A request gives at most one of each type, with the first cycle at which it was so and the state after the last. The events are
stored with the record that the commit writes anyway, in the attribute `events`, or in an item of their own where there is no
record (`store/outbox`). So an event exists if, and only if, its request took effect. They are outside the record's digest and
its export: whoever replays the record computes them again. Source: docs/events.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from identity_engine import DRIFT_LEVELS, canonical

STRESS_CHANGED: Final = "agent.stress_changed"
DRIFTED: Final = "agent.drifted"
ROLLED_BACK: Final = "agent.rolled_back"
PAUSED: Final = "agent.paused"
RESUMED: Final = "agent.resumed"
ESCALATED: Final = "agent.escalated"
DEESCALATED: Final = "agent.deescalated"
RESET: Final = "agent.reset"
REBASELINED: Final = "agent.rebaselined"
CREATED: Final = "agent.created"
DELETED: Final = "agent.deleted"
KEY_CREATED: Final = "key.created"  # made by `store/accounts`, as is the next
KEY_REVOKED: Final = "key.revoked"
THRESHOLD_REACHED: Final = "usage.threshold_reached"
WEBHOOK_DISABLED: Final = "webhook.disabled"
#: Sent by a person who tries a webhook, to that one alone.
TEST: Final = "webhook.test"
#: What a webhook can ask for.
TYPES: Final = (
    STRESS_CHANGED, DRIFTED, ROLLED_BACK, PAUSED, RESUMED, ESCALATED, DEESCALATED, RESET, REBASELINED, CREATED, DELETED,
    KEY_CREATED, KEY_REVOKED, THRESHOLD_REACHED, WEBHOOK_DISABLED,
)  # fmt: skip

Event = dict[str, Any]
_D2: Final = DRIFT_LEVELS.index("D2")


@dataclass(frozen=True, slots=True)
class Moment:
    """An agent after a cycle, as far as events look at it. `level`: of drift, 0 to 3. `contract` is asked for reasons alone."""

    cycle: int
    stress: str
    energy: float
    level: int
    magnitude: float
    rolled_back: bool
    paused: bool
    escalated: bool
    contract: Callable[[], Mapping[str, Any]]


def moment_of(step: Mapping[str, Any], contract: Callable[[], Mapping[str, Any]] | None = None) -> Moment:
    """The moment after a step of an engine (`identity_engine.interface`); `contract` where the step itself has none."""
    turn = step["turn"]
    level = turn["drift_level"]
    return Moment(
        step["cycle"],
        turn["stress_state"],
        turn["energy_level"],
        0 if level is None else DRIFT_LEVELS.index(level),
        turn["drift_distance"] or 0.0,
        turn["rolled_back"],
        turn["paused"],
        turn["escalated"],
        contract or (lambda: step["contract"]),
    )


def born(name: str, turn: Mapping[str, Any]) -> str | None:
    """The attribute `events` of a new agent's first record."""
    return attribute(name, moment_of({"cycle": 0, "turn": turn}), [{"type": CREATED, "cycle": 0}])


def of_cycles(before: Moment, after: Sequence[Moment]) -> list[Event]:
    """The events of a request that processed observations: the moment before it, and the one after each cycle."""
    return [*_stress(before, after), *_drift(before, after), *_flags(before, after)]


def of_decision(before: Moment, after: Moment, kind: str, note: str = "") -> list[Event]:
    """The events of a state that a person set. `kind`: a reset's mode, or retest."""
    told = {"note": note} if note else {}
    if kind == "rebaseline":
        decision = {"type": REBASELINED, "cycle": after.cycle, **told}
    else:
        decision = {"type": RESET, "cycle": after.cycle, "mode": kind, **told}
    return [decision, *_stress(before, [after]), *_flags(before, [after])]


def attribute(name: str, last: Moment, events: Sequence[Event]) -> str | None:
    """The attribute `events` of a record: the events, and what the agent is like after them. None without events."""
    if not events:
        return None
    agent: dict[str, Any] = {"name": name, **standing(last)}
    return canonical({"agent": agent, "events": list(events)})


def standing(last: Moment) -> dict[str, Any]:
    """What events say of an agent after them."""
    return {"cycle": last.cycle, "stress_state": last.stress, "energy_level": last.energy}


def event_id(*source: str) -> str:
    """The id of an event, from what it is about: the same however often it is computed."""
    return "evt_" + sha256("\n".join(source).encode()).hexdigest()[:32]


def _stress(before: Moment, after: Sequence[Moment]) -> list[Event]:
    last = after[-1].stress
    if last == before.stress:
        return []
    first = next(moment.cycle for moment in after if moment.stress != before.stress)
    return [{"type": STRESS_CHANGED, "cycle": first, "from": before.stress, "to": last}]


def _drift(before: Moment, after: Sequence[Moment]) -> list[Event]:
    begun = [now for earlier, now in zip([before, *after], after, strict=False) if now.level > max(earlier.level, _D2 - 1)]
    back = [now for now in after if now.rolled_back]
    events: list[Event] = []
    if begun:
        worst = max(begun, key=lambda moment: moment.level)
        level = DRIFT_LEVELS[worst.level]
        events.append({"type": DRIFTED, "cycle": begun[0].cycle, "level": level, "magnitude": worst.magnitude})
    if back:
        events.append({"type": ROLLED_BACK, "cycle": back[0].cycle, "magnitude": back[0].magnitude})
    return events


def _flags(before: Moment, after: Sequence[Moment]) -> list[Event]:
    last = after[-1]
    events: list[Event] = []
    for flag, reason, begun, ended in (
        ("paused", "pause_reason", PAUSED, RESUMED),
        ("escalated", "escalation_reason", ESCALATED, DEESCALATED),
    ):
        was, now = getattr(before, flag), getattr(last, flag)
        if was == now:
            continue
        first = next(moment.cycle for moment in after if getattr(moment, flag) == now)
        why = (last if now else before).contract()[reason]
        events.append({"type": begun if now else ended, "cycle": first, "reason": why})
    return events
