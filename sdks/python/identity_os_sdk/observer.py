"""The observer: from what happened to what is reported. A pure function of an event and a small memory.

Each rule is a row of `RULES`; the first that holds decides. The same events give the same observations in every framework. What
an observation carries names tools and hashes, never their text, unless the guard is told to record arguments.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from identity_os_sdk.errors import InvalidArgumentError
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


_TABLE: Any = json.loads(files("identity_os_sdk").joinpath("observer.json").read_text(encoding="utf-8"))
#: The table, by the names of its rows. It is a file, so that the SDKs of all languages read the same one.
RULES: Mapping[str, Rule] = {
    row["name"]: Rule(row["name"], row["event"], Mode(row["mode"]), row["strength"]) for row in _TABLE["rules"]
}
#: No failure is reported stronger than this.
_MOST = _TABLE["strongest_failure"]
#: No success is stronger than this from stress MED on: an agent that works on must not look like one that rages.
_UNDER_STRESS = _TABLE["strongest_success_under_stress"]


def rules_with(strengths: Mapping[str, float]) -> Mapping[str, Rule]:
    """The table with other strengths, by the names of its rows. InvalidArgumentError for a row or strength that cannot be."""
    for name, strength in strengths.items():
        if name not in RULES:
            raise InvalidArgumentError(f"rules: no rule {name!r}: one of {', '.join(RULES)}")
        if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 <= strength <= 1:
            raise InvalidArgumentError(f"rules[{name!r}]: {strength!r}: a number from 0 to 1")
    return {**RULES, **{name: replace(RULES[name], strength=strength) for name, strength in strengths.items()}}


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

    def rested(self) -> "Memory":
        """The memory at a task's beginning: the tools are known, but what failed or repeated belongs to the task before."""
        return Memory(tuple((tool, ToolMemory()) for tool, _ in self.tools))


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


def observe(memory: Memory, event: Event, stressed: bool = False, rules: Mapping[str, Rule] = RULES) -> tuple[Memory, Report]:
    """The memory after the event, and what to report of it. `stressed`: the contract's stress is MED or above."""
    if event.kind != "call":
        rule = rules[event.kind]
        return memory, Report(rule.name, rule.mode, rule.strength, "incident" if rule.name == "detector" else "normal")
    known = memory.of(event.tool)
    before = known or ToolMemory()
    if event.error is not None:
        rule = rules["passing" if _PASSING.search(f"{event.error_class} {event.error}") else "failed"]
        strength = rule.strength + rules["further"].strength * before.failures
        if before.failures and before.arguments == event.arguments:
            strength += rules["again"].strength
        after = replace(before, arguments=event.arguments, result="", failures=before.failures + 1, same=0)
        return memory.after(event.tool, after), Report(rule.name, rule.mode, round(min(strength, _MOST), 2))
    repeated = before.result == event.result and before.arguments == event.arguments and known is not None
    after = ToolMemory(event.arguments, event.result, 0, before.same + 1 if repeated else 1)
    rule = rules[_success(event, after, known is None)]
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
