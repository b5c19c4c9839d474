"""GET /v1/instances/{id}/timeline: what each cycle led to, read as a key range."""

import pytest

from identity_service.store import dynamodb, instances

STRESS = {"mode_target": "STRESS_RESPONSE", "signal_strength": 0.95}
CALM = {"mode_target": "PERCEPTION", "signal_strength": 0.5}
DENIED = {"mode_target": "IDENTITY", "signal_strength": 0.2, "context": {"tool": "refund", "outcome": "denied"}}


def batch(caller, one, observations, **more):
    response = caller.post(f"/instances/{one}/process/batch", json={"observations": observations, **more})
    assert response.status_code == 200, response.text
    return response.json()["data"]


def timeline(caller, one, **query):
    response = caller.get(f"/instances/{one}/timeline", params=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_each_row_says_what_its_cycle_answered(pro):
    one = pro.new_instance()
    observations = [CALM] * 22 + [STRESS] * 16 + [DENIED, CALM] + [{"mode_target": "EXPLORATION", "signal_strength": 0.9}] * 12
    states = batch(pro, one, observations, include_intermediate=True)["states"]
    states.append(pro.process(one, mode="ORDER").json()["data"])
    rows = timeline(pro, one)["data"]
    assert [row["seq"] for row in rows] == list(range(53, 0, -1))
    for row, answer in zip(reversed(rows), states, strict=True):
        snapshot, contract, drift = answer["snapshot"], answer["contract"], answer["drift"]
        assert row["cycle"] == snapshot["cycle"]
        assert row["stress_strength"] == pytest.approx(snapshot["mode_strengths"]["STRESS_RESPONSE"], abs=6e-5)
        assert row["energy_level"] == pytest.approx(snapshot["energy_level"], abs=6e-5)
        assert (row["stress_state"], row["drift_level"]) == (snapshot["stress_state"], drift["level"])
        assert row["allowed_count"] == len(contract["allowed_actions"])
        assert ("paused" in row["flags"], "escalated" in row["flags"]) == (
            contract["should_pause"],
            contract["should_escalate"],
        )
        if drift["level"] is None:
            assert row["drift_distance"] is None
        else:
            assert row["drift_distance"] == pytest.approx(drift["magnitude"], abs=6e-5)
    assert {row["stress_state"] for row in rows} == {"LOW", "MED", "HIGH", "OVER"}
    assert {"denied", "escalated", "paused"} <= {flag for row in rows for flag in row["flags"]}
    assert [row["seq"] for row in rows if "denied" in row["flags"]] == [39]


def test_pages_by_before_over_batches_and_singles(pro):
    one = pro.new_instance()
    for size in (1, 7, 1, 30, 2):
        batch(pro, one, [CALM] * size)
    for limit in (1, 3, 40, 41, 1000):
        seqs, before = [], {}
        while True:
            page = timeline(pro, one, limit=limit, **before)
            assert page["pagination"] == {
                "limit": limit,
                "offset": len(seqs),
                "total": 41,
                "has_more": len(seqs) + len(page["data"]) < 41,
            }
            seqs += [row["seq"] for row in page["data"]]
            if not page["pagination"]["has_more"]:
                break
            before = {"before": seqs[-1]}
        assert seqs == list(range(41, 0, -1))
    assert timeline(pro, one, before=1)["data"] == []
    assert len(timeline(pro, one, before=10**12)["data"]) == 41


def test_what_people_set_stands_at_the_cycle_before_it(pro):
    one = pro.new_instance()
    batch(pro, one, [CALM] * 3)
    for mode in ("rebaseline", "last_stable", "rebaseline"):
        pro.post(f"/instances/{one}/reset", json={"mode": mode}).raise_for_status()
    batch(pro, one, [CALM] * 2)
    pro.post(f"/instances/{one}/reset", json={"mode": "initial"}).raise_for_status()
    pro.process(one)
    flags = {row["seq"]: row["flags"] for row in timeline(pro, one)["data"]}
    assert flags == {1: [], 2: [], 3: ["rebaseline", "last_stable"], 4: [], 5: ["initial"], 6: []}
    assert [row["cycle"] for row in timeline(pro, one)["data"]] == [1, 5, 4, 3, 2, 1]


def test_a_rollback_and_an_incident_are_flags(pro):
    one = pro.new_instance()
    for _ in range(6):
        batch(pro, one, [CALM, {"mode_target": "ORDER", "signal_strength": 0.6}] * 12)
    foreign = [{"mode_target": mode, "signal_strength": 0.95} for mode in ("EXPLORATION", "ASSERTION", "CONNECTION")]
    states = batch(pro, one, foreign * 8, include_intermediate=True)["states"]
    rolled_back = [state["drift"]["rolled_back"] for state in states]
    batch(pro, one, [STRESS | {"severity": "incident"}])
    rows = timeline(pro, one)["data"]
    assert "incident" in rows[0]["flags"]
    assert ["rolled_back" in row["flags"] for row in rows[24:0:-1]] == rolled_back
    assert any(rolled_back)


def test_a_split_batch_keeps_all_its_rows(pro):
    one = pro.new_instance()
    batch(pro, one, [STRESS | {"context": {"text": "é" * 4000}}] * 100)
    batch(pro, one, [CALM | {"context": {"text": "x" * 8000}}] * 100)
    seqs, before = [], {}
    while len(seqs) < 200:
        rows = timeline(pro, one, limit=70, **before)["data"]
        assert rows
        assert all(row["allowed_count"] for row in rows)
        seqs += [row["seq"] for row in rows]
        before = {"before": seqs[-1]}
    assert seqs == list(range(200, 0, -1))


def test_a_page_of_large_contexts_ends_early_and_loses_no_row(pro):
    one = pro.new_instance()
    for _ in range(7):
        batch(pro, one, [CALM | {"context": {"text": "x" * 8000}}] * 100)
    first = timeline(pro, one, limit=1000)
    assert len(first["data"]) < 700
    assert first["pagination"]["has_more"]
    rest = timeline(pro, one, limit=1000, before=first["data"][-1]["seq"])
    assert [row["seq"] for row in first["data"] + rest["data"]] == list(range(700, 0, -1))


def test_records_of_an_older_version_tell_what_they_know(pro):
    one = pro.new_instance()
    batch(pro, one, [CALM, STRESS])
    pk = instances.partition(pro.account_id, one)
    key = {"PK": pk, "SK": f"OBS#{2:012d}"}
    dynamodb.write(dynamodb.update(key, "REMOVE turns", {}))
    pro.process(one)
    new, last, first = timeline(pro, one)["data"]
    assert new["allowed_count"] == 12
    assert (last["seq"], last["stress_strength"] > 0, last["stress_state"]) == (2, True, "MED")
    assert (last["drift_level"], last["allowed_count"]) == (None, None)
    assert first == {"seq": 1, "cycle": 1, "timestamp": first["timestamp"], "flags": []} | dict.fromkeys(
        ("stress_strength", "stress_state", "energy_level", "drift_distance", "drift_level", "allowed_count")
    )


def test_a_page_reads_two_key_ranges(pro, monkeypatch):
    one = pro.new_instance()
    for _ in range(5):
        batch(pro, one, [CALM] * 100)
    ranges, query = [], dynamodb.query

    def recorded(condition, values, **options):
        ranges.append((values[":from"], values[":to"]))
        return query(condition, values, **options)

    monkeypatch.setattr(dynamodb, "query", recorded)
    timeline(pro, one, limit=10, before=201)
    assert ranges == [
        ("OBS#000000000191", "OBS#000000000299"),
        ("EVENT#000000000191", "EVENT#000000000200#~"),
    ]


def test_the_figures_change_neither_digest_nor_export(pro):
    one = pro.new_instance()
    batch(pro, one, [CALM, STRESS])
    (_, record) = pro.get(f"/instances/{one}/audit").json()["data"]
    assert "turns" not in record
    assert pro.get(f"/instances/{one}/audit/verify").json()["data"]["verified"] is True
