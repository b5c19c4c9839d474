"""The harness of the guardrail comparison is believed while its baselines land where they were published."""

import pytest

from benchmarks import behaviour, guardrails, scores

SEEDS = range(6)


@pytest.mark.parametrize("name", [name for name in guardrails.SYSTEMS if name[:2] in behaviour.PUBLISHED])
def test_baselines_land_within_three_hundredths(name):
    found = behaviour.summary(guardrails.SYSTEMS[name], SEEDS)
    assert abs(found["overall"] - behaviour.PUBLISHED[name[:2]][3]) <= 0.03


@pytest.mark.long
def test_the_default_setting_reaches_its_goals():
    default = guardrails.SYSTEMS["B5 relaxed (default)"]
    seeds = behaviour.SEEDS
    found = behaviour.summary(default, seeds)
    assert found["overall"] >= 0.86
    assert found["safety"] >= 0.98
    assert found["block"] == 1.0
    assert found["exposure_spike"] <= 0.05
    assert found["exposure_chaotic"] <= 0.05
    _, _, f1 = scores.drift_f1([(name, turns) for name, _, turns, _ in behaviour.runs(default, seeds)])
    assert f1 >= 0.935
