"""The documented usage patterns, through the local edge."""

import pytest

ACTIONS = {
    "explore", "question", "elaborate", "suggest", "execute", "pivot",
    "challenge", "comfort", "clarify", "stabilize", "defer", "withdraw",
}  # fmt: skip


def test_pattern_1_create_and_process(pro):
    created = pro.post("/instances", json={"name": "Aria"})
    assert created.status_code == 201
    data = created.json()["data"]
    assert data["name"] == "Aria"
    assert data["id"].startswith("inst_")
    assert len(data["id"]) == len("inst_9f190826e20c49ea")
    assert data["created_at"].endswith("Z")
    assert len(data["created_at"]) == len("2026-03-24T10:15:30Z")

    body = {"mode_target": "EXPLORATION", "signal_strength": 0.8, "confidence": 0.9}
    processed = pro.post(f"/instances/{data['id']}/process", json=body)
    assert processed.status_code == 200
    assert set(processed.json()["data"]) == {"snapshot", "contract", "drift"}


def test_pattern_2_get_current_contract(pro):
    strengths = {"ORDER": 0.7, "IDENTITY": 0.6}
    instance_id = pro.new_instance(initial_config={"mode_strengths": strengths, "energy_level": 0.65})
    contract = pro.get(f"/instances/{instance_id}/contract").json()["data"]
    assert contract["dominant_modes"] == ["Order", "Identity"]
    assert set(contract["allowed_actions"]) == ACTIONS
    assert (contract["stress_state"], contract["energy_level"]) == ("LOW", 0.65)


def test_pattern_3_batch_equals_one_by_one(pro):
    observations = [
        {"mode_target": "EXPLORATION", "signal_strength": 0.8},
        {"mode_target": "ORDER", "signal_strength": 0.7},
        {"mode_target": "ASSERTION", "signal_strength": 0.6},
    ]
    one, many, all_states = (pro.new_instance() for _ in range(3))
    singles = [pro.post(f"/instances/{one}/process", json=body).json()["data"] for body in observations]

    def batch(instance_id, intermediate):
        body = {"observations": observations, "include_intermediate": intermediate}
        return pro.post(f"/instances/{instance_id}/process/batch", json=body).json()["data"]

    final = batch(many, False)
    assert final.pop("processed_count") == 3
    assert set(final) == {"snapshot", "contract", "drift"}
    states = batch(all_states, True)
    assert states["processed_count"] == 3
    for state, single in zip([*states["states"], final], [*singles, singles[-1]], strict=True):
        assert {**state["snapshot"], "instance_id": one} == single["snapshot"]
        assert state["contract"] == single["contract"]
        assert state["drift"] == single["drift"]


def test_R1_over_http(pro):
    instance_id = pro.new_instance()
    answers = [pro.process(instance_id, "EXPLORATION", 0.7)]
    answers += [pro.process(instance_id, "STRESS_RESPONSE", 0.9) for _ in range(5)]
    contracts = [response.json()["data"]["contract"] for response in answers]
    assert [c["stress_state"] for c in contracts] == ["LOW", "MED", "HIGH", "HIGH", "HIGH", "HIGH"]
    assert [round(c["energy_level"], 2) for c in contracts] == [0.90, 1.00, 1.00, 0.87, 0.74, 0.61]


def test_rate_limit_response(free, stopped_clock):
    answers = [free.get("/personas") for _ in range(11)]
    assert [response.status_code for response in answers] == [200] * 10 + [429]
    refused = answers[-1]
    assert refused.json()["error"] == "rate_limit_exceeded"
    assert refused.json()["retry_after"] == 30
    assert refused.headers["Retry-After"] == "30"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    stopped_clock.time += 30
    assert free.get("/personas").status_code == 200


@pytest.mark.parametrize("path", ["/instances", "/personas", "/test/questions"])
def test_every_response_has_the_headers(pro, path, stopped_clock):
    first, second = pro.get(path), pro.get(path)
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    assert second.headers["X-RateLimit-Limit"] == "300"
    assert int(first.headers["X-RateLimit-Remaining"]) - int(second.headers["X-RateLimit-Remaining"]) == 1
    assert second.headers["X-RateLimit-Reset"] == str(1_774_347_360)
    assert second.headers["X-Monthly-Limit"] == second.headers["X-Monthly-Remaining"] == "500000"
    assert second.headers["Content-Type"] == "application/json"
