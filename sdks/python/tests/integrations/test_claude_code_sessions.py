"""Ordinary sessions are left alone. Each was recorded with the real Claude Code (record_claude_code.py)."""

import json
from dataclasses import replace

import pytest
from claude_code_world import RECORDED, recorded
from identity_os_sdk import Guard
from identity_os_sdk.integrations.claude_code import tools
from identity_os_sdk.integrations.claude_code.events import Session
from identity_os_sdk.local import LocalEngine


def replay(name):
    """What each call of a recorded session becomes: its name, with the decision if it is held, and the stress after it."""
    guard, known, calls = Guard(LocalEngine(":memory:"), "inst_a", tools=tools.guard_tools({}), run=name), {}, {}
    for event in recorded(name):
        call_id = event.get("tool_use_id")
        if calls.get(call_id, [0, ""])[1]:
            continue  # it was not made, so that it has no end
        session = Session(guard, known, tools={})
        output = session.answer(event)
        session.keep()
        known = json.loads(json.dumps(known))
        if event["hook_event_name"] == "PreToolUse":
            decision = output.get("hookSpecificOutput", {}).get("permissionDecision", "")
            calls[call_id] = [session.verdict.tool, decision, ""]
        elif call_id:
            calls[call_id][2] = guard.contract.stress_state
    return list(calls.values())


@pytest.mark.parametrize("name", ["fix-a-bug", "answer-a-question", "set-up", "refactor"])
def test_an_ordinary_session_is_left_alone(name):
    calls = replay(name)
    assert len(calls) >= 10
    assert {decision for _, decision, _ in calls} == {""}
    assert {stress for _, _, stress in calls} <= {"LOW", "MED"}


def test_the_bug_was_fixed_although_the_tests_failed_four_times():
    failed = [event for event in recorded("fix-a-bug") if event["hook_event_name"] == "PostToolUseFailure"]
    assert [event["tool_input"]["command"] for event in failed] == ["python3 test_shop.py"] * 4
    assert replay("fix-a-bug")[-1] == ["Bash", "", "MED"]


def test_a_row_that_only_a_success_ends_would_have_held_it(monkeypatch):
    """Why Claude Code's own tools have a rule of their own: docs/decisions/0015-claude-code-hook.md."""
    call_of = tools.call_of
    monkeypatch.setattr(tools, "call_of", lambda *given: replace(call_of(*given), own=False))
    first = next(number for number, (_, decision, _) in enumerate(replay("fix-a-bug")) if decision)
    assert [name for name, _, _ in replay("fix-a-bug")[: first + 1]].count("Edit") == 3


def test_who_repeats_himself_is_held_until_he_has_read():
    calls = replay("stuck")
    assert calls[:3] == [["Bash", "", "LOW"], ["Bash", "", "MED"], ["Bash", "", "HIGH"]]
    assert [call[:2] for call in calls[3:5]] == [["Edit", "deny"], ["Bash", "deny"]]
    after = calls[5:]
    reading = [name for name, _, _ in after[:-2]]
    assert reading == ["Read", "Read", "Bash(read only)", "Bash(read only)", "Read", "Read"]
    assert [call[:2] for call in after[-2:]] == [["Edit", ""], ["Bash", ""]]


def test_all_that_was_recorded_is_replayed():
    names = {path.stem for path in RECORDED.glob("*.jsonl")}
    assert names == {"fix-a-bug", "answer-a-question", "set-up", "refactor", "stuck"}
