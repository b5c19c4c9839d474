"""The reference behaviours R1 to R11 of docs/engine.md, each named after its row. R12 stands with the properties."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from benchmarks import scenarios
from identity_engine import (
    ALWAYS_FORBIDDEN,
    CONFIG,
    DRIFT_LEVELS,
    RISKY,
    SAFE,
    STRESS_STATES,
    Profile,
    birth,
    contract,
    control_vector,
    process_all,
)

SEEDS = range(10)


def run(observations, profile=Profile()):
    return process_all(birth(profile), observations)


def levels(results):
    return [None if drift.level is None else DRIFT_LEVELS[drift.level] for _, drift in results]


def stress(results):
    return [STRESS_STATES[state.stress] for state, _ in results]


def test_R1_tutorial_sequence():
    results = run(scenarios.tutorial())
    assert stress(results) == ["LOW", "MED", "HIGH", "HIGH", "HIGH", "HIGH"]
    assert [round(state.energy, 6) for state, _ in results] == [0.90, 1.00, 1.00, 0.87, 0.74, 0.61]


def test_R2_crisis_bleeds_down_without_a_reset():
    states = stress(run(scenarios.crisis_and_calm()))
    assert states[14] == "OVER"
    calm = states[15:]
    assert 35 <= calm.index("MED") + 1 <= 45
    assert "LOW" in calm
    assert calm == sorted(calm, key=STRESS_STATES.index, reverse=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_R3_steady(seed):
    results = run(scenarios.steady(Random(seed)), Profile(governance="strict"))
    assert set(levels(results)) <= {None, "D0"}
    assert set(stress(results)) == {"LOW"}
    assert results[-1][0].energy == 1.0
    actions = [len(contract(state).allowed_actions) for state, _ in results]
    assert 7.0 <= sum(actions) / len(actions) <= 7.4


@pytest.mark.parametrize("seed", SEEDS)
def test_R4_gradual(seed):
    results = run(scenarios.gradual(Random(seed)))
    shifted = [level in ("D1", "D2") for level in levels(results)[100:]]
    assert sum(shifted) / len(shifted) >= 0.905
    assert "D3" not in levels(results)
    assert not any(drift.rolled_back for _, drift in results)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("governance", ["strict", "relaxed", "stress_only"])
def test_R5_spike(seed, governance):
    results = run(scenarios.spike(Random(seed)), Profile(governance=governance))
    rising = stress(results)[scenarios.SPIKE.start - 1 : scenarios.SPIKE.stop]
    assert list(dict.fromkeys(rising)) == ["LOW", "MED", "HIGH", "OVER"]
    for state, _ in results:
        if STRESS_STATES[state.stress] in ("HIGH", "OVER"):
            assert not RISKY & set(contract(state).allowed_actions)
    before, after = results[scenarios.SPIKE.start - 1][0], results[-1][0]
    # Strict allowed 7; memory adds comfort after a recovery.
    recovered = set(contract(before).allowed_actions) | {"comfort"}
    assert set(contract(after).allowed_actions) == recovered
    assert len(recovered) == (12 if governance != "strict" else 8)


@pytest.mark.parametrize("seed", SEEDS)
def test_R6_chaotic(seed):
    drifted = [level in ("D1", "D2", "D3") for level in levels(run(scenarios.chaotic(Random(seed))))]
    assert sum(drifted) / len(drifted) >= 0.887


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("governance", ["strict", "relaxed", "stress_only"])
def test_R7_forbidden_actions_are_blocked_on_every_turn(seed, governance):
    sequences = [scenarios.tutorial(), scenarios.crisis_and_calm(), scenarios.takeover(Random(seed))]
    sequences += [scenario(Random(seed)) for scenario in scenarios.SCENARIOS.values()]
    for observations in sequences:
        for state, _ in run(observations, Profile(governance=governance)):
            now = contract(state)
            assert set(ALWAYS_FORBIDDEN) <= set(now.forbidden_actions)
            assert not set(ALWAYS_FORBIDDEN) & set(now.allowed_actions)


EXPLORER = Profile(core_modes=(0, 1), suppressed_modes=(2,), risk_posture="seeking")
GUARDIAN = Profile(core_modes=(2, 5), suppressed_modes=(1,), risk_posture="averse")


@pytest.mark.parametrize(
    ("profile", "strengths", "control", "dominant", "removed"),
    [
        pytest.param(
            EXPLORER,
            (0.6, 0.7, 0.1, 0.2, 0.2, 0.4, 0.0),
            [0.331034, 0.434483, 0.013793, 0.027586, 0.027586, 0.165517, 0],
            (0, 1, 5),
            set(),
            id="test_R8_explorer",
        ),
        pytest.param(
            GUARDIAN,
            (0.4, 0.1, 0.7, 0.3, 0.2, 0.6, 0.0),
            [0.145985, 0.029197, 0.357664, 0.043796, 0.029197, 0.394161, 0],
            (0, 2, 5),
            {"explore", "pivot", "challenge"},
            id="test_R9_guardian",
        ),
    ],
)
def test_R8_R9_profile_start(profile, strengths, control, dominant, removed):
    state = birth(profile, strengths)
    assert [round(share, 6) for share in control_vector(strengths, state.stress, profile)] == control
    now = contract(state)
    assert now.dominant_modes == dominant
    assert len(now.allowed_actions) == 12 - len(removed)
    assert set(now.forbidden_actions) == set(ALWAYS_FORBIDDEN) | removed


@pytest.mark.parametrize("seed", SEEDS)
def test_R10_memory_makes_the_second_crisis_another(seed):
    def crises(config):
        results = process_all(birth(Profile(governance="strict")), scenarios.two_crises(Random(seed)), config)
        assert len(results) == 320
        actions = [len(contract(state, config).allowed_actions) for state, _ in results]
        first, second = (actions[start : start + scenarios.CRISIS_SPAN] for start in scenarios.CRISES)
        return sum(first) / len(first), sum(second) / len(second), sum(actions) / len(actions)

    first, second, on = crises(CONFIG)
    assert second - first >= 0.24
    first, second, off = crises(replace(CONFIG, memory_feedback=False))
    assert second == first
    assert on - off >= 0.24


@pytest.mark.parametrize("seed", SEEDS)
def test_R11_stray_observation_is_noise_and_a_takeover_is_corrupt(seed):
    assert levels(run(scenarios.stray(Random(seed))))[-1] == "D0"

    results = run(scenarios.takeover(Random(seed)))
    corrupt = [turn for turn, (_, drift) in enumerate(results) if drift.level == 3]
    assert corrupt
    assert corrupt[0] >= scenarios.STABLE_START
    first, rolled_back = results[corrupt[0]]
    assert rolled_back.rolled_back
    assert first.cycle == corrupt[0] + 1
    timings = [contract(state).timing for state, _ in results]
    assert not timings[corrupt[0]].should_pause
    paused = next(turn for turn, timing in enumerate(timings) if timing.should_pause)
    escalated = next(turn for turn, timing in enumerate(timings) if timing.should_escalate)
    assert corrupt[0] < paused < escalated


def test_R11_rollback_puts_back_the_last_stable_state():
    results = run(scenarios.takeover(Random(0)))
    turn = next(turn for turn, (_, drift) in enumerate(results) if drift.rolled_back)
    stable = next(
        state for state, drift in reversed(results[:turn]) if drift.level == 0 and STRESS_STATES[state.stress] == "LOW"
    )
    after = results[turn][0]
    assert (after.strengths[:6], after.drift.anchor) == (stable.strengths[:6], stable.drift.anchor)
    assert after.cycle == turn + 1
    # A change of character never ends a crisis: stress and energy are the agent's own.
    assert after.strengths[6] == results[turn - 1][0].strengths[6]
    assert after.energy >= results[turn - 1][0].energy


def test_OVER_leaves_exactly_the_safe_actions():
    for state, _ in run(scenarios.crisis_and_calm()):
        if STRESS_STATES[state.stress] == "OVER":
            assert set(contract(state).allowed_actions) == SAFE


def test_escalates_after_ten_cycles_at_OVER():
    results = run([scenarios.Observation(6, 1.0)] * 40)
    over = [turn for turn, state in enumerate(stress(results)) if state == "OVER"]
    escalated = [turn for turn, (state, _) in enumerate(results) if contract(state).timing.should_escalate]
    assert escalated[0] <= over[0] + 9
    assert all(b - a == 1 for a, b in pairwise(escalated))
