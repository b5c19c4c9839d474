"""Fixtures: a receiver on this machine, and a world over the embedded table whose stream nothing else reads."""

import pytest

from local import dynamodb, stream
from local.edge import Edge
from tests.conftest import Caller
from tests.events.world import Receiver, world


@pytest.fixture
def receiver():
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def here(monkeypatch, tmp_path):
    """A world whose stream nothing but the test reads."""
    monkeypatch.setattr(stream, "POLL_INTERVAL", 10**6)
    with dynamodb.running("embedded"), world(tmp_path) as made:
        yield made


@pytest.fixture
def caller(here):
    return Caller(Edge(), "pro")
