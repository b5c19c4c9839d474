"""Each endpoint through the local edge: responses, paging, effects."""

import pytest

from identity_engine import ENGINE_VERSION


def test_health_needs_no_key(edge, pro):
    response = pro.get("/health", headers={"Authorization": ""})
    assert (response.status_code, response.json()) == (200, {"data": {"status": "ok"}})


def test_get_includes_the_current_state(pro):
    instance_id = pro.new_instance(description="d")
    pro.process(instance_id, "STRESS_RESPONSE", 1.0)
    data = pro.get(f"/instances/{instance_id}").json()["data"]
    assert data["id"] == instance_id
    assert (data["name"], data["description"], data["cycle_count"]) == ("Aria", "d", 1)
    assert (data["stress_state"], data["energy_level"], data["stability_index"]) == ("MED", 0.9, 0.9925)


def test_list_pages_and_sorts(pro, stopped_clock):
    ids = []
    for name in ("b", "c", "a"):
        ids.append(pro.new_instance(name))
        stopped_clock.time += 0.001

    def names(**query):
        response = pro.get("/instances", params=query).json()
        return [row["name"] for row in response["data"]], response["pagination"]

    assert names() == (["a", "c", "b"], {"limit": 20, "offset": 0, "total": 3, "has_more": False})
    assert names(order="asc")[0] == ["b", "c", "a"]
    assert names(sort="name", order="asc")[0] == ["a", "b", "c"]
    assert names(sort="name", limit=2)[0] == ["c", "b"]
    assert names(limit=2)[1] == {"limit": 2, "offset": 0, "total": 3, "has_more": True}
    assert names(limit=2, offset=2) == (["b"], {"limit": 2, "offset": 2, "total": 3, "has_more": False})
    assert names(offset=50) == ([], {"limit": 20, "offset": 50, "total": 3, "has_more": False})
    row = pro.get("/instances").json()["data"][0]
    assert set(row) == {"id", "name", "description", "created_at", "cycle_count", "energy_level"}


def test_update_changes_only_name_and_description(pro):
    instance_id = pro.new_instance(description="old")
    pro.process(instance_id)
    before = pro.get(f"/instances/{instance_id}/snapshot").json()["data"]["id"]
    assert pro.patch(f"/instances/{instance_id}", json={"name": "B"}).json()["data"]["description"] == "old"
    assert pro.patch(f"/instances/{instance_id}", json={"description": "new"}).json()["data"]["name"] == "B"
    assert pro.get(f"/instances/{instance_id}/snapshot").json()["data"]["id"] == before
    assert pro.get("/instances", params={"sort": "name"}).json()["data"][0]["name"] == "B"


def test_delete_takes_effect_at_once_and_frees_the_instance_limit(free):
    ids = [free.new_instance() for _ in range(3)]
    refused = free.post("/instances", json={"name": "fourth"})
    assert (refused.status_code, refused.json()["error"]) == (403, "instance_limit_reached")
    assert free.delete(f"/instances/{ids[0]}").json()["data"] == {"id": ids[0], "deleted": True}
    assert free.delete(f"/instances/{ids[0]}").status_code == 404
    assert free.get(f"/instances/{ids[0]}/history").status_code == 404
    assert ids[0] not in [row["id"] for row in free.get("/instances").json()["data"]]
    assert free.post("/instances", json={"name": "fourth"}).status_code == 201


def test_snapshot_and_contract_equal_the_process_response(pro):
    instance_id = pro.new_instance()
    processed = pro.process(instance_id, "STRESS_RESPONSE", 0.95).json()["data"]
    snapshot = pro.get(f"/instances/{instance_id}/snapshot").json()["data"]
    more = {name: snapshot.pop(name) for name in ("cycle_count", "engine_version", "created_at", "updated_at")}
    assert (more["cycle_count"], more["engine_version"]) == (1, ENGINE_VERSION)
    memory = snapshot.pop("memory")
    assert memory["episodic"]["dominant_mode"] is None
    assert len(memory["episodic"]) == 14
    assert memory["narrative"] == {"phase": "stable", "since": 0, "before": None, "cause": "birth"}
    assert snapshot == processed["snapshot"]
    assert pro.get(f"/instances/{instance_id}/contract").json()["data"] == processed["contract"]


def test_the_same_history_gives_the_same_snapshot_id(pro):
    ids = [pro.new_instance(), pro.new_instance()]
    answers = [[pro.process(i, "ORDER", s / 10).json()["data"]["snapshot"]["id"] for s in range(5)] for i in ids]
    assert answers[0] == answers[1]
    assert len(set(answers[0])) == 5


def test_initial_config_and_persona(pro):
    config = {
        "mode_strengths": {"order": 0.5, "Exploration": -0.5},
        "energy_level": 0.3,
        "profile": {"core_modes": ["IDENTITY"], "governance": "strict"},
        "persona_id": "persona_guardian",
    }
    instance_id = pro.new_instance(initial_config=config)
    snapshot = pro.get(f"/instances/{instance_id}/snapshot").json()["data"]
    assert snapshot["energy_level"] == 0.3
    assert snapshot["mode_strengths"]["ORDER"] == 0.5
    assert snapshot["mode_strengths"]["EXPLORATION"] == -0.5
    assert snapshot["mode_strengths"]["IDENTITY"] == 0.65
    contract = pro.get(f"/instances/{instance_id}/contract").json()["data"]
    assert contract["suppressed_modes"] == ["Exploration"]
    assert contract["decision_style"]["risk"] == "averse"


@pytest.mark.parametrize(
    ("word", "reset_to", "cycle"),
    [
        ("initial", "initial", 0),
        ("default", "default", 0),
        ("last_stable", "last_stable", 12),
        ("lastSnapshot", "last_stable", 12),
    ],
)
def test_reset_keeps_history(pro, word, reset_to, cycle):
    instance_id = pro.new_instance()
    body = {"observations": [{"mode_target": "STRESS_RESPONSE", "signal_strength": 1}] * 12}
    pro.post(f"/instances/{instance_id}/process/batch", json=body)
    data = pro.post(f"/instances/{instance_id}/reset", json={"mode": word}).json()["data"]
    assert data == {"id": instance_id, "reset_to": reset_to, "cycle": cycle, "energy_level": 0.8, "stress_state": "LOW"}
    pro.process(instance_id)
    history = pro.get(f"/instances/{instance_id}/history").json()
    assert history["pagination"]["total"] == 13
    assert [row["seq"] for row in history["data"]] == list(range(13, 0, -1))
    assert history["data"][0]["cycle"] == cycle + 1


def test_history_pages_over_batches_and_singles(pro):
    instance_id = pro.new_instance()
    sizes = [1, 7, 1, 30, 2]
    for size in sizes:
        body = {"observations": [{"mode_target": "ORDER", "signal_strength": 0.5, "context": {"size": size}}] * size}
        pro.post(f"/instances/{instance_id}/process/batch", json=body)

    def seqs(**query):
        return [row["seq"] for row in pro.get(f"/instances/{instance_id}/history", params=query).json()["data"]]

    assert seqs() == list(range(41, 0, -1))
    for limit in (1, 3, 40, 41, 1000):
        for offset in (0, 1, 2, 31, 40, 41, 500):
            assert seqs(limit=limit, offset=offset) == list(range(41, 0, -1))[offset : offset + limit]
    row = pro.get(f"/instances/{instance_id}/history", params={"limit": 1}).json()["data"][0]
    assert set(row) == {"seq", "cycle", "mode_target", "signal_strength", "confidence", "severity", "context", "timestamp"}


def test_a_batch_with_full_contexts_is_stored_whole(pro):
    instance_id = pro.new_instance()
    context = {"text": "é" * 4000}
    body = {"observations": [{"mode_target": "ORDER", "signal_strength": 0.5, "context": context}] * 100}
    assert pro.post(f"/instances/{instance_id}/process/batch", json=body).status_code == 200
    rows = pro.get(f"/instances/{instance_id}/history", params={"limit": 100}).json()["data"]
    assert [row["seq"] for row in rows] == list(range(100, 0, -1))
    assert all(row["context"] == context for row in rows)


def test_history_page_fits_into_a_response_and_loses_no_row(pro):
    instance_id = pro.new_instance()
    body = {"observations": [{"mode_target": "ORDER", "signal_strength": 0.5, "context": {"text": "x" * 8000}}] * 100}
    for _ in range(8):
        assert pro.post(f"/instances/{instance_id}/process/batch", json=body).status_code == 200
    seqs, more = [], True
    while more:
        page = pro.get(f"/instances/{instance_id}/history", params={"limit": 1000, "offset": len(seqs)})
        assert len(page.content) < 5_500_000
        assert page.json()["data"]
        seqs += [row["seq"] for row in page.json()["data"]]
        more = page.json()["pagination"]["has_more"]
    assert seqs == list(range(800, 0, -1))


def test_timestamps_are_stored_in_utc(pro, stopped_clock):
    instance_id = pro.new_instance()
    pro.process(instance_id, timestamp="2026-03-24T12:00:00.5+02:00")
    pro.process(instance_id)
    rows = pro.get(f"/instances/{instance_id}/history").json()["data"]
    assert [row["timestamp"] for row in rows] == ["2026-03-24T10:15:30Z", "2026-03-24T10:00:00.500000Z"]


def test_drift_pages_and_filters(pro):
    instance_id = pro.new_instance()
    calm = [{"mode_target": ("ORDER", "PERCEPTION")[i % 2], "signal_strength": 0.5} for i in range(120)]
    loud = [{"mode_target": ("EXPLORATION", "ASSERTION", "CONNECTION")[i % 3], "signal_strength": 0.95} for i in range(40)]
    for part in (calm[:100], calm[100:] + loud):
        assert pro.post(f"/instances/{instance_id}/process/batch", json={"observations": part}).status_code == 200

    def page(**query):
        response = pro.get(f"/instances/{instance_id}/drift", params=query).json()
        return response["data"], response["pagination"]["total"]

    rows, total = page()
    assert total == len(rows) > 20
    assert [row["cycle"] for row in rows] == sorted((row["cycle"] for row in rows), reverse=True)
    by_level = {level: [row for row in rows if row["drift_level"] == level] for level in ("D0", "D1", "D2", "D3")}
    assert not by_level["D0"]
    assert by_level["D3"]
    for level, expected in by_level.items():
        assert page(level=level) == (expected, len(expected))
        assert page(level=level, limit=1, offset=1)[0] == expected[1:2]
    assert page(limit=3, offset=2)[0] == rows[2:5]
    corrupt = by_level["D3"][0]
    assert corrupt["rolled_back"]
    assert set(corrupt["affected_modes"]) >= {"EXPLORATION", "ASSERTION", "CONNECTION"}
    assert corrupt["magnitude"] >= 0.4


def answers(version, letter="a"):
    count = {"v1": 12, "v2": 24, "v3": 40}[version]
    return [{"question_id": f"q{n}", "selected_option_id": f"q{n}_{letter}"} for n in range(1, count + 1)]


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_questions(pro, version):
    data = pro.get("/test/questions", params={"version": version}).json()["data"]
    assert (data["version"], data["question_count"]) == (version, len(data["questions"]))
    assert data["questions"][0]["id"] == "q1"
    assert data["questions"][0]["options"][0]["id"] == "q1_a"


def test_submit_creates_and_retakes(pro):
    body = {"create_instance": True, "instance_name": "Tested", "version": "v1", "responses": answers("v1")}
    first = pro.post("/test/submit", json=body).json()["data"]
    assert first["test_completed"] is True
    assert len(first["matched_personas"]) == 3
    scores = [match["match_score"] for match in first["matched_personas"]]
    assert scores == sorted(scores, reverse=True)
    assert pro.get(f"/instances/{first['instance_id']}").json()["data"]["name"] == "Tested"

    pro.process(first["instance_id"])
    again = {"instance_id": first["instance_id"], "version": "v2", "responses": answers("v2", "b")}
    second = pro.post("/test/submit", json=again).json()["data"]
    assert second["mode_profile"] != first["mode_profile"]
    assert second["snapshot"]["cycle"] == 0
    snapshot = pro.get(f"/instances/{first['instance_id']}/snapshot").json()["data"]
    assert snapshot["id"] == second["snapshot"]["id"]
    assert snapshot["cycle_count"] == 1


def test_personas(pro):
    personas = pro.get("/personas").json()
    assert personas["pagination"]["total"] == len(personas["data"]) == 12
    one = pro.get("/personas/persona_guardian").json()["data"]
    assert set(one) - set(personas["data"][0]) == {"long_description", "preferred_actions", "stress_recovery"}
    assert (one["name"], one["archetype"], one["dominant_modes"]) == ("The Guardian", "protective", ["Order", "Identity"])


def test_simulate_equals_process_and_stores_nothing(pro):
    instance_id = pro.new_instance()
    pro.process(instance_id)
    one = {"mode_target": "STRESS_RESPONSE", "signal_strength": 0.9}
    many = {"observations": [one, one, {"mode_target": "ORDER", "signal_strength": 0.4}]}

    def everything():
        paths = ("", "/snapshot", "/contract", "/history", "/drift")
        return [pro.get(f"/instances/{instance_id}{path}").json() for path in paths]

    before = everything()
    remaining = pro.get("/personas").headers["X-Monthly-Remaining"]
    simulated = [
        pro.post(f"/instances/{instance_id}/simulate", json=body).json()
        for body in (one, many, many | {"include_intermediate": True})
    ]
    assert everything() == before
    assert pro.get("/personas").headers["X-Monthly-Remaining"] == remaining

    reference = pro.new_instance()
    pro.process(reference)
    real = pro.post(f"/instances/{reference}/process/batch", json=many).json()
    real["data"]["snapshot"]["instance_id"] = instance_id
    assert simulated[1] == real
    assert simulated[2]["data"]["states"][-1] == {k: v for k, v in real["data"].items() if k != "processed_count"}
    processed = pro.post(f"/instances/{instance_id}/process", json=one).json()
    assert simulated[0] == processed


def test_goals_are_assessed(pro):
    profile = {"suppressed_modes": ["EXPLORATION"]}
    instance_id = pro.new_instance(initial_config={"profile": profile})
    path = f"/instances/{instance_id}/goals/assess"
    accepted = pro.post(path, json={"complexity": "high"}).json()["data"]
    assert accepted == {
        "decision": "accept",
        "reason": "it costs 0.30 of 0.80 energy",
        "energy_cost": 0.3,
        "energy_budget": 0.8,
    }
    deferred = pro.post(path, json={"complexity": "low", "required_modes": ["exploration"]}).json()["data"]
    assert deferred["decision"] == "defer"
    assert pro.post(path, json={"complexity": "huge"}).json()["details"] == {"field": "complexity", "reason": "unknown_value"}


def test_contract_explanation(pro):
    instance_id = pro.new_instance()
    for _ in range(2):
        pro.process(instance_id, "STRESS_RESPONSE", 0.9)
    plain = pro.get(f"/instances/{instance_id}/contract").json()["data"]
    explained = pro.get(f"/instances/{instance_id}/contract", params={"explain": "true"}).json()["data"]
    explanation = explained.pop("explanation")
    assert explained == plain
    assert len(explanation) == 14
    assert {reason["action"] for reason in explanation if reason["allowed"]} == set(plain["allowed_actions"])
    (execute,) = [reason for reason in explanation if reason["action"] == "execute"]
    assert execute["because"] == "removed by stress HIGH: |stress_response| 0.63 >= 0.55"
    bad = pro.get(f"/instances/{instance_id}/contract", params={"explain": "perhaps"})
    assert bad.json()["details"] == {"field": "explain", "reason": "wrong_type"}


def test_an_incident_is_HIGH_at_once_and_stands_in_history_and_audit(pro):
    one = pro.new_instance()
    body = {"mode_target": "STRESS_RESPONSE", "signal_strength": 0.4, "confidence": 0.5, "severity": "incident"}
    contract = pro.post(f"/instances/{one}/process", json=body).json()["data"]["contract"]
    assert contract["stress_state"] == "HIGH"
    assert "execute" not in contract["allowed_actions"]
    pro.process(one)
    assert [row["severity"] for row in pro.get(f"/instances/{one}/history").json()["data"]] == ["normal", "incident"]
    record = pro.get(f"/instances/{one}/audit").json()["data"][1]
    assert record["observations"][0]["severity"] == "incident"
    assert pro.get(f"/instances/{one}/audit/verify").json()["data"]["verified"] is True


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"severity": "incident"}, "severity", "unknown_value"),
        ({"severity": "grave"}, "severity", "unknown_value"),
        ({"severity": 1}, "severity", "wrong_type"),
    ],
)
def test_a_severity_that_cannot_be_is_refused(pro, change, field, reason):
    one = pro.new_instance()
    body = {"mode_target": "ORDER", "signal_strength": 0.4} | change
    refused = pro.post(f"/instances/{one}/process", json=body)
    assert (refused.status_code, refused.json()["details"]) == (400, {"field": field, "reason": reason})
    many = pro.post(f"/instances/{one}/process/batch", json={"observations": [body]})
    assert many.json()["details"]["field"] == f"observations[0].{field}"


def test_stress_at_birth_counts_and_negative_stress_is_refused(pro):
    stressed = pro.new_instance(initial_config={"mode_strengths": {"STRESS_RESPONSE": 0.6}})
    assert pro.get(f"/instances/{stressed}/contract").json()["data"]["stress_state"] == "HIGH"
    config = {"mode_strengths": {"STRESS_RESPONSE": -0.1}}
    refused = pro.post("/instances", json={"name": "Aria", "initial_config": config})
    field = "initial_config.mode_strengths.STRESS_RESPONSE"
    assert (refused.status_code, refused.json()["details"]) == (400, {"field": field, "reason": "out_of_range"})


def test_a_takeover_is_held_until_somebody_rebaselines(pro):
    one = pro.new_instance()

    def report(modes, count, strength):
        rows = [{"mode_target": modes[turn % len(modes)], "signal_strength": strength} for turn in range(count)]
        return pro.post(f"/instances/{one}/process/batch", json={"observations": rows}).json()["data"]

    foreign = ("EXPLORATION", "ASSERTION", "CONNECTION")
    for _ in range(2):
        report(("PERCEPTION", "ORDER"), 60, 0.5)
    held = report(foreign, 60, 0.95)["contract"]
    assert held["should_escalate"]
    assert set(held["allowed_actions"]) == {"clarify", "stabilize", "defer", "withdraw"}
    assert held["narrative_prompt"].startswith("Stop and hand over to a human")
    answer = pro.post(f"/instances/{one}/reset", json={"mode": "rebaseline"}).json()["data"]
    assert (answer["reset_to"], answer["cycle"]) == ("rebaseline", 180)
    free = report(foreign, 60, 0.95)
    assert len(free["contract"]["allowed_actions"]) == 12
    rows = pro.get(f"/instances/{one}/drift?level=D3").json()["data"]
    assert [row["rolled_back"] for row in rows][-3:] == [True] * 3
    assert pro.get(f"/instances/{one}/audit/verify").json()["data"]["verified"] is True


def test_instances_are_found_by_their_exact_name(pro):
    named = [pro.new_instance(name="support-bot") for _ in range(3)]
    other = pro.new_instance(name="support-bot#2")

    def found(**query):
        response = pro.get("/instances", params=query).json()
        return [row["id"] for row in response["data"]], response["pagination"]

    ids, pagination = found(name="support-bot")
    assert sorted(ids) == sorted(named)
    assert pagination == {"limit": 20, "offset": 0, "total": 3, "has_more": False}
    assert found(name="support-bot", limit=2, offset=1, order="asc")[0] == sorted(named)[1:]
    assert found(name="support-bot#2")[0] == [other]
    assert found(name="support")[0] == []
    assert pro.delete(f"/instances/{named[0]}").status_code == 200
    assert sorted(found(name="support-bot")[0]) == sorted(named[1:])
