"""Which action is a call of Claude Code? Its own tools by the table below, every other one by map, annotations and verb.

A map of yours comes first. Its patterns are as in `fnmatch`, over the tool's name (`mcp__github__*`), or over a command
(`Bash(git push*)`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import escape
from typing import Any, Final

from identity_os_sdk.models import Action
from identity_os_sdk.observer import printed
from identity_os_sdk.tools import ToolPolicy

from . import client, shell

_BY_ACTION: Final[Mapping[Action, str]] = {
    Action.CLARIFY: "Read Glob Grep LS LSP NotebookRead BashOutput TaskOutput TaskGet TaskList ToolSearch Skill ListAgents "
    "ListMcpResourcesTool ReadMcpResourceTool",
    Action.EXPLORE: "WebSearch WebFetch Agent Task",
    Action.QUESTION: "AskUserQuestion ExitPlanMode EnterPlanMode",
    Action.ELABORATE: "TodoWrite TaskCreate TaskUpdate",
    Action.SUGGEST: "ReportFindings",
    Action.DEFER: "KillShell KillBash TaskStop",
    Action.EXECUTE: "Bash PowerShell Edit MultiEdit Write NotebookEdit",
}
#: Claude Code's own tools.
OWN: Final[Mapping[str, ToolPolicy]] = {
    name: ToolPolicy(action, outside=name in ("WebSearch", "WebFetch"))
    for action, names in _BY_ACTION.items()
    for name in names.split()
}
#: Neither held nor reported, so that an agent can always ask.
NEVER_HELD: Final = client.NEVER_HELD
#: The name of commands that only read.
READING: Final = "Bash(read only)"
_SHELLS: Final = ("Bash", "PowerShell")
_COMMANDS: Final = tuple(f"{name}(" for name in _SHELLS)


@dataclass(frozen=True)
class Call:
    """A call as the guard takes it: the name it goes by, and whether its tool is Claude Code's own."""

    name: str
    own: bool


def call_of(tool: str, given: Any, tools: Mapping[str, Any]) -> Call:
    """The call of a tool with this input. `tools`: your map.

    A command goes by your pattern, by `Bash(read only)` or by `Bash`: reports name tools, never what was typed.
    """
    own = tool in OWN
    command = printed(given["command"]) if tool in _SHELLS and isinstance(given, Mapping) and "command" in given else None
    for pattern in tools:
        if fnmatchcase(tool, pattern):
            return Call(tool, own)
        if command is not None and fnmatchcase(f"{tool}({command})", pattern):
            return Call(pattern, own)
    reads = tool == "Bash" and command is not None and shell.only_reads(command)
    return Call(READING if reads else tool, own)


def _policy(policy: Any) -> ToolPolicy:
    return policy if isinstance(policy, ToolPolicy) else ToolPolicy(policy)


def guard_tools(tools: Mapping[str, Any]) -> dict[str, Any]:
    """The map for a guard, which knows calls by the names that `call_of` gives them: yours, then Claude Code's own tools."""
    named = {escape(pattern): _policy(policy) for pattern, policy in tools.items() if pattern.startswith(_COMMANDS)}
    own = {name: policy for name, policy in OWN.items() if name not in tools}
    return {READING: ToolPolicy(Action.CLARIFY), **named, **tools, **own}
