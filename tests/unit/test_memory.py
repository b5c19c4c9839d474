"""Memory: the signals, the self-model, the story, and what a past does to the present."""

from dataclasses import replace
from itertools import groupby, pairwise
from random import Random

import pytest

from benchmarks import scenarios
from identity_engine import (
    CONFIG,
    Observation,
    Profile,
    assess_goal,
    birth,
    contract,
    memory_view,
    process_all,
)
from identity_engine.memory import feedback
from identity_engine.memory.episodic import pattern, signals
from identity_engine.memory.self_model import half_life

STRESS, CALM = Observation(6, 0.95), Observation(0, 0.3)


def after(*observations, profile=Profile()):
    return process_all(birth(profile), observations)[-1][0]


def signal(state, name):
    return signals(state.memory.episodic, state.cycle)[name]


def test_there_are_fourteen_signals():
    assert list(signals(birth().memory.episodic, 0)) == [
        "stress_spike_count", "avg_spike_interval", "current_stress_streak", "max_stress_streak", "d1_recent", "d2_recent",
        "turns_since_last_d2", "total_drift_events", "energy_trend", "energy_min_observed", "dominant_mode",
        "dominant_mode_streak", "mode_switches_recent", "behavioral_pattern",
    ]  # fmt: skip


def test_spikes_streaks_and_intervals():
    crisis = [STRESS] * 5 + [CALM] * 60
    once = after(*crisis)
    assert (signal(once, "stress_spike_count"), signal(once, "avg_spike_interval")) == (1, None)
    twice = after(*crisis, *crisis)
    assert (signal(twice, "stress_spike_count"), signal(twice, "avg_spike_interval")) == (2, 65)
    assert signal(twice, "current_stress_streak") == 0
    # The second spike lowers the thresholds, so the second episode lasts a little longer.
    assert signal(twice, "max_stress_streak") > signal(once, "max_stress_streak") > 5
    assert signal(after(*[STRESS] * 4), "current_stress_streak") == 3


def test_drift_signals():
    state = after(*[Observation(turn % 2, 0.5) for turn in range(60)], *[Observation(3, 0.9)] * 25)
    assert signal(state, "total_drift_events") > 15
    assert signal(state, "d1_recent") + signal(state, "d2_recent") == 20
    assert signal(state, "turns_since_last_d2") == 0
    assert signal(after(*[CALM] * 40), "turns_since_last_d2") is None


def test_energy_signals():
    drained = after(*[STRESS] * 8)
    assert signal(drained, "energy_trend") < 0
    assert signal(drained, "energy_min_observed") == drained.energy
    rested = process_all(drained, [CALM] * 60)[-1][0]
    assert signal(rested, "energy_min_observed") <= drained.energy


def test_mode_signals():
    state = after(*[Observation(1, 0.5)] * 30)
    assert (signal(state, "dominant_mode"), signal(state, "dominant_mode_streak")) == (1, 30)
    assert signal(state, "mode_switches_recent") == 0


@pytest.mark.parametrize(
    ("expected", "observations"),
    [
        ("stable", [CALM] * 20),
        ("sustained_stress", [Observation(6, 0.62)] * 14),
        ("recurring_stress", ([STRESS] * 2 + [CALM] * 40) * 2 + [STRESS] * 2),
        ("energy_depleted", [STRESS] * 14),
        ("mode_locked", [Observation(1, 0.4)] * 70),
        ("active_drift", [Observation(t % 2, 0.5) for t in range(60)] + [Observation(3, 0.6)] * 30),
    ],
)
def test_behavioural_patterns(expected, observations):
    profile = Profile(energy_policy="conservative") if expected == "sustained_stress" else Profile()
    assert pattern(after(*observations, profile=profile).memory.episodic) == expected


def test_the_volatile_pattern_is_that_of_step_3():
    turns = scenarios.chaotic(Random(3))[:60]
    patterns = [(state.volatility.streak > 0, pattern(state.memory.episodic)) for state, _ in process_all(birth(), turns)]
    assert any(volatile for volatile, _ in patterns)
    assert {volatile for volatile, found in patterns if found == "volatile"} <= {True}
    two_modes = [Observation(turn % 2, 0.9) for turn in range(100)]
    assert pattern(after(*two_modes).memory.episodic) != "volatile"


@pytest.mark.parametrize("cycles", [0, 1, 25, 49, 50, 51, 120, 5000])
def test_half_life_is_the_power_of_one_half(cycles):
    assert half_life(cycles) == pytest.approx(0.5 ** (cycles / 50), rel=1e-12)


def test_resilience_follows_the_published_formula():
    state = after(*[STRESS] * 5, *[CALM] * 60)
    cycles = signal(state, "max_stress_streak")
    assert state.memory.self_model.resilience == pytest.approx(0.7 * 0.5 + 0.3 * 0.5 ** (cycles / 50))


def test_traits_come_from_windows_of_50_cycles():
    steady, shifting = [CALM] * 200, [CALM] * 100 + [Observation(3, 1.0)] * 100
    assert after(*steady).memory.self_model.trait_stability > after(*shifting).memory.self_model.trait_stability
    assert after(*[CALM] * 49).memory.self_model.energy_efficiency == 1.0
    drained = process_all(after(*[STRESS] * 15), [STRESS] * 85)[-1][0]
    assert drained.memory.self_model.energy_efficiency < 0.1


def test_growth_points_where_modes_head():
    view = memory_view(after(*[CALM] * 100, *[Observation(3, 0.9)] * 20))["growth_direction"]
    assert view["ASSERTION"] > 0.2
    assert max(view, key=view.get) == "ASSERTION"


def test_the_story_of_a_crisis():
    results = process_all(birth(), [CALM] * 60 + [STRESS] * 4 + [CALM] * 200)
    story = [phase for phase, _ in groupby(state.memory.narrative.phase for state, _ in results)]
    # The first blow brings MED, which ends growth; the second HIGH.
    assert story == ["stable", "growing", "stable", "stressed", "recovering", "exploring", "stable", "growing"]
    last = results[-1][0].memory.narrative
    assert (last.phase, last.cause) == ("growing", "rest")


def test_coherence_is_descriptive_and_normative():
    core = Profile(core_modes=(2,), suppressed_modes=(1,))
    kept = after(*[Observation(2, 0.6)] * 40, profile=core).memory.coherence.value
    broken = after(*[Observation(1, 0.6)] * 40, profile=core).memory.coherence.value
    assert kept > 0.9
    assert broken < 0.7
    assert birth().memory.coherence.value == 1.0


def test_incoherence_that_lasts_asks_for_a_pause():
    profile = Profile(suppressed_modes=(1,), drift_tolerance="permissive", governance="relaxed")
    turns = [Observation(turn % 2 * 2, 0.6) for turn in range(40)] + [Observation(1, 1.0, 0.5)] * 400
    results = process_all(birth(profile, (0.9, 0.0, 0.9, 0.0, 0.0, 0.9, 0.0)), turns)
    low = [turn for turn, (state, _) in enumerate(results) if state.memory.coherence.low_streak >= CONFIG.coherence_pause]
    for turn in low:
        assert contract(results[turn][0]).timing.should_pause
    streaks = [state.memory.coherence.low_streak for state, _ in results]
    assert all(b in (0, a + 1) for a, b in pairwise(streaks))


def test_two_spikes_lower_the_thresholds():
    state = after(*([STRESS] * 5 + [CALM] * 60) * 2)
    assert feedback(state.memory).spikes == 2
    reached = process_all(state, [Observation(6, 0.53, 1.0)] * 20)
    assert max(state.stress for state, _ in reached) == 2
    assert max(s.stress for s, _ in process_all(birth(), [Observation(6, 0.53, 1.0)] * 20)) == 1


def test_a_past_recovery_guarantees_comfort_below_OVER():
    profile = Profile(suppressed_modes=(4,))
    assert "comfort" not in contract(after(*[STRESS] * 3, profile=profile)).allowed_actions
    recovered = after(*[STRESS] * 3, *[CALM] * 60, profile=profile)
    assert "comfort" in contract(recovered).allowed_actions
    assert "comfort" not in contract(process_all(recovered, [Observation(6, 1.0)] * 9)[-1][0]).allowed_actions


def test_memory_size_is_fixed():
    from identity_engine import encode

    short, long = after(*[Observation(t % 7, 0.7) for t in range(100)]), after(*[Observation(t % 7, 0.7) for t in range(4000)])
    assert len(short.memory.episodic.levels) == len(long.memory.episodic.levels) == 20
    assert abs(len(encode(short)) - len(encode(long))) < 200


@pytest.mark.parametrize(
    ("observations", "complexity", "modes", "decision"),
    [
        ([], "low", [], "accept"),
        ([], "critical", [], "accept"),
        ([], "high", [1], "defer"),
        ([STRESS] * 3, "critical", [], "reject"),
        ([STRESS] * 3, "high", [], "accept"),
        ([STRESS] * 9, "high", [], "defer"),
    ],
)
def test_goals(observations, complexity, modes, decision):
    state = birth(Profile(suppressed_modes=(1,)))
    if observations:
        state = process_all(state, observations)[-1][0]
    found = assess_goal(state, complexity, modes)
    assert found.decision == decision
    assert found.reason
    if modes:
        assert "exploration" in found.reason


def test_trust_falls_with_stress_and_grows_with_resilience():
    calm, high, over = after(CALM), after(*[STRESS] * 3), after(*[Observation(6, 1.0)] * 9)
    trusts = [contract(state).trust for state in (calm, high, over)]
    assert trusts[0].trust > trusts[1].trust > trusts[2].trust
    assert trusts[0].collaboration_style == "autonomous"
    assert (trusts[0].delegation_allowed, trusts[0].max_delegation_complexity) == (True, "high")
    assert (trusts[2].delegation_allowed, trusts[2].max_delegation_complexity) == (False, None)
    assert trusts[2].verification_required
    traits = replace(calm.memory.self_model, resilience=0.4)
    weaker = replace(calm, memory=replace(calm.memory, self_model=traits))
    assert contract(weaker).trust.trust == pytest.approx(trusts[0].trust - 0.04)


def test_safety_overrides_personality():
    state = after(*[Observation(3, 1.0)] * 15, *[STRESS] * 3)
    found = contract(state).personality
    assert found.action_alignment["execute"] > 0.25
    assert "execute" not in found.preferred_actions
    assert "execute" in contract(after(*[Observation(3, 1.0)] * 15)).personality.preferred_actions
