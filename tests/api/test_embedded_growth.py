"""The embedded table grows by what is stored and by nothing else. Objects and bytes are counted, no clock is read."""

import gc
import pickle
import tracemalloc
from collections import Counter
from itertools import islice

from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import StreamRecord

from identity_service.settings import settings
from identity_service.store import dynamodb as store
from local.dynamodb import create_table
from local.moto_fixes import stream_records, tables

CALLS = 50
MODELS = (Item, StreamRecord)


def alive():
    """moto's items and stream records in this process, by class."""
    gc.collect()
    return Counter(type(thing).__name__ for thing in gc.get_objects() if type(thing) in MODELS)


def stored():
    """Items of the table, by the kind of their sort key."""
    (table,) = tables(settings().table)
    return Counter(item.range_key.value.split("#")[0] for items in table.items.values() for item in items.values())


def records():
    """The history records of the table, by partition and sort key."""
    (table,) = tables(settings().table)
    return {
        (key, item.range_key.value): item
        for key, items in table.items.items()
        for item in items.values()
        if item.range_key.value.startswith("OBS#")
    }


def drain():
    """Read the stream, as the server does twice a second."""
    next(stream_records(settings().table))


def test_process_calls_leave_the_items_that_they_store_and_no_others(pro):
    instance = pro.new_instance()
    pro.process(instance)
    drain()
    before, items = alive(), stored()
    for number in range(CALLS):
        assert pro.process(instance, strength=0.5 + number % 4 / 10).status_code == 200
    drain()
    grown = alive() - before
    new = stored() - items
    assert new["OBS"] == CALLS
    assert grown == {"Item": new.total()}


def traced(work):
    """The bytes that work() allocated and left alive, what it returns among them."""
    gc.collect()
    tracemalloc.start()
    try:
        kept = work()  # noqa: F841  alive until the bytes are counted
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_bytes_that_a_process_call_leaves(pro):
    """Less than twice its record, however large Python makes it: the rest is counters and caches that are being filled."""
    instance = pro.new_instance()
    for _ in range(20):
        pro.process(instance)
    drain()
    before = set(records())

    def calls():
        for number in range(CALLS):
            pro.process(instance, strength=0.5 + number % 4 / 10)
        drain()

    left = traced(calls)
    new = [item for name, item in records().items() if name not in before]
    assert len(new) == CALLS
    pickled = [pickle.dumps(item) for item in new]
    size = traced(lambda: [pickle.loads(item) for item in pickled])
    assert left < 2 * size


def test_items_whose_time_is_over_are_removed(pro, stopped_clock):
    def processed(key):
        return pro.post(
            f"/instances/{instance}/process",
            json={"mode_target": "ORDER", "signal_strength": 0.5},
            headers={"Idempotency-Key": key},
        )

    instance = pro.new_instance()
    processed("old")
    stopped_clock.time += 23 * 3600
    processed("young")
    stopped_clock.time += 2 * 3600
    assert stored()["IDEM"] == 2
    list(islice(stream_records(settings().table), 120))
    assert stored()["IDEM"] == 1
    assert processed("young").headers["Idempotent-Replayed"] == "true"


def test_deleted_items_leave_no_empty_partition(table):
    key = {"PK": "ACCOUNT#a#INST#i", "SK": "HEAD"}
    (in_memory,) = tables(settings().table)
    before = len(in_memory.items)
    store.write(store.put(key))
    store.write(store.delete(key))
    assert len(in_memory.items) == before + 1
    list(islice(stream_records(settings().table), 120))
    assert len(in_memory.items) == before


def test_table_whose_time_to_live_was_never_switched_on_gets_it_at_the_next_start(table):
    client = store.client()
    specification = {"AttributeName": "expires", "Enabled": False}
    client.update_time_to_live(TableName=settings().table, TimeToLiveSpecification=specification)
    for _ in range(2):
        create_table(client)
        found = client.describe_time_to_live(TableName=settings().table)["TimeToLiveDescription"]
        assert found == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
