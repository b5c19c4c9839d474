"""Which action is this tool? The caller's map decides, then MCP annotations, then the tool's verb, else it counts as `execute`.

Reading stays possible at every stress; what cannot be undone does not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from identity_os_sdk.errors import InvalidArgumentError, UnknownActionError
from identity_os_sdk.models import Action, ActionName

#: The verbs of tool names, by the action that they mean.
VERBS: Mapping[Action, tuple[str, ...]] = {
    Action.CLARIFY: ("get", "read", "list", "fetch", "find", "lookup", "calculate", "check"),
    Action.EXPLORE: ("search", "browse", "crawl"),
    Action.QUESTION: ("ask",),
    Action.SUGGEST: ("send", "reply", "notify", "draft"),
    Action.DEFER: ("transfer", "escalate", "handoff"),
    Action.EXECUTE: ("create", "write", "update", "delete", "pay", "refund", "deploy", "run", "exec", "book", "cancel"),
}
_ACTION_OF_VERB = {verb: action for action, verbs in VERBS.items() for verb in verbs}
#: Verbs of calls that bring order: the agent calculates or checks before it acts.
_ORDERLY = frozenset({"calculate", "check"})
#: What MCP annotations may say of a tool, under the names of the protocol and of its Python models.
_HINTS: Mapping[str, str] = {
    "readOnlyHint": "read_only_hint",
    "destructiveHint": "destructive_hint",
    "idempotentHint": "idempotent_hint",
    "openWorldHint": "open_world_hint",
}
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class ToolPolicy:
    """What a tool does.

    `action`: what the contract must allow. `outside`: the tool reaches outside, so that it is held while an incident is young,
    even if it only reads. `plan`: the tool looks up a plan or a policy, calculates or checks.
    """

    action: Action | ActionName
    outside: bool = False
    plan: bool = False


@dataclass(frozen=True)
class ToolAction:
    """The action of a tool, and what said so: `source` is map, annotations, verb or default."""

    name: str
    action: Action
    source: str
    outside: bool = False
    plan: bool = False


@dataclass
class ToolMap:
    """The actions of an agent's tools. `tools`: patterns as in fnmatch, the first that matches wins."""

    tools: Mapping[str, Action | ActionName | ToolPolicy] = field(default_factory=dict)
    default: Action | ActionName = Action.EXECUTE
    annotations: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A word that is no action is found now, not at the first call.
        if not isinstance(self.tools, Mapping):
            raise InvalidArgumentError("tools is a mapping from patterns to actions, such as {'refund': 'execute'}")
        self._policies = {
            pattern: policy if isinstance(policy, ToolPolicy) else ToolPolicy(policy) for pattern, policy in self.tools.items()
        }
        for where, action in (
            ("default", self.default),
            *((f"tools[{p!r}]", each.action) for p, each in self._policies.items()),
        ):
            if action not in set(Action):
                raise UnknownActionError(
                    f"{where}: {action!r} is no action: one of {', '.join(known.value for known in Action)}"
                )
        self.default = Action(self.default)

    def action_of(self, name: str) -> ToolAction:
        """The action of a tool, by its name."""
        for pattern, policy in self._policies.items():
            if fnmatchcase(name, pattern):
                return ToolAction(name, Action(policy.action), "map", policy.outside, policy.plan)
        verb = next((word for word in words(name) if word in _ACTION_OF_VERB), None)
        hints = declared_hints(self.annotations.get(name))
        if hints:
            return ToolAction(name, _by_hints(hints), "annotations", hints.get("openWorldHint", False))
        if verb:
            return ToolAction(name, _ACTION_OF_VERB[verb], "verb", plan=verb in _ORDERLY)
        return ToolAction(name, Action(self.default), "default")


def words(name: str) -> list[str]:
    """The words of a tool's name, in lower case: getUser and get-user alike. Of mcp__server__tool those of the tool."""
    return [word.lower() for word in _WORDS.findall(name.rpartition("__")[2])]


def declared_hints(annotations: Any) -> dict[str, bool]:
    """The hints that a server declared: true or false, nothing else. A title declares none, nor does a null.

    MCP has defaults for hints that are left out (not read-only, destructive). They hold where at least one is declared:
    frameworks send an object with a title, or with four nulls, for tools whose author never heard of hints.
    """
    if not isinstance(annotations, Mapping):
        return {}
    found = {hint: annotations.get(hint, annotations.get(python)) for hint, python in _HINTS.items()}
    return {hint: value for hint, value in found.items() if isinstance(value, bool)}


def _by_hints(hints: Mapping[str, bool]) -> Action:
    if hints.get("readOnlyHint"):
        return Action.EXPLORE if hints.get("openWorldHint") else Action.CLARIFY
    return Action.EXECUTE
