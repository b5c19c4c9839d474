"""Recorded runs through the guard: what is refused, what a task's boundary forgets, no silence when it breaks."""

import pytest
from identity_os_sdk import Guard
from identity_os_sdk.errors import InvalidArgumentError
from identity_os_sdk.local import LocalEngine
from identity_os_sdk.models import Action
from identity_os_sdk.replay import Called, ReplayError, Reported, Returned, Run, Said, Settings, StateSet, play

import identity_engine


def calls(*outcomes, tool="pay", arguments="1"):
    steps = []
    for number, error in enumerate(outcomes):
        steps += [Called(tool, arguments, str(number)), Returned(str(number), None if error else "paid", error)]
    return tuple(steps)


def run(*outcomes, agent="support-bot", **made):
    return Run("1", agent, "t", calls(*outcomes, **made))


def test_the_fourth_call_after_three_failures_of_it_is_refused_and_is_not_reported():
    [played] = play([run("down", "down", "down", None)])
    [refusal] = played.refused
    assert (refusal.tool, refusal.kind, refusal.action, refusal.changing, refusal.call_id) == (
        "pay",
        "deny",
        Action.EXECUTE,
        True,
        "3",
    )
    assert "stress is HIGH" in refusal.reason
    assert [turn.rule for turn in played.turns] == ["failed", "failed", "failed", "denied"]
    assert played.turns[refusal.turn - 1].stress_state == "HIGH"
    assert (played.calls, played.changing, played.alarm) == (4, 4, True)


def test_a_plain_counter_sees_failures_and_repeats():
    [played] = play([Run("1", "a", "t", (*calls("down", None), *calls(None, arguments="2")[:1]))])
    assert played.signs == 2, "one failure, one repeat"


def test_agents_of_one_name_go_on_or_begin_anew_as_the_tasks_say():
    failing = [run("down", "down"), run("down", None)]
    cycles = {tasks: [t.cycle for p in play(failing, Settings(tasks=tasks)) for t in p.turns] for tasks in ("fresh", "none")}
    assert cycles == {"fresh": [1, 2, 1, 2], "none": [1, 2, 3, 4]}
    strengths = {tasks: [p.turns[0].strength for p in play(failing, Settings(tasks=tasks))] for tasks in ("carry", "none")}
    assert strengths == {"carry": [0.45, 0.45], "none": [0.45, 0.8]}, "a row of failures ends with its task"


def test_messages_are_reported_if_asked_for():
    spoken = Run("1", "a", "t", (Said("person", "hi", "heated"), Said("agent", "no", "refusing"), *calls(None)))
    assert [turn.rule for played in play([spoken]) for turn in played.turns] == ["first"]
    assert [t.rule for p in play([spoken], Settings(messages=True)) for t in p.turns] == ["heated", "refused", "first"]


def test_an_incident_of_a_detector_and_its_reasons():
    read = (*calls(None, tool="read_file"), *calls(None)[:1])
    [played] = play([Run("1", "a", "t", read)], Settings(detectors=(lambda text: "paid" in text,)))
    assert [(turn.incident, turn.stress_state) for turn in played.turns if turn.rule == "detector"] == [(True, "HIGH")]
    assert [refusal.tool for refusal in played.refused] == ["pay"]


def test_other_strengths_and_words_that_are_none():
    [played] = play([run("down")], Settings(rules={"failed": 0.7}))
    assert played.turns[0].strength == 0.7
    for rules in ({"fails": 0.5}, {"failed": 1.5}, {"failed": "much"}, {"failed": True}):
        with pytest.raises(InvalidArgumentError, match="rules"):
            Guard(LocalEngine(":memory:"), "a", rules=rules)


def test_an_agent_of_each_task_is_born_with_the_persona():
    for tasks in ("fresh", "carry"):
        [plain, guarded] = [next(play([run("down")], Settings(tasks=tasks, persona=p))) for p in (None, "persona_guardian")]
        assert plain.turns[0].allowed != guarded.turns[0].allowed or plain.turns[0].drift != guarded.turns[0].drift


def test_observations_of_a_history_are_reported_as_they_were():
    born = identity_engine.birth(identity_engine.Profile(governance="strict"))
    state, rows = born, [("ORDER", 0.5), ("STRESS_RESPONSE", 0.9), ("STRESS_RESPONSE", 0.9)]
    steps = [StateSet("created", identity_engine.encode(born))]
    for mode, strength in rows:
        index = identity_engine.MODE_CONSTANTS.index(mode)
        state, _ = identity_engine.process(state, identity_engine.Observation(index, strength, 0.8))
        steps.append(Reported(mode, strength, 0.8, rule="failed", tool="pay"))
    calm = identity_engine.reset(state, "last_stable")
    steps += [StateSet("last_stable", identity_engine.encode(calm)), Reported("ORDER", 0.5)]
    [played] = play([Run("1", "a", "t", tuple(steps))])
    assert [(t.cycle, t.mode, t.strength, t.rule) for t in played.turns[1:3]] == [
        (2, "STRESS_RESPONSE", 0.9, "failed"),
        (3, "STRESS_RESPONSE", 0.9, "failed"),
    ]
    assert played.turns[2].allowed == len(identity_engine.contract(state).allowed_actions)
    assert (played.turns[3].cycle, played.turns[3].stress_state) == (calm.cycle + 1, "LOW")
    assert (played.calls, played.refused, played.alarm) == (0, (), played.turns[2].stress_state in ("HIGH", "OVER"))


def test_a_replay_whose_engine_fails_says_so(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no more room")

    monkeypatch.setattr(LocalEngine, "process", broken)
    with pytest.raises(ReplayError, match="run 1: the engine failed: no more room"):
        list(play([run(None)]))


def test_a_call_that_does_not_wait_cannot_be_refused():
    guard = Guard(LocalEngine(":memory:"), "a")
    assert guard.before_tool("pay", "1", "c1").allowed
    assert guard.refuse("c1", "ops").reason == "there is no paused call of this id"
    guard.after_tool("pay", "c1", result="paid")
    assert guard.core._calls["c1"].verdict.allowed
