"""Races: 50 clients, four server processes, one DynamoDB Local. Each race asserts its guarantees and returns a summary."""

import random
from collections import Counter
from uuid import uuid4

from identity_engine import ENGINE_VERSION
from identity_service.clock import now
from identity_service.store import dynamodb as store_client
from identity_service.store import instances, purge, reconcile, usage
from tests.integration.servers import Caller

OBSERVATION = {"mode_target": "ORDER", "signal_strength": 0.5}
OLDER = "1.0.0"


def statuses(answers, allowed):
    seen = Counter(answer.status_code for answer in answers)
    assert set(seen) <= set(allowed), (seen, next(a.text for a in answers if a.status_code not in allowed))
    for answer in answers:
        if answer.status_code >= 400:
            assert set(answer.json()) >= {"error", "message", "details"}
    return seen


def check_instance(caller, instance_id, processed):
    """The history has no gaps and contains every 200, and a replay reproduces the head."""
    rows = []
    while True:
        page = caller.call("GET", f"/instances/{instance_id}/history?limit=1000&offset={len(rows)}").json()
        rows += page["data"]
        if not page["pagination"]["has_more"]:
            break
    assert [row["seq"] for row in rows] == list(range(processed, 0, -1)), (len(rows), processed)
    verdict = caller.call("GET", f"/instances/{instance_id}/audit/verify").json()["data"]
    assert verdict["verified"] is True, verdict
    return rows


def check_month(caller, processed):
    at = usage.windows(now())
    finding = reconcile.find([caller.account_id], at, lambda: None)[0]
    assert (finding.processed, finding.reserved.counted) == (processed, processed), (finding, processed)


def process_against_process(servers):
    caller = Caller(servers)
    one = caller.new_instance()
    seen = statuses(caller.all_at_once([("POST", f"/instances/{one}/process", OBSERVATION, {})] * 200), (200, 409))
    check_instance(caller, one, seen[200])
    check_month(caller, seen[200])
    return f"200 calls: {seen[200]} processed, {seen[409]} times 409, cycles {seen[200]}"


def twins(servers):
    caller = Caller(servers)
    one = caller.new_instance()
    keys = [str(uuid4()) for _ in range(40)] * 5
    random.Random(1).shuffle(keys)
    requests = [("POST", f"/instances/{one}/process", OBSERVATION, {"Idempotency_Key": key}) for key in keys]
    answers = caller.all_at_once(requests)
    statuses(answers, (200, 409))
    # Retry each 409, as clients do, one after another.
    answers = [
        answer if answer.status_code == 200 else caller.call(*r[:3], **r[3])
        for answer, r in zip(answers, requests, strict=True)
    ]
    statuses(answers, (200,))
    bodies = {}
    for key, answer in zip(keys, answers, strict=True):
        assert bodies.setdefault(key, answer.content) == answer.content
    check_instance(caller, one, 40)
    check_month(caller, 40)
    return "40 keys, 5 calls each: 40 cycles"


def batch_against_batch(servers):
    caller = Caller(servers)
    one = caller.new_instance()
    batches = [
        {"observations": [OBSERVATION | {"context": {"batch": number, "row": row}} for row in range(10)]}
        for number in range(40)
    ]
    answers = caller.all_at_once([("POST", f"/instances/{one}/process/batch", batch, {}) for batch in batches])
    seen = statuses(answers, (200, 409))
    rows = check_instance(caller, one, 10 * seen[200])
    done = {number for number, answer in enumerate(answers) if answer.status_code == 200}
    order = [(row["context"]["batch"], row["context"]["row"]) for row in reversed(rows)]
    assert {number for number, _ in order} == done
    for start in range(0, len(order), 10):
        assert order[start : start + 10] == [(order[start][0], row) for row in range(10)], "batches are mixed up"
    check_month(caller, 10 * seen[200])
    return f"40 batches of 10: {seen[200]} whole, {seen[409]} times 409, none mixed up"


def reset_against_process(servers):
    caller = Caller(servers)
    one = caller.new_instance()
    process = ("POST", f"/instances/{one}/process", OBSERVATION, {})
    reset = ("POST", f"/instances/{one}/reset", {"mode": "initial"}, {})
    requests = [process, process, reset] * 40
    answers = caller.all_at_once(requests)
    statuses(answers, (200, 409))
    kinds = Counter(request[1].rpartition("/")[2] for request, a in zip(requests, answers, strict=True) if a.status_code == 200)
    check_instance(caller, one, kinds["process"])
    trail = caller.call("GET", f"/instances/{one}/audit?limit=1000").json()
    assert Counter(row["kind"] for row in trail["data"]) == {
        "created": 1, "observations": kinds["process"], "initial": kinds["reset"],
    }  # fmt: skip
    check_month(caller, kinds["process"])
    return f"80 process and 40 reset: {kinds['process']} and {kinds['reset']} done, the rest 409"


def engine_against_engine(servers):
    """Two versions serve at once, and only half of the servers know the older one; upgrades go there and back meanwhile."""
    caller = Caller(servers)
    one = caller.new_instance(engine_version=OLDER)
    process = ("POST", f"/instances/{one}/process", OBSERVATION, {})
    upgrades = [
        ("POST", f"/instances/{one}/upgrade", {"engine_version": version, "preview": False}, {})
        for version in (ENGINE_VERSION, OLDER)
    ]
    requests = [process if number % 6 else upgrades[number // 6 % 2] for number in range(240)]
    answers = caller.all_at_once(requests)
    # 400: it has that version already. 503: a server without the older version met an agent that is pinned to it.
    statuses(answers, (200, 400, 409, 503))
    done = [request for request, answer in zip(requests, answers, strict=True) if answer.status_code == 200]
    processed = done.count(process)
    check_instance(caller, one, processed)
    pinned, by_version = OLDER, Counter()
    for row in caller.call("GET", f"/instances/{one}/audit?limit=1000").json()["data"]:
        if row["kind"] == "upgrade":
            assert row["upgrade"]["from_version"] == pinned, row
            pinned = row["engine_version"]
        assert row["engine_version"] == pinned, row
        by_version[row["engine_version"]] += row["kind"] == "observations"
    assert by_version.total() == processed
    assert min(by_version[OLDER], by_version[ENGINE_VERSION]) > 0, by_version
    check_month(caller, processed)
    return f"{by_version[OLDER]} and {by_version[ENGINE_VERSION]} processed, {len(done) - processed} upgrades, none mixed"


def delete_against_process(servers):
    caller = Caller(servers)
    processed = 0
    for _ in range(8):
        one = caller.new_instance()
        requests = [("POST", f"/instances/{one}/process", OBSERVATION, {})] * 20
        requests.insert(random.randrange(20), ("DELETE", f"/instances/{one}", None, {}))
        answers = caller.all_at_once(requests)
        statuses(answers, (200, 404, 409))
        deletion = next(a for r, a in zip(requests, answers, strict=True) if r[0] == "DELETE")
        processed += sum(a.status_code == 200 for a in answers) - (deletion.status_code == 200)
        if deletion.status_code == 409:
            assert caller.call("DELETE", f"/instances/{one}").status_code == 200
        never = caller.call("GET", "/instances/inst_0000000000000000").content
        assert caller.call("GET", f"/instances/{one}").content == never
        purge.purge(instances.partition(caller.account_id, one))
        left = list(store_client.query("PK = :pk", {":pk": instances.partition(caller.account_id, one)}))
        assert left == [], "items of a deleted instance were written after the purge"
    assert instances.count(caller.account_id) == 0
    check_month(caller, processed)
    return f"8 times 20 process against a delete: {processed} processed and counted, nothing left"


def create_against_the_limit(servers):
    caller = Caller(servers, "free", per_minute=100_000)
    answers = caller.all_at_once([("POST", "/instances", {"name": f"n{i}"}, {}) for i in range(60)])
    seen = statuses(answers, (201, 403, 409))
    assert seen[201] == 3, seen
    listed = caller.call("GET", "/instances").json()
    assert (len(listed["data"]), listed["pagination"]["total"], instances.count(caller.account_id)) == (3, 3, 3)
    return f"60 creates on a plan of 3: 3 made, {seen[403]} times 403, {seen[409]} times 409"


def the_minute_is_exact(servers):
    limit = 120
    caller = Caller(servers, per_minute=limit)
    answers = caller.all_at_once([("GET", "/personas", None, {})] * 300)
    statuses(answers, (200, 429))
    windows = {}
    for answer in answers:
        windows.setdefault(answer.headers["X-RateLimit-Reset"], Counter())[answer.status_code] += 1
    for seen in windows.values():
        assert seen[200] <= limit, "beyond the limit"
        assert seen[200] == limit or not seen[429], "refused within the limit"
    counted = "; ".join(f"{seen[200]} passed, {seen[429]} refused" for seen in windows.values())
    return f"300 calls of 50 clients at {limit} a minute: {counted}"


def the_month_is_exact(servers):
    quota = 150
    caller = Caller(servers, per_month=quota)
    agents = [caller.new_instance(f"n{i}") for i in range(50)]
    requests = [("POST", f"/instances/{agents[i % 50]}/process", OBSERVATION, {}) for i in range(400)]
    answers = caller.all_at_once(requests)
    seen = statuses(answers, (200, 409, 429))
    assert seen[200] <= quota
    if not seen[409]:
        assert seen[200] == quota, "refused within the quota"
    check_month(caller, seen[200])
    one = usage.reserved(caller.account_id, usage.windows(now())).counted
    return f"400 calls on a quota of {quota}: {seen[200]} processed, {one} counted, {seen[409]} times 409"


RACES = (
    process_against_process,
    twins,
    batch_against_batch,
    reset_against_process,
    engine_against_engine,
    delete_against_process,
    create_against_the_limit,
    the_minute_is_exact,
    the_month_is_exact,
)
