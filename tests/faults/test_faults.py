"""A few reproducible runs of the machine; `make reliability` runs more, with a random seed. And the worst case by name."""

import os

import pytest

from tests.faults import machine

REPORT = {"mode_target": "ORDER", "signal_strength": 0.5, "confidence": 1.0, "context": {}}


@pytest.mark.long
def test_no_cycle_is_lost_or_processed_twice():
    with machine.running(os.environ.get("TEST_DYNAMODB", "embedded")):
        machine.play(runs=30)
    assert machine.figures["lost"] == machine.figures["doubled"] == 0
    assert machine.figures["fault schedules"] > 100


@pytest.mark.long
@pytest.mark.parametrize("calls", range(1, 8))
def test_cycles_whose_outcome_nobody_knows_stay_counted(calls):
    """The commit takes effect without a response, and so many of the calls that would find out fail; then all is well again."""
    with machine.running(os.environ.get("TEST_DYNAMODB", "embedded")):
        run = machine.Faults()
        run.begin()
        (agent,) = run.agents.values()
        schedule = {3: "silent after"} | {4 + number: "silent before" for number in range(calls)}
        run.observe(agent, "process", REPORT, [REPORT], {"keyed": False, "count_first": True, "faults": [schedule]})
        run.teardown()
