"""Forks and earlier contracts: what would have happened, and what was allowed then, each with the digest that proves it."""

import threading

import pytest

from identity_engine import ENGINE_VERSION
from identity_service import audit, forks
from identity_service.store import dynamodb as store_client
from identity_service.store import instances, purge
from tests.api.test_engines import OLD, born, report, upgrade, verified


def fork(caller, instance_id, at_cycle, name="Other", **more):
    return caller.post(f"/instances/{instance_id}/fork", json={"at_cycle": at_cycle, "name": name}, **more)


def rows(caller, instance_id):
    page = caller.get(f"/instances/{instance_id}/history?limit=1000").json()["data"]
    return [{name: row[name] for name in row if name != "seq"} for row in reversed(page)]


@pytest.fixture
def life(pro):
    """An agent that began under the older version, was reset, upgraded and worked on: 31 cycles before the last two."""
    old = born(pro)
    report(pro, old, 20)
    report(pro, old, 3, "STRESS_RESPONSE", 0.9)
    pro.post(f"/instances/{old}/reset", json={"mode": "last_stable", "note": "the outage is over"})
    report(pro, old, 4, "EXPLORATION", 0.9)
    upgrade(pro, old, preview=False)
    for _ in range(4):
        report(pro, old, 1, "ORDER")
    report(pro, old, 2, "STRESS_RESPONSE", 0.8)
    return old


def test_a_fork_is_the_agent_as_it_was_with_its_history(pro, life):
    answer = fork(pro, life, 31)
    assert answer.status_code == 201, answer.text
    made = answer.json()["data"]
    then = pro.get(f"/instances/{life}/contract?cycle=31").json()["data"]
    now = pro.get(f"/instances/{made['id']}/contract").json()["data"]
    assert now == {name: value for name, value in then.items() if name not in ("cycle", "proof")}
    assert rows(pro, made["id"]) == rows(pro, life)[:31]
    assert (made["cycle_count"], made["engine_version"], made["name"]) == (31, ENGINE_VERSION, "Other")
    origin = made["forked_from"]
    assert (origin["instance_id"], origin["cycle"], origin["seq"]) == (life, 31, 31)
    assert pro.get(f"/instances/{life}/audit?limit=100").json()["data"][origin["record"] - 1]["digest"] == origin["digest"]
    first = pro.get(f"/instances/{made['id']}/audit?limit=1").json()["data"][0]
    assert (first["previous"], first["forked_from"], first["engine_version"]) == (origin["digest"], origin, OLD)
    assert answer.headers["X-Audit-Digest"] == pro.get(f"/instances/{made['id']}/audit").json()["data"][-1]["digest"]


def test_a_trail_that_was_begun_upgraded_and_forked_verifies_online_and_offline(pro, life):
    made = fork(pro, life, 30).json()["data"]["id"]
    report(pro, made, 12)
    lines, original = verified(pro, made), verified(pro, life)
    assert audit.verify_fork(lines, original) is None
    # The original without the report that the fork continues from, or with another agent's trail in its place.
    assert "record" in audit.verify_fork(lines, original[:-4])
    other = born(pro)
    report(pro, other, 40)
    assert "is a fork of" in audit.verify_fork(lines, verified(pro, other))
    assert "is no fork" in audit.verify_fork(original, original)


def test_a_forks_observations_are_compared_with_the_originals(pro, life):
    """Who writes a fork's trail anew cannot hide that a report is another, or is missing."""
    made = fork(pro, life, 30).json()["data"]["id"]
    lines, original = verified(pro, made), verified(pro, life)
    changed = [line.replace('"signal_strength":0.9', '"signal_strength":0.8', 1) for line in lines]
    assert audit.verify_fork(changed, original) == "observation 21 of the fork is another than the original's"
    assert audit.verify_fork([*lines[:2], *lines[3:]], original) == "observation 1 of the fork is another than the original's"


def test_a_fork_differs_from_there_on_and_leaves_the_original_alone(pro, life):
    before = pro.get(f"/instances/{life}").json()
    made = fork(pro, life, 23).json()["data"]["id"]
    report(pro, made, 10, "ORDER")
    assert pro.get(f"/instances/{life}").json() == before
    assert pro.get(f"/instances/{made}").json()["data"]["stress_state"] != "UNKNOWN"
    pro.delete(f"/instances/{made}")
    assert pro.get(f"/instances/{life}").json() == before


def test_a_fork_costs_the_cycles_that_it_replays(pro, life):
    before = int(pro.get(f"/instances/{life}").headers["X-Monthly-Remaining"])
    answer = fork(pro, life, 31)
    assert int(answer.headers["X-Monthly-Remaining"]) == before - 31
    stamp = instances.get(pro.account_id, answer.json()["data"]["id"])
    assert stamp.month_cycles == 31
    total = sum(instances.get(pro.account_id, each).month_cycles for each in (life, stamp.id))
    assert instances.cycles_of(pro.account_id, stamp.month) == total


def test_a_fork_that_is_sent_twice_is_made_and_billed_once(pro, life):
    answers = [fork(pro, life, 5, headers={"Idempotency-Key": "f"}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["X-Monthly-Remaining"] == answers[1].headers["X-Monthly-Remaining"]
    assert pro.get("/instances").json()["pagination"]["total"] == 2


def test_a_fork_after_a_reset_to_birth_counts_from_there(pro):
    agent = born(pro, ENGINE_VERSION)
    report(pro, agent, 8)
    pro.post(f"/instances/{agent}/reset", json={"mode": "default"})
    report(pro, agent, 5, "ORDER")
    made = fork(pro, agent, 2).json()["data"]
    assert made["forked_from"]["seq"] == made["cycle_count"] == 10
    assert pro.get(f"/instances/{made['id']}/snapshot").json()["data"]["cycle"] == 2
    verified(pro, made["id"])
    at_rest = fork(pro, agent, 0).json()["data"]
    assert pro.get(f"/instances/{at_rest['id']}/snapshot").json()["data"]["cycle"] == 0
    verified(pro, at_rest["id"])


@pytest.mark.parametrize("cycle", [-1, "5", 1.5, None])
def test_what_is_no_cycle_is_refused(pro, life, cycle):
    refused = fork(pro, life, cycle)
    assert (refused.status_code, refused.json()["details"]["field"]) == (400, "at_cycle")


def test_a_cycle_that_has_not_been_is_not_found(pro, life):
    for answer in (fork(pro, life, 34), pro.get(f"/instances/{life}/contract?cycle=34")):
        assert (answer.status_code, answer.json()["message"]) == (404, "no such cycle: the agent is at cycle 33")


def test_a_history_that_is_too_long_is_refused_with_a_way_out(pro, life, monkeypatch):
    monkeypatch.setattr(forks, "MAX_REPLAYED", 20)
    refused = fork(pro, life, 21)
    assert (refused.status_code, "earlier cycle" in refused.json()["message"]) == (409, True)
    assert fork(pro, life, 20).status_code == 201


def test_the_plan_limits_forks_and_gives_their_cycles_back(free):
    agent = born(free)
    report(free, agent, 3)
    assert [fork(free, agent, 3).status_code for _ in range(3)] == [201, 201, 403]
    remaining = int(free.get(f"/instances/{agent}").headers["X-Monthly-Remaining"])
    assert remaining == 10_000 - 3 * 3


def test_a_killed_fork_is_no_instance_and_is_purged(pro, life, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(instances, "create", killed)
    with pytest.raises(KeyboardInterrupt):
        fork(pro, life, 10)
    monkeypatch.undo()
    assert pro.get("/instances").json()["pagination"]["total"] == 1
    (left,) = set(purge.orphans())
    (mark,) = (item for item in store_client.query("PK = :pk", {":pk": left}) if item["SK"] == "FORK")
    assert mark["expires"] > 0
    from functions.purge.app import handler

    keys = {"PK": {"S": left}, "SK": {"S": "FORK"}}
    event = {"Records": [{"eventName": "REMOVE", "dynamodb": {"Keys": keys, "SequenceNumber": "1"}}]}
    context = type("Context", (), {"get_remaining_time_in_millis": lambda self: 900_000})()
    assert handler(event, context) == {"batchItemFailures": []}
    assert list(purge.orphans()) == []


def test_the_end_of_a_mark_does_not_purge_a_finished_fork(pro, life):
    from functions.purge.app import handler

    made = fork(pro, life, 10).json()["data"]["id"]
    keys = {"PK": {"S": instances.partition(pro.account_id, made)}, "SK": {"S": "FORK"}}
    assert handler({"Records": [{"eventName": "REMOVE", "dynamodb": {"Keys": keys}}]}, None) == {"batchItemFailures": []}
    verified(pro, made)


def test_an_earlier_contract_is_the_one_that_was_handed_out(pro, life):
    """Every cycle of a life with batches, a reset and an upgrade: what each answer said is what is said later."""
    twin = born(pro)
    handed_out = {0: pro.get(f"/instances/{twin}/contract").json()["data"]}
    for row in rows(pro, life)[:23]:
        sent = {name: row[name] for name in ("mode_target", "signal_strength", "confidence")}
        done = pro.post(f"/instances/{twin}/process", json=sent).json()["data"]
        handed_out[done["snapshot"]["cycle"]] = done["contract"]
    for cycle, contract in handed_out.items():
        for agent in (twin, life):
            found = pro.get(f"/instances/{agent}/contract?cycle={cycle}").json()["data"]
            proof = found.pop("proof")
            assert (found.pop("cycle"), found) == (cycle, contract)
            record = pro.get(f"/instances/{agent}/audit?limit=1&offset={proof['record'] - 1}").json()["data"][0]
            assert proof == {name: record[name] for name in ("record", "at", "engine_version", "digest")}
    explained = pro.get(f"/instances/{life}/contract?cycle=23&explain=true").json()["data"]
    assert len(explained["explanation"]) == 14


def test_checkpoints_make_any_cycle_near(pro):
    """With a checkpoint about every 64 observations a contract is replayed from there, batches and single reports alike."""
    agent = born(pro, ENGINE_VERSION)
    report(pro, agent, 230)
    for turn in range(30):
        report(pro, agent, 1, "ORDER", turn / 30)
    pk = instances.partition(pro.account_id, agent)
    kept = [item["SK"] for item in store_client.query("PK = :pk", {":pk": pk}) if "checkpoint" in item]
    assert kept == ["OBS#000000000100", "OBS#000000000200", "OBS#000000000256"]
    twin = born(pro, ENGINE_VERSION)
    wanted = {}
    for row in rows(pro, agent):
        if row["cycle"] > 120:
            break
        sent = {name: row[name] for name in ("mode_target", "signal_strength", "confidence")}
        wanted[row["cycle"]] = pro.post(f"/instances/{twin}/simulate", json=sent).json()["data"]["contract"]
        report(pro, twin, 1, row["mode_target"], row["signal_strength"])
    for cycle in (1, 64, 99, 100, 101, 120):
        found = pro.get(f"/instances/{agent}/contract?cycle={cycle}").json()["data"]
        assert {name: found[name] for name in wanted[cycle]} == wanted[cycle]


def test_an_earlier_contract_takes_two_hops(pro, monkeypatch):
    """One after the other: the head, then the observations. What runs beside them in other threads costs no time."""
    agent = born(pro, ENGINE_VERSION)
    report(pro, agent, 450)
    main, calls = threading.current_thread(), []
    call = store_client._call

    def counted(operation, **arguments):
        calls.append((operation, threading.current_thread().name))
        return call(operation, **arguments)

    monkeypatch.setattr(store_client, "_call", counted)
    for cycle in (1, 99, 230, 450):
        calls.clear()
        assert pro.get(f"/instances/{agent}/contract?cycle={cycle}").status_code == 200
        assert [operation for operation, thread in calls if thread == main.name] == ["get_item", "query"]
        assert sorted(operation for operation, thread in calls if thread != main.name) == ["query", "update_item"]


@pytest.mark.parametrize("cycle", ["-1", "x", "1.5"])
def test_a_contract_of_no_cycle_is_refused(pro, life, cycle):
    refused = pro.get(f"/instances/{life}/contract?cycle={cycle}")
    assert (refused.status_code, refused.json()["details"]["field"]) == (400, "cycle")


def test_a_forks_timeline_is_the_originals(pro, life):
    made = fork(pro, life, 31).json()["data"]["id"]
    names = ("cycle", "stress_strength", "energy_level", "drift_distance", "allowed_count")

    def figures(instance_id):
        page = pro.get(f"/instances/{instance_id}/timeline?limit=1000").json()["data"]
        return [tuple(row[name] for name in names) for row in reversed(page)][:31]

    assert figures(made) == figures(life)
    assert all(row[-1] is not None for row in figures(made))
