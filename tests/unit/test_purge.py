"""The purge: removes every item of a deleted instance in bounded steps, also after interruptions."""

import json

import pytest

from cli.main import main
from functions.purge import app as purge_app
from identity_service.store import dynamodb as store_client
from identity_service.store import instances
from identity_service.store.dynamodb import StoreUnavailable
from local import stream
from tests.conftest import EVENTS

PARTITION = instances.partition("acct_0123456789abcdef", "inst_0123456789abcdef")


class Context:
    """A Lambda context with time for a given number of steps."""

    def __init__(self, steps):
        self.steps = steps

    def get_remaining_time_in_millis(self):
        self.steps -= 1
        return 300_000 if self.steps >= 0 else 0


def items(partition=PARTITION):
    return list(store_client.query("PK = :pk", {":pk": partition}))


def records(partition=PARTITION, number="1"):
    (record,) = json.loads((EVENTS / "purge.json").read_text())["Records"]
    record["dynamodb"] |= {"Keys": {"PK": {"S": partition}, "SK": {"S": "HEAD"}}, "SequenceNumber": number}
    return [record]


def leave(count, partition=PARTITION):
    for number in range(count):
        store_client.write(store_client.put({"PK": partition, "SK": f"OBS#{number:012d}"}))


def test_purge_removes_every_item_of_a_deleted_instance_only(pro):
    existing, deleted = pro.new_instance("kept"), pro.new_instance("gone")
    for instance_id in (existing, deleted):
        for mode in ("ORDER", "STRESS_RESPONSE") * 15:
            pro.process(instance_id, mode, 0.9)
    partition = instances.partition(pro.account_id, deleted)
    before = len(items(instances.partition(pro.account_id, existing)))
    pro.delete(f"/instances/{deleted}")
    assert stream.deliver(records(partition)) == []
    assert items(partition) == []
    assert len(items(instances.partition(pro.account_id, existing))) == before >= 32


def test_purge_out_of_time_reports_the_record_and_continues_on_redelivery(table):
    leave(130)
    remaining = []
    for _ in range(10):
        response = purge_app.handler({"Records": records(number="7")}, Context(steps=2))
        remaining.append(len(items()))
        if not response["batchItemFailures"]:
            break
        assert response == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert remaining == [80, 30, 0]


def test_records_after_an_unfinished_one_wait_for_it(table):
    leave(30)
    leave(5, PARTITION + "2")
    batch = records(number="1") + records(PARTITION + "2", number="2")
    assert purge_app.handler({"Records": batch}, Context(steps=1)) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert len(items(PARTITION + "2")) == 5
    assert stream.deliver(batch, seconds=0) == batch
    assert stream.deliver(batch) == []
    assert items() == items(PARTITION + "2") == []


@pytest.mark.parametrize("takes_effect", [False, True], ids=["before", "after"])
def test_purge_killed_at_any_call_completes_after_redelivery(table, monkeypatch, takes_effect):
    call, calls, kills = store_client._call, 0, 0

    def flaky(operation, **arguments):
        nonlocal calls
        calls += 1
        if calls % 3:
            return call(operation, **arguments)
        if takes_effect:
            call(operation, **arguments)
        raise StoreUnavailable("killed")

    leave(130)
    monkeypatch.setattr(store_client, "_call", flaky)
    waiting = records()
    while waiting:
        waiting = stream.deliver(waiting)
        kills += bool(waiting)
        assert kills < 20
    monkeypatch.setattr(store_client, "_call", call)
    assert kills
    assert items() == []


def test_unprocessed_items_are_retried(table, monkeypatch):
    call = store_client._call

    def half(operation, **arguments):
        if operation != "batch_write_item":
            return call(operation, **arguments)
        ((name, requests),) = arguments["RequestItems"].items()
        done = len(requests) // 2 + 1
        call(operation, RequestItems={name: requests[:done]})
        return {"UnprocessedItems": {name: requests[done:]} if requests[done:] else {}}

    leave(30)
    monkeypatch.setattr(store_client, "_call", half)
    assert stream.deliver(records()) == []
    monkeypatch.setattr(store_client, "_call", call)
    assert items() == []


def test_existing_instance_is_never_purged(pro):
    instance_id = pro.new_instance()
    partition = instances.partition(pro.account_id, instance_id)
    before = items(partition)
    assert stream.deliver(records(partition)) == records(partition)
    assert items(partition) == before


def test_purge_command_removes_orphaned_items(pro, capsys, monkeypatch):
    monkeypatch.setenv("IDENTITY_OS_TABLE", "identity-os")
    existing = instances.partition(pro.account_id, pro.new_instance())
    before = items(existing)
    leave(40)
    leave(3, PARTITION + "2")
    for expected in ("removed 43 items of 2 deleted instances", "removed 0 items of 0 deleted instances"):
        assert main(["purge"]) == 0
        assert expected in capsys.readouterr().out
    assert items() == items(PARTITION + "2") == []
    assert items(existing) == before
