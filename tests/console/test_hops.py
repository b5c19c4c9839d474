"""A page asks DynamoDB at most twice, one call after the other."""

import pytest

from functions.console import reads
from identity_service import replays
from identity_service.store import dynamodb
from tests.console.test_frame import agent_pages, pages


class Hops:
    """Counts calls that wait for each other. Reads that run together count as the longest of them."""

    def __init__(self):
        self.waited = 0
        self.beside = 0

    def one(self, read):
        before, self.waited = self.waited, 0
        result = read()
        took, self.waited = self.waited, before
        return result, took

    def together(self, *each):
        done = [self.one(read) for read in each]
        self.waited += max(took for _, took in done)
        return [result for result, _ in done]


class Done:
    def __init__(self, value):
        self.value = value

    def result(self):
        return self.value


@pytest.fixture
def hops(monkeypatch):
    counted = Hops()
    call = dynamodb._call

    def one_call(operation, **arguments):
        counted.waited += 1
        return call(operation, **arguments)

    def submit(read, *arguments):
        result, counted.beside = counted.one(lambda: read(*arguments))
        return Done(result)

    monkeypatch.setattr(dynamodb, "_call", one_call)
    monkeypatch.setattr(reads, "together", counted.together)
    monkeypatch.setattr(reads._executor, "submit", submit)
    # It reads beside another read of the same length, which is counted.
    monkeypatch.setattr(replays._executor, "submit", lambda read, *some: Done(counted.one(lambda: read(*some))[0]))
    return counted


def test_every_page_in_two_hops(owner, hops):
    owner.post("/settings/keys", name="one", scope="read")
    owner.post("/settings/keys", name="two", scope="read")
    owner.post("/settings/people/invitations", email="ada@acme.example", role="viewer")
    agent = owner.agent("Aria", ("ORDER", 0.6, 3), ("STRESS_RESPONSE", 0.9, 20))
    asked = {}
    for path in (*pages(), *agent_pages(agent)):
        hops.waited = hops.beside = 0
        assert owner.get(path).status_code == 200
        asked[path] = max(hops.waited, hops.beside)
    assert asked["/welcome"] == 2
    assert max(asked.values()) <= 2, asked
    assert len(asked) >= 9
