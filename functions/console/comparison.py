"""Two states side by side: what their contracts say in words and figures, drift, and where they differ.

For decisions, what if, and the results of tests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from identity_engine import ACTIONS, State, contract, contract_view, drift_view


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `kind`: text, stress, actions. Values of actions are lists of (action, mark)."""

    name: str
    kind: str
    before: Any
    after: Any
    changed: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """`lines`: those that differ and come first, `more`: others that differ, `same`: the rest. `freed`, `lost`: actions."""

    lines: list[Line]
    more: list[Line]
    same: list[Line]
    freed: list[str]
    lost: list[str]
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def same_contract(self) -> bool:
        """Whether the contract stays as it is, to the last figure."""
        return self.before == self.after

    @property
    def differs(self) -> bool:
        """Whether anything does."""
        return bool(self.lines or self.more)


def _yes_with(flag: str, reason: str) -> Callable[[dict[str, Any]], str]:
    return lambda view: f"yes: {view[reason]}" if view[flag] else "no"


def _figure(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda view: f"{view[name]:.2f}"


def _words(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda view: ", ".join(view[name]) or "none"


def _group(name: str) -> Callable[[dict[str, Any]], str]:
    def said(view: dict[str, Any]) -> str:
        fields = {key.replace("_", " "): value for key, value in view[name].items() if value is not None}
        return ", ".join(f"{key} {_word(value)}" for key, value in fields.items()) or "none"

    return said


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _delegation(view: dict[str, Any]) -> str:
    return f"up to {view['max_delegation_complexity']} complexity" if view["delegation_allowed"] else "not allowed"


def _steps(view: dict[str, Any]) -> str:
    return "no limit" if view["max_steps_remaining"] is None else str(view["max_steps_remaining"])


def _drift(state: State) -> str:
    last = drift_view(state.drift.last)
    if last["level"] is None:
        return "not measured yet"
    return f"{last['level']}, {last['magnitude']:.2f} from its anchor"


#: Names and texts of the lines below stress and actions; the first few are what a decision is about.
_LINES: Final[tuple[tuple[str, Callable[[dict[str, Any]], str]], ...]] = (
    ("pauses", _yes_with("should_pause", "pause_reason")),
    ("asks for a person", _yes_with("should_escalate", "escalation_reason")),
    ("energy", _figure("energy_level")),
    ("trust", _figure("trust")),
    ("steps remaining", _steps),
    ("told to the model", lambda view: str(view["narrative_prompt"])),
    ("stability", _figure("stability_index")),
    ("delegation", _delegation),
    ("collaboration", lambda view: str(view["collaboration_style"])),
    ("verification", lambda view: "required" if view["verification_required"] else "not required"),
    ("system", lambda view: str(view["system_state"])),
    ("leading modes", _words("dominant_modes")),
    ("suppressed modes", _words("suppressed_modes")),
    ("prefers", _words("preferred_actions")),
    ("avoids", _words("discouraged_actions")),
    ("decides", _group("decision_style")),
    ("recovers", _group("recovery_profile")),
    ("hard locks", _group("hard_locks")),
)
#: How many lines come first, stress and actions included.
_FIRST: Final = 9


def compare(before: State, after: State) -> Comparison:
    """What holds before and after."""
    old, new = contract_view(contract(before)), contract_view(contract(after))
    was, will = old["allowed_actions"], new["allowed_actions"]
    freed = [action for action in ACTIONS if action in will and action not in was]
    lost = [action for action in ACTIONS if action in was and action not in will]
    lines = [
        Line("stress", "stress", old["stress_state"], new["stress_state"], old["stress_state"] != new["stress_state"]),
        Line(
            "may do",
            "actions",
            [(action, "") for action in was],
            [(action, "freed" if action in freed else "") for action in will] + [(action, "lost") for action in lost],
            bool(freed or lost),
        ),
    ]
    drift, cycles = (_drift(before), _drift(after)), (f"{before.cycle:,}", f"{after.cycle:,}")
    lines.append(Line("drift", "text", *drift, drift[0] != drift[1]))
    for name, said in _LINES:
        texts = said(old), said(new)
        lines.append(Line(name, "text", *texts, texts[0] != texts[1]))
    lines.append(Line("cycles it remembers", "text", *cycles, cycles[0] != cycles[1]))
    return Comparison(
        [line for line in lines[:_FIRST] if line.changed],
        [line for line in lines[_FIRST:] if line.changed],
        [line for line in lines if not line.changed],
        freed,
        lost,
        old,
        new,
    )
