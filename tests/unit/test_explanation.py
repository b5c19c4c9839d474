"""Explanations: the rule, the step, the figure, and a way back that really leads back."""

import pytest

from benchmarks import scenarios
from identity_engine import (
    ACTIONS,
    ALWAYS_FORBIDDEN,
    GOVERNANCE,
    Observation,
    Profile,
    birth,
    calm_turn,
    contract,
    explain,
    process,
    process_all,
)


def reasons(state):
    return {reason.action: reason for reason in explain(state)}


def stressed(cycles, profile=Profile()):
    return process_all(birth(profile), [Observation(6, 0.9)] * cycles)[-1][0]


def test_the_figure_and_the_way_back_out_of_HIGH():
    reason = reasons(stressed(2))["execute"]
    assert (reason.allowed, reason.rule, reason.step) == (False, "stress_high", "3 stress")
    assert reason.because == "removed by stress HIGH: |stress_response| 0.63 >= 0.55"
    assert reason.returns_when == "|stress_response| must fall below 0.55: 8 calm cycles from now"
    assert reason.calm_cycles == 8


def test_at_OVER_each_action_returns_where_its_own_rule_ends():
    found = reasons(process_all(birth(), [Observation(6, 1.0)] * 8)[-1][0])
    assert found["question"].rule == "stress_over"
    assert "must fall below 0.87" in found["question"].returns_when
    assert found["execute"].rule == "stress_high"
    assert "must fall below 0.55" in found["execute"].returns_when
    assert found["stabilize"].rule == "safe"


def test_strict_names_the_modes_that_are_missing():
    state = birth(Profile(governance="strict"), (0.5, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0))
    found = reasons(state)
    assert found["question"].because == "contributed by an active mode: perception 0.50 >= 0.15"
    assert found["challenge"].because == "no active mode contributes it: assertion 0.10 < 0.15"
    assert found["challenge"].returns_when == "assertion must reach 0.15"
    assert found["challenge"].calm_cycles is None


def test_profile_rules_say_that_the_profile_is_fixed():
    found = reasons(birth(Profile(suppressed_modes=(4,), risk_posture="averse")))
    assert found["comfort"].rule == "suppressed_modes"
    assert "connection alone" in found["comfort"].because
    assert found["pivot"].rule == "risk_posture"
    assert "averse" in found["pivot"].because


def test_low_resilience_takes_the_risky_actions_at_MED():
    profile = Profile(suppressed_modes=(4,))
    results = process_all(birth(profile), [Observation(6, 1.0)] * 90 + [Observation(0, 0.1)] * 60)
    state = next(state for state, _ in results[90:] if state.stress == 1)
    found = reasons(state)
    assert state.memory.self_model.resilience < 0.45
    assert found["execute"].rule == "low_resilience"
    assert "resilience 0.4" in found["execute"].because
    assert found["comfort"].rule == "past_recovery"
    style = contract(state).decision_style
    assert (style.risk, style.tempo) == ("averse", "measured")


def test_always_forbidden_never_returns():
    for action in ALWAYS_FORBIDDEN:
        reason = reasons(birth())[action]
        assert (reason.allowed, reason.rule, reason.returns_when) == (False, "always_forbidden", None)


@pytest.mark.parametrize("governance", GOVERNANCE)
@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_explanations_agree_with_the_contract_and_calm_leads_back(governance, name):
    from random import Random

    profile = Profile(suppressed_modes=(1,), governance=governance)
    for state, _ in process_all(birth(profile), scenarios.SCENARIOS[name](Random(5)))[::7]:
        now = contract(state)
        found = explain(state)
        assert [reason.action for reason in found] == [*ACTIONS, *ALWAYS_FORBIDDEN]
        assert {r.action for r in found if r.allowed} == set(now.allowed_actions)
        for calm in {reason.calm_cycles for reason in found if reason.calm_cycles}:
            later = state
            for cycle in range(calm):
                blocked = {r.action for r in found if r.calm_cycles == calm}
                assert not blocked & set(contract(later).allowed_actions), cycle
                later, _ = process(later, calm_turn(state))
            assert blocked <= set(contract(later).allowed_actions)
