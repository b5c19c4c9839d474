"""Callers: keys, isolation of accounts, rate limit, monthly quota."""

import logging
import time
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

import local.edge
from identity_service.keys import new_key
from identity_service.store import accounts, usage
from identity_service.store import dynamodb as store_client
from local import openapi, template
from tests.conftest import Caller

INSTANCE_ROUTES = [
    ("GET", "", None),
    ("PATCH", "", {"name": "B"}),
    ("DELETE", "", None),
    ("POST", "/process", {"mode_target": "ORDER", "signal_strength": 0.5}),
    ("POST", "/process/batch", {"observations": [{"mode_target": "ORDER", "signal_strength": 0.5}]}),
    ("GET", "/snapshot", None),
    ("GET", "/contract", None),
    ("POST", "/simulate", {"mode_target": "ORDER", "signal_strength": 0.5}),
    ("POST", "/goals/assess", {"complexity": "low"}),
    ("POST", "/reset", {"mode": "initial"}),
    ("GET", "/history", None),
    ("GET", "/timeline", None),
    ("GET", "/drift", None),
    ("GET", "/audit", None),
    ("GET", "/audit/verify", None),
]


def bad_headers():
    typo = new_key()
    typo = typo[:-1] + ("a" if typo[-1] != "a" else "b")
    return {
        "no header": {"Authorization": ""},
        "no scheme": {"Authorization": new_key()},
        "other scheme": {"Authorization": f"Basic {new_key()}"},
        "malformed": {"Authorization": "Bearer idos_sk_short"},
        "typo": {"Authorization": f"Bearer {typo}"},
        "unknown": {"Authorization": f"Bearer {new_key()}"},
        "trailing": {"Authorization": f"Bearer {new_key()} x"},
    }


@pytest.mark.parametrize("case", bad_headers())
def test_every_invalid_key_gets_the_same_response(pro, case):
    reference = pro.get("/instances", headers={"Authorization": ""})
    response = pro.get("/instances", headers=bad_headers()[case])
    assert (response.status_code, response.content) == (401, reference.content)
    assert response.json()["error"] == "unauthorized"


def revoke(account_id):
    (key,) = accounts.list_keys(account_id)
    accounts.revoke_key(account_id, key["id"])


@pytest.mark.parametrize("end", [revoke, accounts.suspend, accounts.begin_deletion], ids=["revoked", "suspended", "deleted"])
def test_ended_key_is_rejected_after_the_cache_expires(pro, monkeypatch, end):
    assert pro.get("/personas").status_code == 200
    end(pro.account_id)
    known_at, (_, cached_for) = time.monotonic(), template.authorizer()
    assert cached_for <= 60
    monkeypatch.setattr(local.edge, "time", SimpleNamespace(monotonic=lambda: known_at + cached_for - 1))
    assert pro.get("/personas").status_code == 200
    monkeypatch.setattr(local.edge, "time", SimpleNamespace(monotonic=lambda: known_at + cached_for + 1))
    unknown = pro.get("/personas", headers={"Authorization": f"Bearer {new_key()}"})
    rejected = pro.get("/personas")
    assert (rejected.status_code, rejected.content) == (401, unknown.content)


def test_resumed_account_is_served_again_at_once(pro):
    accounts.suspend(pro.account_id)
    assert pro.get("/personas").status_code == 401
    accounts.resume(pro.account_id)
    assert pro.get("/personas").status_code == 200


def test_key_that_is_deleted_while_it_is_checked_is_rejected_and_stays_deleted(pro, monkeypatch):
    read = store_client.get

    def read_then_delete(key, *attributes):
        item = read(key, *attributes)
        if key["PK"].startswith("KEY#"):
            store_client.write(store_client.delete(key))
        return item

    monkeypatch.setattr(store_client, "get", read_then_delete)
    assert pro.get("/personas").status_code == 401
    monkeypatch.setattr(store_client, "get", read)
    assert pro.get("/personas").status_code == 401


def test_key_listing_shows_last_use_but_never_the_key(pro, stopped_clock):
    pro.get("/personas")
    (key,) = accounts.list_keys(pro.account_id)
    assert key["last_used_at"] == "2026-03-24T10:15:30Z"
    assert key["last_four"] == pro.key[-4:]
    assert pro.key not in str(key)


@pytest.mark.parametrize(("method", "path", "body"), INSTANCE_ROUTES)
def test_another_accounts_instance_is_indistinguishable_from_an_unknown_one(pro, indie, method, path, body):
    instance_id = pro.new_instance()
    before = pro.get(f"/instances/{instance_id}").json()
    foreign = indie.request(method, f"/instances/{instance_id}{path}", json=body)
    unknown = indie.request(method, f"/instances/inst_0000000000000000{path}", json=body)
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.content == unknown.content
    assert foreign.headers["X-Monthly-Remaining"] == "100000"
    assert pro.get(f"/instances/{instance_id}").json() == before


def test_instance_routes_cover_every_endpoint_with_an_id():
    known = {(method, f"/v1/instances/{{instance_id}}{path}") for method, path, _ in INSTANCE_ROUTES}
    paths = openapi.document()["paths"]
    assert known == {(method.upper(), path) for path in paths if "instance_id" in path for method in paths[path]}


@pytest.mark.parametrize(("method", "path", "body"), [*INSTANCE_ROUTES, ("POST", None, "test")])
@pytest.mark.parametrize("key", [None, "one key"])
def test_another_accounts_instance_causes_the_same_database_calls(pro, indie, monkeypatch, method, path, body, key):
    """The same DynamoDB calls for both, so that timing cannot distinguish them."""
    instance_id = pro.new_instance()
    headers = {"Idempotency-Key": key} if key else {}
    if body == "test":
        questions = pro.get("/test/questions").json()["data"]["questions"]
        body = {
            "version": "v1",
            "responses": [{"question_id": q["id"], "selected_option_id": f"{q['id']}_a"} for q in questions],
        }
    if path is not None and method != "DELETE":
        # The owner's Idempotency-Key is separate from the other caller's.
        pro.request(method, f"/instances/{instance_id}{path}", json=body, headers=headers)
    calls, call = [], store_client._call

    def recorded(operation, **arguments):
        calls.append((operation, sorted(arguments)))
        return call(operation, **arguments)

    def outcome(target):
        calls.clear()
        if path is None:
            response = indie.post("/test/submit", json=body | {"instance_id": target}, headers=headers)
        else:
            response = indie.request(method, f"/instances/{target}{path}", json=body, headers=headers)
        return response.status_code, response.content, sorted(calls)

    monkeypatch.setattr(store_client, "_call", recorded)
    indie.get("/personas")
    foreign, unknown = outcome(instance_id), outcome("inst_0000000000000000")
    assert foreign == unknown
    assert foreign[0] == 404


def test_only_processed_observations_count_as_cycles(pro):
    instance_id = pro.new_instance()

    def remaining(response):
        return int(response.headers["X-Monthly-Remaining"])

    assert remaining(pro.process(instance_id)) == 499_999
    batch = {"observations": [{"mode_target": "ORDER", "signal_strength": 0.5}] * 7}
    assert remaining(pro.post(f"/instances/{instance_id}/process/batch", json=batch)) == 499_992
    assert remaining(pro.process("inst_0000000000000000")) == 499_992
    assert remaining(pro.process(instance_id, strength=2)) == 499_992
    assert remaining(pro.get("/instances")) == 499_992


def test_monthly_quota_and_its_reset(edge, stopped_clock):
    caller = Caller(edge, "pro")
    accounts.set_plan(caller.account_id, "pro", per_month=5)
    instance_id = caller.new_instance()
    three = {"observations": [{"mode_target": "ORDER", "signal_strength": 0.5}] * 3}
    path = f"/instances/{instance_id}/process/batch"
    assert caller.post(path, json=three).status_code == 200
    refused = caller.post(path, json=three)
    assert (refused.status_code, refused.json()["error"]) == (429, "quota_exceeded")
    # 2026-03-24T10:15:30Z to the first of April
    assert refused.json()["retry_after"] == 7 * 86400 + 13 * 3600 + 44 * 60 + 30
    assert refused.headers["X-Monthly-Remaining"] == "2"
    assert caller.process(instance_id).status_code == 200
    assert caller.get(f"/instances/{instance_id}").json()["data"]["cycle_count"] == 4
    too_large = {"observations": [{"mode_target": "ORDER", "signal_strength": 0.5}] * 6}
    assert caller.post(path, json=too_large).json()["error"] == "quota_exceeded"
    stopped_clock.time += 8 * 86400
    assert caller.post(path, json=three).status_code == 200


def test_rejected_and_failed_requests_count_against_the_minute(free, stopped_clock):
    for _ in range(5):
        free.get("/instances/inst_0000000000000000")
        free.post("/instances", content=b"{", headers={"Content-Type": "application/json"})
    response = free.get("/personas")
    assert (response.status_code, response.json()["error"]) == (429, "rate_limit_exceeded")


def test_rate_limit_takes_precedence_over_other_errors(free, stopped_clock):
    for _ in range(10):
        free.get("/personas")
    assert free.post("/instances", json={}).status_code == 429
    assert free.put("/personas").status_code == 429
    assert free.process("inst_0000000000000000").status_code == 429


def test_the_usage_item_stays_small(pro, stopped_clock):
    for _ in range(60):
        pro.get("/personas")
        stopped_clock.time += 60
    from identity_service.store import dynamodb

    item = dynamodb.get({"PK": f"ACCOUNT#{pro.account_id}", "SK": "USAGE"})
    assert len(item) < 25
    assert usage.windows(stopped_clock.time - 60).minute in item


def usage_item(caller):
    from identity_service.store import dynamodb

    return dynamodb.get({"PK": f"ACCOUNT#{caller.account_id}", "SK": "USAGE"})


def test_cycles_are_counted_by_the_day_in_the_same_write(pro, stopped_clock, monkeypatch):
    one = pro.new_instance()
    assert not [name for name in usage_item(pro) if name[0] == "d"]
    writes, call = [], store_client._call

    def counted(operation, **arguments):
        if operation == "update_item":
            writes.append(arguments["Key"]["SK"]["S"])
        return call(operation, **arguments)

    monkeypatch.setattr(store_client, "_call", counted)
    for hours in (0, 1, 24):
        stopped_clock.time = 1_774_347_330.0 + hours * 3600
        assert pro.process(one).status_code == 200
    assert writes == ["USAGE"] * 3
    assert {name: count for name, count in usage_item(pro).items() if name[0] == "d"} == {"d20260324": 2, "d20260325": 1}


def test_cycles_that_were_not_processed_leave_their_day(pro, stopped_clock):
    one = pro.new_instance()
    assert pro.process(one).status_code == 200
    assert pro.process("inst_0000000000000000").status_code == 404
    assert (usage_item(pro)["d20260324"], usage_item(pro)["c202603"], usage_item(pro)["g202603"]) == (1, 1, 1)


def test_days_begin_anew_with_the_month(pro, stopped_clock):
    one = pro.new_instance()
    for day in range(8):  # 24 March is the first
        stopped_clock.time = 1_774_347_330.0 + day * 86400
        assert pro.process(one).status_code == 200
    windows = usage.windows(stopped_clock.time)
    counts, days = usage.current_days(pro.account_id, windows)
    assert (counts.cycles, days) == (8, {f"202603{day}": 1 for day in range(24, 32)})
    stopped_clock.time += 86400
    late = usage.count(pro.account_id, windows, 0, 1000, 1000)
    assert pro.process(one).status_code == 200
    assert usage.current_days(pro.account_id, usage.windows(stopped_clock.time))[1] == {"20260401": 1}
    assert [name for name in usage_item(pro) if name[0] == "d"] == ["d20260401"]
    # A request of the old month that comes late removes nothing of the new one.
    assert usage.count(pro.account_id, windows, 1, 1000, 1000).cycles == late.cycles + 1
    assert usage_item(pro)["d20260401"] == 1


def test_authorizer_without_a_database_returns_the_error_format(pro, monkeypatch):
    def silent(operation, **arguments):
        raise EndpointConnectionError(endpoint_url="http://dynamodb")

    monkeypatch.setattr(store_client, "_call", silent)
    response = pro.get("/instances")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert set(response.json()) >= {"error", "message", "details"}


def test_no_key_is_logged_at_debug_level(edge, monkeypatch, no_key_in_any_log, capfd, caplog):
    before = no_key_in_any_log.records_seen
    for name in (None, "botocore", "mangum", "identity-os"):
        caplog.set_level(logging.DEBUG, name)
    caller = Caller(edge, "pro")
    for each in (caller.key, new_key(), caller.key[:-1] + ("a" if caller.key[-1] != "a" else "b")):
        caller.get("/instances", headers={"Authorization": f"Bearer {each}"})
    one = caller.new_instance()
    caller.process(one)
    monkeypatch.setattr(store_client, "_call", lambda *_, **__: 1 / 0)
    assert caller.process(one).status_code == 500
    edge._known.clear()
    assert caller.process(one).status_code == 503
    assert no_key_in_any_log.records_seen > before + 50
    assert caller.key not in str(capfd.readouterr())
