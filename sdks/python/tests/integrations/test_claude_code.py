"""The hook of Claude Code: the conformance stories, event by event and as processes."""

import json
from types import SimpleNamespace

import pytest
import story
from claude_code_world import ClaudeCode, Process, remembered
from identity_os_sdk import Guard, IdentityOS
from identity_os_sdk.integrations.claude_code import client, tools
from identity_os_sdk.integrations.claude_code.events import USER


def play(script, guard):
    decisions = iter(script.decisions)
    claude = ClaudeCode(remembered(guard), script.run, lambda: next(decisions))
    return [claude.call(call.tool, call.args) for call in script.calls]


test_conformance = story.cases(play)
test_conformance_of_two_agents_at_once = story.two_at_once(play)
test_table = story.table_row("claude_code", play)
test_against_the_api = story.against_the_api(play)


@pytest.mark.parametrize("told", [each for each in story.STORIES if "detector" not in each], ids=lambda told: told["name"])
def test_conformance_as_processes(told, tmp_path, home):
    """A command has no detectors, so that their story is not played here."""
    tools_file, log = tmp_path / "tools.json", tmp_path / "log"
    tools_file.write_text(json.dumps(story.TOOLS))
    options = ["--agent", "story", "--tools", str(tools_file), "--log", str(log)]
    engine = f"local:{tmp_path / 'agents.db'}"
    away = {"IDENTITY_OS_BASE_URL": "http://127.0.0.1:9", "IDENTITY_OS_API_KEY": "idos_sk_none"} if told.get("away") else {}
    options += ["--engine", "api" if away else engine, "--on-unreachable", told.get("on_unreachable", "safe")]
    script, decisions = story.Script(told), iter(told.get("decisions", []))
    claude = ClaudeCode(Process(home, *options, **away), script.run, lambda: next(decisions))
    messages = [claude.call(call.tool, call.args) for call in script.calls]
    assert [story.kind_of(message, script) for message in messages] == told["expected"]["seen"]
    assert script.ran == told["expected"]["ran"]
    reports = [report for line in log.read_text().splitlines() for report in json.loads(line).get("reports", [])]
    assert reports == told["expected"]["reports"]


def test_over_the_api_one_agent_stands_for_the_project(server, tmp_path, home):
    """As processes, with a key of the account: two sessions, one agent, and its history has what happened."""
    url, keys = server
    key = {"IDENTITY_OS_BASE_URL": url, "IDENTITY_OS_API_KEY": keys["enterprise"]}
    told = next(each for each in story.STORIES if each["name"] == "a tool fails until it is denied")
    tools_file = tmp_path / "tools.json"
    tools_file.write_text(json.dumps(story.TOOLS))
    hook, script = Process(home, "--agent", "story of the hook", "--tools", str(tools_file), **key), story.Script(told)
    claude = ClaudeCode(hook, script.run)
    messages = [claude.call(call.tool, call.args) for call in script.calls]
    assert [story.kind_of(message, script) for message in messages] == told["expected"]["seen"]
    with IdentityOS(keys["enterprise"], url) as api:
        (found,) = api.instances.list(name="story of the hook").data
        rows = api.engine.get_history(found.id).data
    assert [[row.mode_target, row.signal_strength] for row in reversed(rows)] == told["expected"]["reports"]
    other = ClaudeCode(hook, script.run, session="s2")
    assert "execute is not allowed while stress is HIGH" in other.call("pay", {"target": "1"})


def fails(tool, given):
    raise story.ToolFailed("Exit code 1")


def works(tool, given):
    return "done"


def held(**options):
    """Claude Code after a command that failed three times."""
    engine = story.RecordingEngine()
    guard = Guard(engine, "inst_a", tools=tools.guard_tools({}))
    claude = ClaudeCode(remembered(guard, way_out="reset it", **options), fails)
    for _ in range(3):
        claude.call("Bash", {"command": "make"})
    claude.run = works
    return SimpleNamespace(claude=claude, engine=engine, guard=guard)


def test_under_stress_it_reads_and_asks_and_is_told_so():
    world = held()
    claude = world.claude
    for tool, given in (("Edit", {"file_path": "/a"}), ("Write", {"file_path": "/a"}), ("Bash", {"command": "rm -r x"})):
        message = claude.call(tool, given)
        assert "execute is not allowed while stress is HIGH" in message
        assert "You can still read (Read, Grep, Glob, commands that only read) and ask the user" in message
    for tool, given in (
        *((name, {"file_path": "/a"}) for name in ("Read", "Glob", "Grep", "LS", "NotebookRead", "TaskOutput")),
        *((name, {}) for name in tools.NEVER_HELD),
        ("Bash", {"command": "git diff HEAD | head -50"}),
    ):
        assert claude.call(tool, given) == "done", tool


def test_the_model_and_the_person_are_told_once_when_something_is_held_and_when_it_ends():
    claude = held().claude
    assert len(claude.context) == len(claude.shown) == 1
    assert "Find out why it failed" in claude.context[0]
    assert claude.shown[0].startswith("Identity OS holds Edit, Write, Bash, WebFetch, WebSearch, Agent: stress is HIGH.")
    assert claude.shown[0].endswith("when you decide: reset it")
    assert "reset it" not in claude.context[0]  # a model with a shell would run it
    for number in range(12):
        claude.call("Read", {"file_path": f"/{number}"})
    assert claude.context[-1] == claude.shown[-1] == "Identity OS: nothing is held any more."
    assert claude.call("Edit", {"file_path": "/a"}) == "done"


def test_a_calm_agent_is_told_nothing():
    guard = Guard(story.RecordingEngine(), "inst_a", tools=tools.guard_tools({}))
    claude = ClaudeCode(remembered(guard), works)
    claude.event("SessionStart", source="startup")
    claude.event("UserPromptSubmit", prompt="hello")
    for number in range(5):
        claude.call("Edit", {"file_path": f"/{number}"})
    claude.event("Stop", last_assistant_message="done")
    assert claude.context == claude.shown == []


def test_after_a_conversation_was_summarised_it_is_told_again():
    claude = held().claude
    claude.event("SessionStart", source="compact")
    claude.event("UserPromptSubmit", prompt="go on")
    assert len(claude.context) == 2
    assert claude.context[0].splitlines()[0] == claude.context[1].splitlines()[0]


def paused(decision):
    """Claude Code at a dialog, after three denials."""
    world = held()
    world.claude.decide = lambda: decision
    for _ in range(3):
        world.claude.call("Bash", {"command": "make"})
    return world


def test_a_call_that_ends_was_approved_by_the_user():
    world = paused("approve")
    asked = len(world.engine.reports)
    assert world.claude.call("Bash", {"command": "make"}) == "done"
    assert world.engine.reports[asked] == ["CONNECTION", 0.2]
    known = [call.verdict for call in world.guard.core._calls.values() if call.verdict.by]
    assert [(verdict.kind, verdict.by) for verdict in known] == [("allow", USER)]


@pytest.mark.parametrize("ending", ["PostToolBatch", "UserPromptSubmit", "Stop", "SessionStart"])
def test_a_call_that_never_ends_was_refused_by_the_user(ending):
    world = paused("refuse")
    about = {"tool_name": "Bash", "tool_input": {"command": "make"}, "tool_use_id": "asked"}
    asked = world.claude.event("PreToolUse", **about)
    assert asked["permissionDecision"] == "ask"
    assert asked["permissionDecisionReason"].startswith("Identity OS: Bash waits for a person: execute is not allowed")
    reported = list(world.engine.reports)
    world.claude.event(ending, tool_calls=[about], source="resume")
    assert world.guard.core._calls["asked"].verdict.reason == f"refused by {USER}"
    assert world.engine.reports == reported
    # The end of a call that was refused is none.
    world.claude.event("PostToolUse", **about, tool_response="x")
    assert world.engine.reports == reported


def test_calls_that_wait_beside_it_are_not_refused_with_it():
    world = paused("refuse")
    for call_id in ("one", "other"):
        world.claude.event("PreToolUse", tool_name="Bash", tool_input={"command": "make"}, tool_use_id=call_id)
    world.claude.event("PostToolBatch", tool_calls=[{"tool_use_id": "one"}])
    world.claude.event("PostToolUse", tool_name="Bash", tool_input={"command": "make"}, tool_use_id="other", tool_response="x")
    calls = world.guard.core._calls
    assert [calls[call_id].verdict.kind for call_id in ("one", "other")] == ["deny", "allow"]


def test_an_escalation_is_denied_and_says_who_decides():
    world = held()
    for _ in range(60):
        world.engine.process("inst_a", "STRESS_RESPONSE", 0.95)
    message = world.claude.call("Bash", {"command": "make"})
    assert "An operator decides by a reset of the agent. Stop here, and tell the user" in message
    assert world.claude.shown[-1].endswith("It ends when a person decides: reset it")
    assert world.claude.call("AskUserQuestion", {"questions": []}) == "done"
    assert world.claude.call("Read", {"file_path": "/a"}) == "done"


def test_a_call_that_the_user_interrupts_is_not_reported():
    world = held()
    reported = list(world.engine.reports)
    about = {"tool_name": "Read", "tool_input": {"file_path": "/a"}, "tool_use_id": "r"}
    world.claude.event("PreToolUse", **about)
    world.claude.event("PostToolUseFailure", **about, error="interrupted", is_interrupt=True)
    assert world.engine.reports == reported


def test_messages_are_reported_only_when_asked_for():
    for messages, reports in ((False, []), (True, [["CONNECTION", 0.4], ["CONNECTION", 0.4]])):
        engine = story.RecordingEngine()
        claude = ClaudeCode(remembered(Guard(engine, "inst_a"), messages=messages), works)
        claude.event("UserPromptSubmit", prompt="hello")
        claude.event("Stop", last_assistant_message="done")
        assert engine.reports == reports


def test_a_subagent_is_told_what_its_session_was_told():
    claude = held().claude
    claude.event("SubagentStart", agent_id="a1", agent_type="helper")
    claude.event("SubagentStart", agent_id="a1", agent_type="helper")
    assert len(claude.context) == 2


def test_what_the_client_lets_pass_by_itself_is_never_held_or_reads():
    assert {tools.OWN[name].action for name in client._READS} == {"clarify"}
    for name in tools.NEVER_HELD:
        assert client.without_engine("PreToolUse", json.dumps({"tool_name": name}), "deny") == "{}\n"


@pytest.mark.parametrize(
    ("tool", "given", "mine", "name", "action"),
    [
        ("Read", {"file_path": "/a"}, {}, "Read", "clarify"),
        ("WebFetch", {"url": "http://x.test"}, {}, "WebFetch", "explore"),
        ("Edit", {"file_path": "/a"}, {}, "Edit", "execute"),
        ("Bash", {"command": "make"}, {}, "Bash", "execute"),
        ("Bash", {"command": "ls | head"}, {}, "Bash(read only)", "clarify"),
        ("Bash", {}, {}, "Bash", "execute"),
        ("Bash", {"command": ["ls"]}, {}, "Bash", "execute"),
        ("Bash", "ls", {}, "Bash", "execute"),
        ("Bash", {"command": "ls"}, {"Bash": "execute"}, "Bash", "execute"),
        ("Bash", {"command": "npm test"}, {"Bash(npm test*)": "clarify"}, "Bash(npm test*)", "clarify"),
        ("Bash", {"command": "rm -f x"}, {"Bash(rm -[rf]*)": "pivot", "Bash(*)": "suggest"}, "Bash(rm -[rf]*)", "pivot"),
        ("Bash", {"command": "ls"}, {"Bash(r*)": "execute"}, "Bash(read only)", "clarify"),
        ("mcp__github__list_issues", {}, {}, "mcp__github__list_issues", "clarify"),
        ("mcp__github__search_code", {}, {}, "mcp__github__search_code", "explore"),
        ("mcp__github__create_issue", {}, {}, "mcp__github__create_issue", "execute"),
        ("mcp__github__merge", {}, {"mcp__github__*": "question"}, "mcp__github__merge", "question"),
        ("ToolOfTomorrow", {}, {}, "ToolOfTomorrow", "execute"),
    ],
)
def test_the_action_of_a_call(tool, given, mine, name, action):
    call = tools.call_of(tool, given, mine)
    guard = Guard(story.RecordingEngine(), "inst_a", tools=tools.guard_tools(mine))
    assert (call.name, guard.tool_action(call.name).action) == (name, action)
