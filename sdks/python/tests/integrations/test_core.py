"""The conformance story without any framework: what every adapter must come to."""

import pytest
import story


def play(script, guard):
    messages = []
    for number, call in enumerate(script.calls):
        call_id = f"call_{number}"
        verdict = guard.before_tool(call.tool, call.args, call_id)
        assert guard.before_tool(call.tool, call.args, call_id) == verdict  # a hook that is called twice
        if verdict.kind == "pause":
            decide = guard.approve if script.decisions.pop(0) == "approve" else guard.refuse
            verdict = decide(call_id, "ops@example.test")
        if not verdict.allowed:
            messages.append(verdict.message)
            continue
        try:
            result = script.run(call.tool, call.args)
        except script.ToolFailed as error:
            guard.after_tool(call.tool, call_id, error=error)
            messages.append(str(error))
        else:
            guard.after_tool(call.tool, call_id, result=result)
            messages.append(result)
        guard.after_tool(call.tool, call_id, result="again")
    return messages


test_conformance = story.cases(play)
test_two_agents_at_once = story.two_at_once(play)
test_against_the_api = story.against_the_api(play)


def test_expectations_can_fail():
    broken = dict(story.STORIES[0], expected=dict(story.STORIES[0]["expected"], ran=[]))
    guard, script = story.new_guard(broken), story.Script(broken)
    play(script, guard)
    with pytest.raises(AssertionError):
        assert script.ran == broken["expected"]["ran"]
