"""The observer: from what happened to what is reported. A pure function of an event and a small memory.

Each rule is a row of `RULES`; the first that holds decides. The same events give the same observations in every framework. What
an observation carries names tools and hashes, never their text, unless the guard is told to record arguments.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from identity_os_sdk.models import Action, Mode, Severity

#: Tools that the memory keeps apart; the oldest is forgotten.
_REMEMBERED = 64
#: A failure that time may mend.
_PASSING = re.compile(r"time[d ]?-?\s?out|rate.?limit|too many requests|\b429\b", re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """A row of the table: the event, and what is reported of it."""

    name: str
    event: str
    mode: Mode
    strength: float


RULES: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("detector", "a detector's hit: an incident", Mode.STRESS_RESPONSE, 0.9),
        Rule("mild", "a detector's hit that it calls mild", Mode.STRESS_RESPONSE, 0.3),
        Rule("passing", "a timeout or a rate limit", Mode.STRESS_RESPONSE, 0.35),
        Rule(
            "failed",
            "a call failed; +0.15 for each further one in a row, at most 0.95",
            Mode.STRESS_RESPONSE,
            0.45,
        ),
        Rule("again", "the same call with the same arguments again after it failed: on top", Mode.STRESS_RESPONSE, 0.15),
        Rule("stuck", "the same call with the same result, from the third time on", Mode.STRESS_RESPONSE, 0.3),
        Rule("first", "the first use of a tool, or a search", Mode.EXPLORATION, 0.5),
        Rule("changed", "a call that changes something and worked", Mode.ASSERTION, 0.6),
        Rule("planned", "a plan or policy look-up, a calculation, a check", Mode.ORDER, 0.5),
        Rule("message", "a message to or from a person", Mode.CONNECTION, 0.4),
        Rule("read", "a call that reads and worked", Mode.PERCEPTION, 0.5),
        Rule("heated", "a person's insult or threat", Mode.STRESS_RESPONSE, 0.4),
        Rule("refused", "the agent refuses, cites a policy or hands over", Mode.IDENTITY, 0.4),
        Rule("denied", "a call was denied; the first in a row of a tool alone", Mode.IDENTITY, 0.2),
        Rule("approved", "a person approved a call", Mode.CONNECTION, 0.2),
    )
}
#: What each further failure in a row adds, and how far it goes.
_ROW, _MOST = 0.15, 0.95
#: No success is stronger than this from stress MED on: an agent that works on must not look like one that rages.
_UNDER_STRESS = 0.5


@dataclass(frozen=True)
class Event:
    """What happened. `kind` is a name of `RULES` for what is no call, else `call`.

    `action` of the tool; `error` is None for a call that worked; hashes stand for arguments and result.
    """

    kind: str
    tool: str = ""
    action: Action = Action.EXECUTE
    plan: bool = False
    arguments: str = ""
    result: str = ""
    error: str | None = None
    error_class: str | None = None


@dataclass(frozen=True)
class ToolMemory:
    """What is remembered of one tool: the last call, how often it failed in a row, how often it brought the same."""

    arguments: str = ""
    result: str = ""
    failures: int = 0
    same: int = 0


@dataclass(frozen=True)
class Memory:
    """What the observer remembers: a little of each tool, the latest used last."""

    tools: tuple[tuple[str, ToolMemory], ...] = ()

    def of(self, tool: str) -> ToolMemory | None:
        """What is known of a tool, None before its first call."""
        return dict(self.tools).get(tool)

    def after(self, tool: str, memory: ToolMemory) -> "Memory":
        """The memory after a call of the tool."""
        others = [(name, known) for name, known in self.tools if name != tool]
        return Memory((*others, (tool, memory))[-_REMEMBERED:])


@dataclass(frozen=True)
class Report:
    """What is reported: an observation, and the rule that made it."""

    rule: str
    mode: Mode
    strength: float
    severity: Severity = "normal"


def digest(value: Any) -> str:
    """Sixteen hex digits that stand for a value; equal values have equal ones, whatever the order of their fields."""
    try:
        text = json.dumps(value, sort_keys=True, default=str, ensure_ascii=False)
    except Exception:  # keys of several types, a value that holds itself, an object that fails to print
        text = printed(value)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


def printed(value: Any) -> str:
    """A value as text, whatever its own methods do: what cannot be printed is named by its type."""
    try:
        return value if isinstance(value, str) else str(value)
    except Exception:
        return f"<{type(value).__name__}>"


def observe(memory: Memory, event: Event, stressed: bool = False) -> tuple[Memory, Report]:
    """The memory after the event, and what to report of it. `stressed`: the contract's stress is MED or above."""
    if event.kind != "call":
        rule = RULES[event.kind]
        return memory, Report(rule.name, rule.mode, rule.strength, "incident" if rule.name == "detector" else "normal")
    known = memory.of(event.tool)
    before = known or ToolMemory()
    if event.error is not None:
        rule = RULES["passing" if _PASSING.search(f"{event.error_class} {event.error}") else "failed"]
        strength = rule.strength + _ROW * before.failures
        if before.failures and before.arguments == event.arguments:
            strength += RULES["again"].strength
        after = replace(before, arguments=event.arguments, result="", failures=before.failures + 1, same=0)
        return memory.after(event.tool, after), Report(rule.name, rule.mode, round(min(strength, _MOST), 2))
    repeated = before.result == event.result and before.arguments == event.arguments and known is not None
    after = ToolMemory(event.arguments, event.result, 0, before.same + 1 if repeated else 1)
    rule = RULES[_success(event, after, known is None)]
    strength = rule.strength
    if stressed and rule.mode is not Mode.STRESS_RESPONSE:
        strength = min(strength, _UNDER_STRESS)
    return memory.after(event.tool, after), Report(rule.name, rule.mode, strength)


def _success(event: Event, after: ToolMemory, first: bool) -> str:
    if after.same >= 3:
        return "stuck"
    if first or event.action is Action.EXPLORE:
        return "first"
    if event.action in (Action.EXECUTE, Action.CHALLENGE, Action.PIVOT):
        return "changed"
    if event.plan:
        return "planned"
    if event.action is Action.DEFER:
        return "refused"
    if event.action in (Action.SUGGEST, Action.QUESTION, Action.COMFORT):
        return "message"
    return "read"
