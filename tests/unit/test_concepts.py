"""The figures in docs/concepts.md and docs/event-strength.md are those of this engine: they are played here and compared."""

from random import Random

import pytest

from benchmarks import behaviour, guardrails, scenarios, strength
from benchmarks.normal import TRIO, Run, play, settled, turns
from benchmarks.scenarios import ASSERTION, CONNECTION, ORDER, PERCEPTION, STRESS
from identity_engine import DRIFT_LEVELS, RISKY, SAFE, STRESS_STATES, Observation, Profile
from local import template

FAILURE = Observation(STRESS, 0.9)
INCIDENT = Observation(STRESS, 0.9, incident=True)


def text(name):
    """The words of a page, whatever its line breaks."""
    return " ".join((template.ROOT / "docs" / name).read_text().split())


CONCEPTS, STRENGTH = text("concepts.md"), text("event-strength.md")


def starts(crisis=()):
    """Twenty of perception, then order, assertion and connection, at 0.8; a crisis from report 96 on."""
    reports = turns((PERCEPTION,), 20, 0.8) + turns((ORDER, ASSERTION, CONNECTION), 380, 0.8)
    reports[95 : 95 + len(crisis)] = crisis
    return reports


STORIES = {
    "(a) 20 of perception, then 380 of order, assertion and connection in turn, all at 0.8": starts(),
    "(b) the same, with five failures at 0.9 as reports 96 to 100": starts([FAILURE] * 5),
    "(c) 1 failure at 0.9": [*settled(), FAILURE, *settled(150)],
    "(c) 2 failures at 0.9": [*settled(), *[FAILURE] * 2, *settled(150)],
    "(c) 3 failures at 0.9": [*settled(), *[FAILURE] * 3, *settled(150)],
    "(c) 6 failures at 0.9": [*settled(), *[FAILURE] * 6, *settled(150)],
    "(d) 200 failures at 0.3": [Observation(STRESS, 0.3)] * 200,
    "(e) 200 failures at 0.5": [Observation(STRESS, 0.5)] * 200,
    "(f) failure and success in turn at 0.45, 200 reports": turns((STRESS, PERCEPTION), 200, 0.45),
}


def missing(run: Run) -> list[int]:
    """Reports, counted from 1, after which a risky action is missing."""
    return [at for at, now in enumerate(run.contracts, 1) if not set(now.allowed_actions) >= RISKY]


def paused(run: Run) -> list[int]:
    return [at for at, now in enumerate(run.contracts, 1) if now.timing.should_pause]


def escalated(run: Run) -> list[int]:
    return [at for at, now in enumerate(run.contracts, 1) if now.timing.should_escalate]


def at_end(run: Run) -> frozenset[str]:
    return frozenset(run.contracts[-1].allowed_actions)


def story_row(name, reports):
    run = play(reports)
    gone, pause = missing(run), paused(run)
    if not gone:
        without = "never"
    elif gone[-1] == len(reports):
        without = f"from report {gone[0]} on"
    else:
        without = f"for {len(gone)} reports, {gone[0]} to {gone[-1]}"
    highest = STRESS_STATES[max(state.stress for state in run.states)]
    drift = DRIFT_LEVELS[max(level or 0 for level in run.levels)]
    assert run.rollbacks == 0
    assert not escalated(run)
    assert gone == list(range(gone[0], gone[-1] + 1)) if gone else True
    return f"| {name} | {highest} | {drift} | {without} | {f'from report {pause[0]} on' if pause else 'never'} |"


@pytest.mark.parametrize("name", STORIES)
def test_the_six_stories(name):
    assert story_row(name, STORIES[name]) in CONCEPTS


def test_reasons_of_the_stories():
    a, b, one, two, _, six, mild, ordinary, in_turn = (play(reports) for reports in STORIES.values())
    assert [a.levels.index(level) + 1 for level in (1, 2)] == [22, 28]
    assert a.levels.index(0, 28) + 1 == 100
    assert all(level == 0 for level in a.levels[99:])
    assert [state.stress for state in b.states].index(2) + 1 == 97
    assert f"{min(state.energy for state in b.states[90:]):.2f}" == "0.61"
    assert next(at for at, state in enumerate(b.states, 1) if not state.drift.youth) == 131 == missing(b)[-1] + 1
    assert f"{one.states[120].strengths[STRESS]:.2f}, {two.states[121].strengths[STRESS]:.2f}" == "0.41, 0.63"
    assert [state.stress for state in six.states].count(3) == 1
    assert f"{min(state.energy for state in six.states[115:]):.2f}" == "0.48"
    assert max(state.strengths[STRESS] for state in mild.states) == pytest.approx(0.30)
    assert [state.stress for state in mild.states].index(1) + 1 == 24
    assert min(state.energy for state in mild.states[2:]) == 1
    assert [state.stress for state in ordinary.states].index(1) + 1 == 2
    assert max(state.chronic.count for state in in_turn.states) == 20
    rest = play(settled(40), mild.states[-1])
    assert (missing(rest)[-1] + 1, paused(rest)[-1] + 1) == (17, 17)


def test_figures_of_stress_and_energy():
    strengths = [state.strengths[STRESS] for state in play([FAILURE] * 5).states]
    assert f"Reports of stress at 0.9 give {', '.join(f'{v:.2f}' for v in strengths)}" in CONCEPTS
    calm = [state.stress for state in play(scenarios.crisis_and_calm()).states][15:]
    to_med, to_low = calm.index(1) + 1, calm.index(0) + 1
    assert f"it takes {to_med} calm reports to MED and {to_low - to_med} more to LOW" in CONCEPTS
    energy = [state.energy for state in play([*settled(), *[FAILURE] * 10]).states][120:]
    assert (energy[1], energy[9]) == (1, 0)
    assert energy[8] > 0
    assert "Ten failures at 0.9 in a row empty a rested agent" in CONCEPTS


def test_figures_of_the_pictures():
    spike = play(scenarios.spike(Random(0)))
    assert [missing(spike)[0] - scenarios.SPIKE[0], missing(spike)[-1] - scenarios.SPIKE[-1]] == [3, 57]
    assert paused(spike)[0] < escalated(spike)[0] < scenarios.SPIKE[-1]
    assert spike.states[missing(spike)[-1]].stress == 0
    assert "The third report of stress takes the risky actions" in CONCEPTS
    assert "return 57 reports after its end" in CONCEPTS

    gradual = play(scenarios.gradual(Random(0)))
    assert not missing(gradual)
    assert max(level or 0 for level in gradual.levels) == 2
    assert max(state.drift.last.magnitude for state in gradual.states) > 0.40

    takeover = play(scenarios.takeover(Random(0)))
    first, second, third = (at for at, state in enumerate(takeover.states, 1) if state.drift.last.rolled_back)
    assert (first, first - 120) == (missing(takeover)[0], 12)
    assert (paused(takeover)[0], escalated(takeover)[0]) == (second, third)
    assert at_end(takeover) == SAFE
    assert "Three foreign modes at 0.95, in turn, are D3 after 12 reports; at 0.6 they are D2" in CONCEPTS
    shift = play(settled() + turns(TRIO, 400, 0.6))
    assert (max(shift.levels[120:]), shift.levels[-1], shift.held()) == (2, 2, 0)


def test_no_failure_is_taken_for_another_character():
    """What concepts.md, "Where it stands", and event-strength.md, "Incidents", end with."""
    strict = play([*settled(), *[FAILURE] * 2, *settled(200)], profile=Profile(drift_tolerance="strict"))
    incident = play([*settled(), INCIDENT, *settled(200)])
    both = play([*settled(), *turns(TRIO, 10, 0.6), *[FAILURE] * 3, *turns(TRIO, 200, 0.6)])
    for run in (strict, incident, both):
        assert (run.rollbacks, run.flagged(), max(run.levels[120:]) <= 2) == (0, 0, True)
    assert incident.held() == 6


@pytest.mark.long
def test_comparison_is_as_printed():
    rows = {
        "B0 unguarded": "B0 unguarded",
        "B1 blocklist": "B1 blocklist",
        "B2 circuit breaker": "B2 circuit breaker",
        "B3 classifier": "B3 classifier",
        "B4 rate limiter": "B4 rate limiter",
        "B5 relaxed (default)": "**this engine, default**",
        "B5 strict": "this engine, strict",
    }
    for name, shown in rows.items():
        found = behaviour.summary(guardrails.SYSTEMS[name])
        cells = [f"{found[part]:.3f}".lstrip("0") for part in behaviour.PARTS]
        if shown.startswith("**"):
            cells[-1] = f"**{cells[-1]}**"
            assert f"{found['exposure_chaotic']:.1%} of the risky actions are open" in CONCEPTS
        assert f"| {shown} | {' | '.join(cells)} |" in CONCEPTS
    assert f"| an oracle | | | | {behaviour.oracle_overall():.3f} |".replace("0.", ".") in CONCEPTS
    chaos = [play(scenarios.chaotic(Random(seed))) for seed in behaviour.SEEDS]
    first = [next(at for at, state in enumerate(run.states, 1) if state.volatility.streak) for run in chaos]
    assert f"volatile from report {min(first)} to {max(first)} on" in CONCEPTS
    for run, at in zip(chaos, first, strict=True):
        assert not any(set(now.allowed_actions) & RISKY for now in run.contracts[at - 1 :])


def test_strength_table_is_as_the_command_prints_it():
    assert strength.table() in (template.ROOT / "docs" / "event-strength.md").read_text()


def test_figures_of_event_strength():
    incident = play([*settled(80), Observation(STRESS, 0.3), *settled(40), INCIDENT, *settled(100)])
    assert f"without the risky four for {incident.held()} turns" in STRENGTH
    ten = play([*settled(), *[FAILURE] * 10, *settled(100)])
    assert f"the pause holds for {len(paused(ten))} turns" in STRENGTH
