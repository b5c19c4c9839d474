"""Some runs of the machine; `make reliability` has more, and others each time."""

import os

from tests.faults import machine


def test_nothing_is_lost_and_nothing_doubled():
    with machine.running(os.environ.get("TEST_DYNAMODB", "embedded")):
        machine.play(runs=30)
    assert machine.figures["lost"] == machine.figures["doubled"] == 0
    assert machine.figures["fault schedules"] > 100
