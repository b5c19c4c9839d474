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


@pytest.mark.parametrize("each", story.STORIES, ids=lambda each: each["name"])
def test_what_an_observer_reports_is_what_a_guard_in_observe_mode_reports(each):
    guard, script = story.new_guard(each, mode="observe"), story.Script(each)
    play(script, guard)
    assert script.ran == [call.tool for call in script.calls]
    assert guard.engine.reports == each["observed"]["reports"]
    assert guard.would_have == each["observed"]["would_have"]


def saw(script, guard):
    """As an observer, which hears of a call when it is over."""
    for number, call in enumerate(script.calls):
        told = {}
        try:
            told["result"] = script.run(call.tool, call.args)
        except script.ToolFailed as error:
            told["error"] = error
        for _ in range(2):
            guard.saw_tool(call.tool, call.args, f"call_{number}", **told)


test_observed = story.observed(saw)
test_conformance = story.cases(play)
test_two_agents_at_once = story.two_at_once(play)
test_against_the_api = story.against_the_api(play)


def test_expectations_can_fail():
    broken = dict(story.STORIES[0], expected=dict(story.STORIES[0]["expected"], ran=[]))
    guard, script = story.new_guard(broken), story.Script(broken)
    play(script, guard)
    with pytest.raises(AssertionError):
        assert script.ran == broken["expected"]["ran"]
