"""The Claude Agent SDK with the Claude Code that it brings, against a Messages API on loopback: no network, no key."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
import story
from claude_agent_sdk import (
    AgentDefinition,
    ClaudeAgentOptions,
    HookMatcher,
    PermissionResultAllow,
    PermissionResultDeny,
    ResultMessage,
    ToolPermissionContext,
    create_sdk_mcp_server,
    query,
    tool,
)
from identity_os_sdk import Action
from identity_os_sdk.guard import Guard, Verdict
from identity_os_sdk.integrations.claude_agent import UNDECIDED, guarded
from messages_api import MessagesAPI


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine reaches Claude Code, and it reaches nothing but loopback."""
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC", "CLAUDE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def scripted_tools(script: Any) -> list[Any]:
    def one(name: str) -> Any:
        @tool(name, f"{name} a target", {"target": str})
        async def run(args: dict[str, Any]) -> dict[str, Any]:
            return {"content": [{"type": "text", "text": script.run(name, args)}]}

        return run

    return [one(name) for name in script.tools]


def options(api: MessagesAPI, script: Any, **more: Any) -> ClaudeAgentOptions:
    home = os.environ["HOME"]
    settings: dict[str, Any] = {
        "mcp_servers": {"shop": create_sdk_mcp_server("shop", tools=scripted_tools(script))},
        "tools": [],
        "allowed_tools": ["mcp__shop"],
        "setting_sources": [],
        "cwd": home,
        "env": {
            "ANTHROPIC_BASE_URL": api.url,
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CONFIG_DIR": home,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
        },
    }
    return ClaudeAgentOptions(**{**settings, **more})


async def run(prompt: str, options: ClaudeAgentOptions) -> ResultMessage:
    last = [message async for message in query(prompt=prompt, options=options) if isinstance(message, ResultMessage)]
    return last[-1]


def turns(script: Any) -> list[list[tuple[str, dict[str, Any]]]]:
    return [[(f"mcp__shop__{call.tool}", call.args)] for call in script.calls]


def play(script: Any, guard: Guard) -> list[str]:
    decisions = iter(script.decisions)

    async def ask(verdict: Any, name: str, args: dict[str, Any]) -> dict[str, str]:
        return {"decision": next(decisions), "by": "ops@example.test"}

    with MessagesAPI(turns(script)) as api:
        asyncio.run(run("go", guarded(options(api, script), guard, ask)))
        return api.results()


test_conformance = story.cases(play)
test_conformance_of_two_agents_at_once = story.two_at_once(play)
test_table = story.table_row("claude_agent", play)
test_against_the_api = story.against_the_api(play)


def _verdict(kind: Any, call_id: str, message: str = "") -> Verdict:
    return Verdict(kind=kind, tool="", action=Action.EXECUTE, call_id=call_id, message=message)


class Fixed:
    """An asynchronous guard with fixed verdicts by tool, which keeps what it was told."""

    def __init__(self, **verdicts: str) -> None:
        self.verdicts, self.heard, self.contract_text = verdicts, list[tuple[Any, ...]](), "CONTRACT calm"

    async def before_tool(self, name: str, args: dict[str, Any], call_id: str) -> Verdict:
        kind = self.verdicts.get(name, "allow")
        if kind == "broken":
            raise RuntimeError("the guard is broken")
        return _verdict(kind, call_id, f"{name}: {kind}")

    async def after_tool(self, name: str, call_id: str, result: Any = None, error: Any = None) -> None:
        self.heard.append((name, "failed" if error else "worked", error or result))
        self.contract_text = f"CONTRACT after {name}"

    def prompt(self) -> str:
        return self.contract_text

    async def user_said(self, text: str) -> None:
        self.heard.append(("user", text))

    async def agent_said(self, text: str) -> None:
        self.heard.append(("agent", text))

    async def approve(self, call_id: str, by: str) -> Verdict:
        self.heard.append(("approve", by))
        return _verdict("allow", call_id)

    def refuse(self, call_id: str, by: str) -> Verdict:
        self.heard.append(("refuse", by))
        return _verdict("deny", call_id, f"{by} refused")


class Shop:
    """Two tools that work, and what was run."""

    tools = ("refund", "read")

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, name: str, args: dict[str, Any]) -> str:
        self.ran.append(name)
        return f"{name} {args['target']}"


def calls(*names: str) -> list[list[tuple[str, dict[str, Any]]]]:
    return [[(f"mcp__shop__{name}", {"target": "42"})] for name in names]


async def approves(*_: Any) -> str:
    return "approve"


def test_the_contract_is_told_once_and_again_when_it_changes() -> None:
    guard, shop = Fixed(), Shop()
    with MessagesAPI(calls("read", "read", "refund")) as api:
        asyncio.run(run("hello", guarded(options(api, shop), guard, messages=True)))
        read = api.read()
    assert [read.count(text) for text in ("CONTRACT calm", "CONTRACT after read", "CONTRACT after refund")] == [1, 1, 1]
    assert guard.heard[0] == ("user", "hello")
    assert guard.heard[-1] == ("agent", "done")


def test_a_guard_that_breaks_denies() -> None:
    guard, shop = Fixed(refund="broken"), Shop()
    with MessagesAPI(calls("refund", "read")) as api:
        asyncio.run(run("go", guarded(options(api, shop), guard)))
        results = api.results()
    assert shop.ran == ["read"]
    assert UNDECIDED in results[0]


@pytest.mark.parametrize("breaks", ["raises", "hangs", "answers nonsense"])
def test_a_hook_that_breaks_blocks_the_call(breaks: str) -> None:
    async def hook(*_: Any) -> Any:
        if breaks == "raises":
            raise RuntimeError("the hook is broken")
        if breaks == "hangs":
            await asyncio.sleep(30)
        return None

    shop = Shop()
    with MessagesAPI(calls("refund")) as api:
        settings = guarded(options(api, shop), Fixed())
        assert settings.hooks is not None
        (matcher,) = settings.hooks["PreToolUse"]
        matcher.hooks, matcher.timeout = [hook], 1
        asyncio.run(run("go", settings))
    assert shop.ran == []


@pytest.mark.parametrize("mode", ["default", "bypassPermissions", "dontAsk", "acceptEdits"])
def test_no_permission_mode_lets_a_denied_or_paused_call_through(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IS_SANDBOX", "1")  # bypassPermissions as root
    guard, shop = Fixed(read="deny", refund="pause"), Shop()

    async def refuses(*_: Any) -> dict[str, str]:
        return {"decision": "refuse", "by": "ops@example.test"}

    with MessagesAPI(calls("read", "refund")) as api:
        asyncio.run(run("go", guarded(options(api, shop, permission_mode=mode), guard, refuses)))
        results = api.results()
    assert shop.ran == []
    assert "read: deny" in results[0]
    assert results[1] == "ops@example.test refused"


def test_a_pause_without_a_person_is_a_denial() -> None:
    guard, shop = Fixed(refund="pause"), Shop()
    with MessagesAPI(calls("refund")) as api:
        asyncio.run(run("go", guarded(options(api, shop), guard)))
        results = api.results()
    assert shop.ran == []
    assert "refund: pause" in results[0]


def test_a_person_who_cannot_be_reached_is_a_denial() -> None:
    guard, shop = Fixed(refund="pause"), Shop()

    async def unreachable(*_: Any) -> str:
        raise ConnectionError("nobody there")

    with MessagesAPI(calls("refund")) as api:
        asyncio.run(run("go", guarded(options(api, shop), guard, unreachable)))
    assert shop.ran == []


def test_an_allowed_call_still_needs_permission() -> None:
    """The guard never widens what Claude Code allows: a tool outside allowed_tools stays outside."""
    guard, shop = Fixed(refund="pause"), Shop()
    with MessagesAPI(calls("read", "refund")) as api:
        asyncio.run(run("go", guarded(options(api, shop, allowed_tools=[]), guard, approves)))
        results = api.results()
    assert results[0] == "You have no permission to use mcp__shop__read."
    assert shop.ran == ["refund"]  # a person approved this one


def test_your_own_hooks_and_can_use_tool_stay() -> None:
    guard, shop, seen = Fixed(refund="pause"), Shop(), list[str]()

    async def mine(data: Any, *_: Any) -> Any:
        seen.append(f"hook {data['tool_name']}")
        return {}

    async def can_use_tool(name: str, args: dict[str, Any], context: ToolPermissionContext) -> Any:
        seen.append(f"can_use_tool {name}")
        return PermissionResultDeny(message="not on Sundays") if name.endswith("refund") else PermissionResultAllow()

    own: dict[str, Any] = {"can_use_tool": can_use_tool, "hooks": {"PreToolUse": [HookMatcher(hooks=[mine])]}}
    with MessagesAPI(calls("read", "refund")) as api:
        before = options(api, shop, allowed_tools=[], **own)
        asyncio.run(run("go", guarded(before, guard, approves)))
        results = api.results()
    assert before.hooks is not None
    assert len(before.hooks["PreToolUse"]) == 1  # the options given are not changed
    assert [one for one in seen if "read" in one] == ["hook mcp__shop__read", "can_use_tool mcp__shop__read"]
    assert ("approve", "unknown") in guard.heard
    assert results[1] == "not on Sundays"
    assert shop.ran == ["read"]


def test_a_deferred_call_waits_for_a_decision_and_runs_when_resumed() -> None:
    guard, shop = Fixed(refund="pause"), Shop()
    with MessagesAPI(calls("refund")) as api:
        first = asyncio.run(run("go", guarded(options(api, shop), guard, "defer")))
        assert first.deferred_tool_use is not None
        assert (shop.ran, first.deferred_tool_use.name, first.deferred_tool_use.id) == ([], "mcp__shop__refund", "toolu_1_0")
        asyncio.run(run("go on", guarded(options(api, shop, resume=first.session_id), Fixed(refund="pause"), approves)))
        assert api.results() == ["refund 42"]
    assert shop.ran == ["refund"]


def test_calls_of_one_turn_are_decided_each() -> None:
    guard, shop = Fixed(refund="deny"), Shop()
    one_turn = [call for turn in calls("read", "refund", "read") for call in turn]
    with MessagesAPI([one_turn]) as api:
        asyncio.run(run("go", guarded(options(api, shop), guard)))
        results = api.results()
    assert shop.ran == ["read", "read"]
    assert "refund: deny" in results[1]


def test_a_subagent_is_guarded_and_told_the_contract() -> None:
    guard, shop = Fixed(refund="deny"), Shop()
    errand = {"description": "an errand", "prompt": "refund it", "subagent_type": "helper", "run_in_background": False}
    with MessagesAPI([[("Agent", errand)], *calls("refund")]) as api:
        helper = {"helper": AgentDefinition(description="helps", prompt="You help.")}
        more: dict[str, Any] = {"tools": ["Agent"], "allowed_tools": ["mcp__shop", "Agent"], "agents": helper}
        asyncio.run(run("go", guarded(options(api, shop, **more), guard)))
        subagent = json.dumps(api.requests[2]["messages"])
    assert shop.ran == []
    assert "CONTRACT calm" in subagent
    assert "refund: deny" in subagent
    assert ("Agent", "worked") in [heard[:2] for heard in guard.heard]


def test_two_agents_at_once_keep_their_guards() -> None:
    one, other, shop = Fixed(refund="deny"), Fixed(), Shop()

    async def both(a: MessagesAPI, b: MessagesAPI) -> None:
        await asyncio.gather(
            run("one", guarded(options(a, shop), one, messages=True)),
            run("other", guarded(options(b, shop), other, messages=True)),
        )

    with MessagesAPI(calls("refund")) as a, MessagesAPI(calls("refund")) as b:
        asyncio.run(both(a, b))
        assert "refund: deny" in a.results()[0]
        assert b.results() == ["refund 42"]
    assert ("user", "one") in one.heard
    assert ("refund", "worked", "refund 42") in other.heard
    assert shop.ran == ["refund"]


def test_a_tool_of_an_external_server_keeps_its_long_name() -> None:
    """`mcp__evil__read` is not your `read`."""
    guard = Fixed(mcp__evil__read="deny")
    with MessagesAPI([]) as api:
        settings = options(api, Shop())
        assert isinstance(settings.mcp_servers, dict)
        settings.mcp_servers["evil"] = {"type": "stdio", "command": "evil"}
        hooks = guarded(settings, guard).hooks
    assert hooks is not None
    hook = hooks["PreToolUse"][0].hooks[0]
    data: Any = {"tool_name": "mcp__evil__read", "tool_input": {}, "tool_use_id": "1"}
    answer: Any = asyncio.run(hook(data, "1", {"signal": None}))
    assert answer["hookSpecificOutput"]["permissionDecision"] == "deny"
