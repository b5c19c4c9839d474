"""Idempotency-Key: a POST with a key is executed once, however often it is retried."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from identity_service.store import dynamodb as store_client
from identity_service.store import instances
from tests.conftest import EVENTS, Caller

OBSERVATION = {"mode_target": "ORDER", "signal_strength": 0.6}
SUBMITTED = json.loads(json.loads((EVENTS / "testing_submit.json").read_text())["body"])
RETEST = {"version": SUBMITTED["version"], "responses": SUBMITTED["responses"]}
#: Every POST: path, body, a different body.
POSTS = [
    ("/instances", {"name": "Aria"}, {"name": "Other"}),
    ("/instances/{id}/process", OBSERVATION, OBSERVATION | {"signal_strength": 0.7}),
    ("/instances/{id}/process/batch", {"observations": [OBSERVATION] * 3}, {"observations": [OBSERVATION] * 4}),
    ("/instances/{id}/simulate", OBSERVATION, OBSERVATION | {"signal_strength": 0.7}),
    ("/instances/{id}/goals/assess", {"complexity": "high"}, {"complexity": "low"}),
    ("/instances/{id}/reset", {"mode": "initial"}, {"mode": "default"}),
    ("/test/submit", SUBMITTED, SUBMITTED | {"instance_name": "Other"}),
    ("/test/submit", RETEST, RETEST | {"responses": RETEST["responses"][::-1]}),
]
IDS = ["create", "process", "batch", "simulate", "goals", "reset", "submit", "retest"]


def cycles_left(caller):
    return int(caller.get("/personas").headers["X-Monthly-Remaining"])


@pytest.fixture
def instance_id(pro):
    return pro.new_instance()


def post(caller, path, body, instance_id, key="k-1"):
    body = body | {"instance_id": instance_id} if body.keys() == RETEST.keys() else body
    return caller.post(path.replace("{id}", instance_id), json=body, headers={"Idempotency-Key": key})


def everything(caller):
    """All items of the account except its usage counters."""
    items = [item for item in store_client.scan(()) if caller.account_id in item["PK"] and item["SK"] != "USAGE"]
    return sorted(items, key=lambda item: (item["PK"], item["SK"]))


@pytest.mark.parametrize(("path", "body", "other"), POSTS, ids=IDS)
def test_retried_request_gets_the_stored_response_and_changes_nothing(pro, instance_id, path, body, other):
    first = post(pro, path, body, instance_id)
    assert first.status_code in (200, 201), first.text
    assert "Idempotent-Replayed" not in first.headers
    before, remaining = everything(pro), cycles_left(pro)
    for _ in range(2):
        again = post(pro, path, body, instance_id)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers["Content-Type"] == "application/json"
    assert everything(pro) == before
    assert cycles_left(pro) == remaining

    refused = post(pro, path, other, instance_id)
    assert (refused.status_code, refused.json()["error"]) == (409, "conflict")
    assert everything(pro) == before
    assert cycles_left(pro) == remaining
    assert post(pro, path, other, instance_id, key="k-2").status_code == first.status_code


def test_a_key_is_for_one_route_of_one_instance_of_one_account(pro, indie, instance_id):
    assert post(pro, "/instances/{id}/process", OBSERVATION, instance_id).status_code == 200
    assert post(pro, "/instances/{id}/simulate", OBSERVATION, instance_id).status_code == 409
    other_instance = indie.new_instance()
    assert "Idempotent-Replayed" not in post(indie, "/instances/{id}/process", OBSERVATION, other_instance).headers


def test_white_space_and_key_order_do_not_change_the_fingerprint(pro, instance_id):
    path, headers = f"/instances/{instance_id}/process", {"Idempotency-Key": "k", "Content-Type": "application/json"}
    first = pro.post(path, content=b'{"mode_target": "ORDER", "signal_strength": 0.60}', headers=headers)
    again = pro.post(path, content=b'{"signal_strength":0.6,"mode_target":"ORDER"}', headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.content == first.content


def test_key_can_be_reused_after_a_day(pro, instance_id, stopped_clock):
    path = f"/instances/{instance_id}/process"
    headers = {"Idempotency-Key": "k"}
    pro.post(path, json=OBSERVATION, headers=headers)
    stopped_clock.time += 24 * 3600 - 1
    assert "Idempotent-Replayed" in pro.post(path, json=OBSERVATION, headers=headers).headers
    stopped_clock.time += 1
    assert "Idempotent-Replayed" not in pro.post(path, json=OBSERVATION, headers=headers).headers
    assert pro.get(f"/instances/{instance_id}").json()["data"]["cycle_count"] == 2


def test_records_expire_by_ttl(pro, instance_id, stopped_clock):
    post(pro, "/instances/{id}/process", OBSERVATION, instance_id)
    (record,) = [item for item in everything(pro) if item["SK"].startswith("IDEM#")]
    assert record["expires"] == int(stopped_clock.time) + 24 * 3600
    assert "k-1" not in str(record)


def test_rejected_requests_are_not_stored(pro, instance_id):
    path = f"/instances/{instance_id}/process"
    assert pro.post(path, json={"mode_target": "ORDER"}, headers={"Idempotency-Key": "k"}).status_code == 400
    assert (
        pro.post("/instances/inst_0000000000000000/process", json=OBSERVATION, headers={"Idempotency-Key": "k"}).status_code
        == 404
    )
    assert pro.post(path, json=OBSERVATION, headers={"Idempotency-Key": "k"}).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tkey", "caf\xe9"])
def test_invalid_idempotency_keys(pro, instance_id, key):
    response = pro.post(
        f"/instances/{instance_id}/process", json=OBSERVATION, headers={"Idempotency-Key": key.encode("latin-1")}
    )
    assert (response.status_code, response.json()["details"]["field"]) == (400, "Idempotency-Key")
    assert pro.get(f"/instances/{instance_id}").json()["data"]["cycle_count"] == 0


def test_replay_works_when_the_monthly_quota_is_used_up(edge, stopped_clock):
    from identity_service.store import accounts

    caller = Caller(edge, "free")
    accounts.set_plan(caller.account_id, "free", per_month=1)
    edge._known.clear()
    instance_id = caller.new_instance()
    first = post(caller, "/instances/{id}/process", OBSERVATION, instance_id)
    assert first.status_code == 200
    assert post(caller, "/instances/{id}/process", OBSERVATION, instance_id, key="k-2").status_code == 429
    again = post(caller, "/instances/{id}/process", OBSERVATION, instance_id)
    assert (again.status_code, again.content) == (200, first.content)
    for _ in range(10):
        last = post(caller, "/instances/{id}/process", OBSERVATION, instance_id)
    assert (last.status_code, last.json()["error"]) == (429, "rate_limit_exceeded")


@pytest.mark.parametrize(("path", "body", "other"), POSTS, ids=IDS)
def test_duplicate_between_read_and_commit_changes_nothing(pro, instance_id, path, body, other, monkeypatch):
    call, duplicate = store_client._call, []

    def with_duplicate(operation, **arguments):
        commits = operation == "transact_write_items" or (operation == "put_item" and "IDEM#" in str(arguments["Item"]))
        if commits and not duplicate:
            duplicate.append(None)
            with ThreadPoolExecutor(1) as beside:
                duplicate[0] = beside.submit(post, pro, path, body, instance_id).result()
        return call(operation, **arguments)

    monkeypatch.setattr(store_client, "_call", with_duplicate)
    late = post(pro, path, body, instance_id)
    monkeypatch.setattr(store_client, "_call", call)
    assert duplicate[0].status_code in (200, 201)
    assert (late.status_code, late.content) == (duplicate[0].status_code, duplicate[0].content)
    assert late.headers["Idempotent-Replayed"] == "true"
    assert len([item for item in everything(pro) if item["SK"].startswith("IDEM#")]) == 1


def test_concurrent_duplicates_are_one_cycle(pro, instance_id):
    # Threads call the use case; the embedded table serialises database calls, not whole requests.
    from identity_service.cycles import process
    from identity_service.limits import Meter
    from identity_service.principal import Principal
    from identity_service.request_models import ObservationRequest
    from identity_service.store.idempotency import IdempotencyRecord, Replayed

    principal = Principal(pro.account_id, "pro", "key_x", 100_000, 1_000_000, "operator")
    gate = threading.Barrier(8)

    def one(_):
        gate.wait()
        idempotency = IdempotencyRecord(instances.partition(pro.account_id, instance_id), "k", "same", 1_774_347_330.0)
        try:
            done = process(
                Meter(principal), instance_id, [ObservationRequest(**OBSERVATION)], lambda steps: b"answer", idempotency
            )
        except Replayed as replayed:
            done = replayed
        return done.body, done.digest

    with ThreadPoolExecutor(8) as pool:
        done = set(pool.map(one, range(8)))
    assert done == {(b"answer", pro.get(f"/instances/{instance_id}/audit").json()["data"][-1]["digest"])}
    assert pro.get(f"/instances/{instance_id}").json()["data"]["cycle_count"] == 1
    assert cycles_left(pro) == 499_999
