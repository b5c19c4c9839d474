"""The store on an embedded table: races, timeouts, the digest chain."""

import json
from dataclasses import replace

import pytest

from identity_engine import canonical
from identity_service.cycles import turn
from identity_service.store import audit_trail, commits, instances
from identity_service.store import dynamodb as store_client
from identity_service.store.commits import Change
from identity_service.store.dynamodb import Conflict, StoreUnavailable
from identity_service.store.packing import unpack
from tests.conftest import Caller

pytestmark = pytest.mark.usefixtures("table")


@pytest.fixture
def caller(edge):
    return Caller(edge, "pro")


def renamed(name):
    return lambda head: Change(replace(head, name=head.name + name), turn(head), [], name)


def test_writer_that_loses_a_race_recomputes_on_the_new_head(caller):
    instance_id = caller.new_instance("-")
    seen = []

    def slow(head):
        seen.append(head.name)
        if len(seen) == 1:
            commits.commit(instances.get(caller.account_id, instance_id), renamed("winner"))
        return renamed("loser")(head)

    assert commits.commit(instances.get(caller.account_id, instance_id), slow) == "loser"
    assert seen == ["-", "-winner"]
    assert instances.get(caller.account_id, instance_id).name == "-winnerloser"


def test_writer_that_loses_every_race_gets_a_conflict_and_changes_nothing(caller):
    instance_id = caller.new_instance("-")

    def unlucky(head):
        commits.commit(instances.get(caller.account_id, instance_id), renamed("x"))
        return renamed("never")(head)

    with pytest.raises(Conflict):
        commits.commit(instances.get(caller.account_id, instance_id), unlucky)
    assert "never" not in instances.get(caller.account_id, instance_id).name


def test_race_against_delete_returns_none(caller):
    instance_id = caller.new_instance("-")

    def deleted(head):
        assert instances.remove(caller.account_id, instance_id)
        return renamed("late")(head)

    assert commits.commit(instances.get(caller.account_id, instance_id), deleted) is None
    assert instances.get(caller.account_id, instance_id) is None


@pytest.mark.parametrize("took_effect", [True, False])
def test_commit_timeout(caller, monkeypatch, took_effect):
    instance_id = caller.new_instance()
    commit = store_client.write_all

    def lost(operations):
        if took_effect:
            commit(operations)
        raise StoreUnavailable("timeout")

    monkeypatch.setattr(store_client, "write_all", lost)
    response = caller.process(instance_id)
    monkeypatch.undo()
    total = caller.get(f"/instances/{instance_id}/history").json()["pagination"]["total"]
    remaining = caller.get("/personas").headers["X-Monthly-Remaining"]
    if took_effect:
        assert (response.status_code, total, remaining) == (200, 1, "499999")
    else:
        assert (response.status_code, total, remaining) == (503, 0, "500000")
        assert response.json()["error"] == "service_unavailable"
        assert response.headers["Retry-After"] == "1"


def test_unavailable_database_is_503_everywhere(caller, monkeypatch):
    instance_id = caller.new_instance()

    def unavailable(*_, **__):
        raise StoreUnavailable("connection refused")

    monkeypatch.setattr(store_client, "_call", unavailable)
    for method, path in (("GET", "/instances"), ("GET", f"/instances/{instance_id}"), ("GET", "/personas")):
        response = caller.request(method, path)
        assert (response.status_code, response.json()["error"]) == (503, "service_unavailable")
    assert caller.process(instance_id).status_code == 503
    assert caller.post("/instances", json={}).status_code == 503


def test_unexpected_error_is_a_500_in_the_error_format(caller, monkeypatch, caplog):
    instance_id = caller.new_instance()
    monkeypatch.setattr("functions.engine.app.current_contract", lambda head: 1 / 0)
    response = caller.get(f"/instances/{instance_id}/contract")
    assert (response.status_code, response.json()["error"]) == (500, "internal_error")
    assert "division" not in response.text
    (record,) = caplog.records
    assert record.exc_info[0] is ZeroDivisionError
    assert record.request_id == response.headers["X-Request-Id"]
    assert caller.key not in caplog.text


def test_digest_chain_from_birth_to_head(caller):
    instance_id = caller.new_instance()
    caller.process(instance_id)
    caller.post(f"/instances/{instance_id}/reset", json={"mode": "initial"})
    body = {"observations": [{"mode_target": "ORDER", "signal_strength": 0.5}] * 3}
    caller.post(f"/instances/{instance_id}/process/batch", json=body)

    head = instances.get(caller.account_id, instance_id)
    items = {item["SK"]: item for item in store_client.query("PK = :pk", {":pk": head.partition()})}
    assert sorted(items) == [
        "EVENT#000000000000#000000000001",
        "EVENT#000000000001#000000000003",
        "HEAD",
        "OBS#000000000001",
        "OBS#000000000004",
    ]
    digest = ""
    for number, (key, result) in enumerate(
        (
            ("EVENT#000000000000#000000000001", "state"),
            ("OBS#000000000001", "snapshot"),
            ("EVENT#000000000001#000000000003", "state"),
            ("OBS#000000000004", "snapshot"),
        ),
        start=1,
    ):
        item = items[key]
        assert (item["record"], item["previous"]) == (number, digest)
        digest = audit_trail.chain_digest(instance_id, item, unpack(item.get("observations", "[]")), unpack(item[result]))
        assert item["digest"] == digest
    assert head.digest == digest
    text = unpack(items["OBS#000000000004"]["observations"])
    assert canonical(json.loads(text)) == text
