"""The counts of a replay, over played runs that were made by hand."""

from identity_os_sdk.replay import Called, Played, Problem, Refusal, Returned, Run, Turn
from identity_os_sdk.replay.look import look
from identity_os_sdk.replay.summary import Reason, Summary
from identity_os_sdk.tools import ToolMap

STRESSED = {"LOW": 0.1, "MED": 0.4, "HIGH": 0.7, "OVER": 0.9}


def turn(stress_state="LOW", drift_level="D0", **other):
    made = {"cycle": 1, "rule": "failed", "tool": "refund", "mode": "STRESS_RESPONSE", "strength": 0.5, "incident": False}
    made |= {"stress": STRESSED[stress_state], "stress_state": stress_state, "energy": 1.0, "drift_level": drift_level}
    made |= {"drift": 0.0, "rolled_back": False, "allowed": 12, "paused": False, "escalated": False}
    return Turn(**made | other)


def played(run_id="1", *turns, errors=(), refused=(), succeeded=None, agent="a"):
    """A run with a call of refund for each of `errors`, and refused calls of these tools."""
    steps = []
    for number, error in enumerate(errors):
        rule = "begins like an error" if error else "nothing says error"
        steps += [Called("refund", {"n": number}, str(number)), Returned(str(number), "x", error, rule)]
    actions = {"refund": "execute", "search_web": "explore"}
    held = tuple(Refusal(0, "c", tool, ToolMap().action_of(tool).action, "deny", "stress is HIGH") for tool in refused)
    assert all(actions[refusal.tool] == refusal.action for refusal in held)
    run = Run(run_id, agent, "t", tuple(steps), succeeded, source=f"runs.jsonl:{run_id}")
    return Played(run, turns, held, len(errors), len(errors))


def summary_of(*runs, **options):
    summary = Summary(ToolMap(), **options)
    for run in runs:
        summary.add(run)
    return summary


def test_false_refusals_are_changing_calls_refused_in_runs_that_succeeded():
    summary = summary_of(
        played("1", errors=[None, None], refused=["refund", "search_web"], succeeded=True),
        played("2", errors=[None], refused=["refund", "refund"], succeeded=False),
        played("3", errors=[None], refused=["refund"]),
    )
    assert (summary.refused_changing, summary.changing, summary.runs_refused) == (4, 4, 3)
    assert (summary.false_refusals, summary.changing_succeeded) == (1, 2)
    assert summary.refused[Reason("deny", "stress is HIGH", "refund", "execute")] == 4
    assert (summary.tool_uses["refund"].calls, summary.tool_uses["refund"].refused) == (4, 4)
    assert (summary.succeeded, summary.failed, summary.runs) == (1, 1, 3)


def test_alarms_of_engine_and_counter_over_runs_whose_outcome_is_known():
    summary = summary_of(
        played("1", turn("HIGH"), errors=["down"] * 3, succeeded=False),
        played("2", turn("OVER"), errors=["down"] * 2, succeeded=True),
        played("3", turn("MED"), errors=["down"], succeeded=False),
        played("4", turn("HIGH"), errors=["down"] * 9),
    )
    engine, counters = summary.engine_alarm, summary.counter_alarms
    assert (engine.hits, engine.false, engine.failed, engine.precision, engine.recall) == (1, 1, 2, 0.5, 0.5)
    assert {count: (alarm.precision, alarm.recall, alarm.false) for count, alarm in counters.items()} == {
        2: (0.5, 0.5, 1),
        3: (1.0, 0.5, 0),
        4: (None, 0.0, 0),
    }
    assert summary_of(played("1")).engine_alarm.recall is None


def test_levels_rules_and_problems():
    summary = summary_of(
        played("1", turn("LOW", None), turn("MED", "D1"), errors=["down", None]),
        played("2", turn("MED", "D2", rolled_back=True), errors=["down"], agent="b"),
    )
    assert (summary.cycles, dict(summary.stress), summary.rolled_back) == (3, {"LOW": 1, "MED": 2}, 1)
    assert dict(summary.drift) == {"warm-up": 1, "D1": 1, "D2": 1}
    assert dict(summary.error_rules) == {("begins like an error", True): 2, ("nothing says error", False): 1}
    assert len(summary.agents) == 2
    for number in range(300):
        summary.problem(Problem("x", str(number)))
    assert (summary.problem_count, len(summary.problems)) == (300, 200)
    assert summary.as_dict()["problems"]["count"] == 300


def test_the_runs_most_worth_a_look_and_why():
    calm = played("calm", turn())
    runs = [
        calm,
        played("errors", turn("MED"), errors=["down"] * 4),
        played("stress", turn("HIGH")),
        played("incident", turn("HIGH", incident=True)),
        played("back", turn(rolled_back=True, drift_level="D3")),
        played("paused", turn(paused=True)),
        played("human", turn(escalated=True, paused=True)),
        played("refused", turn("HIGH"), refused=["refund"], succeeded=False),
        played("false", turn("HIGH"), refused=["refund", "search_web"], succeeded=True),
    ]
    summary = summary_of(*runs, keep=20)
    order = [each.played.run.id for each in summary.worth_a_look()]
    assert order == ["false", "refused", "human", "paused", "back", "incident", "stress", "errors"]
    assert summary.worth_a_look(1)[0].why == (
        "1 changing call would have been refused; the run succeeded",
        "1 other call would have been refused",
        "stress reached HIGH",
    )
    assert look(calm).why == ()
    assert [each.played.run.id for each in summary.kept()][-1] == "calm"


def test_only_so_many_runs_are_kept_and_of_equals_the_first():
    summary = summary_of(*(played(str(number), turn("HIGH")) for number in range(50)), keep=10)
    assert [each.played.run.id for each in summary.worth_a_look()] == [str(number) for number in range(10)]
    summary.add(played("worse", turn("OVER")))
    assert [each.played.run.id for each in summary.kept()] == ["worse", *(str(number) for number in range(9))]
