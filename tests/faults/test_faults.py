"""A few reproducible runs of the machine; `make reliability` runs more, with a random seed."""

import os

import pytest

from tests.faults import machine


@pytest.mark.long
def test_no_cycle_is_lost_or_processed_twice():
    with machine.running(os.environ.get("TEST_DYNAMODB", "embedded")):
        machine.play(runs=30)
    assert machine.figures["lost"] == machine.figures["doubled"] == 0
    assert machine.figures["fault schedules"] > 100
