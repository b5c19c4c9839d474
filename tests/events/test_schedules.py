"""A few reproducible schedules of failure; `make reliability` plays more, with a random seed."""

import pytest

from tests.events import schedules


@pytest.mark.long
def test_every_event_of_a_committed_request_arrives_and_none_of_another():
    figures = schedules.play(runs=10, seed=2)
    assert figures["lost"] == figures["of failed requests"] == 0
    assert figures["arrived"] > 40
    assert figures["functions killed"] > 10
    assert figures["names with a private address"] > 5
