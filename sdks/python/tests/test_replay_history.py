"""Histories of our own: rows of GET /history, and audit trails, which lead to the contracts that they led to."""

import json

import httpx
from identity_os_sdk.replay import Reported, StateSet, play
from identity_os_sdk.replay.readers import read

import identity_engine

ROWS = [("EXPLORATION", 0.5), ("STRESS_RESPONSE", 0.9), ("STRESS_RESPONSE", 0.9), ("STRESS_RESPONSE", 0.9), ("ORDER", 0.6)]


def lived():
    """The states of an agent that is born strict and averse to risk, reports ROWS, and is put to rest by a person."""
    states = [identity_engine.birth(identity_engine.Profile(governance="strict", risk_posture="averse"))]
    for mode, strength in ROWS:
        observation = identity_engine.Observation(identity_engine.MODE_CONSTANTS.index(mode), strength, 0.9)
        states.append(identity_engine.process(states[-1], observation)[0])
    return [*states, identity_engine.reset(states[-1], "last_stable")]


def rows():
    return [
        {
            "seq": number,
            "cycle": number,
            "mode_target": mode,
            "signal_strength": strength,
            "confidence": 0.9,
            "severity": "normal",
            "context": {"rule": "failed", "tool": "refund", "outcome": "error"},
            "timestamp": "2026-01-01T00:00:00Z",
        }
        for number, (mode, strength) in enumerate(ROWS, 1)
    ]


def records():
    states = lived()
    texts = [json.loads(identity_engine.encode(state)) for state in (states[0], states[-1])]
    kept = {"format": 2, "at": "2026-01-01T00:00:00Z", "engine_version": "1.1.0", "previous": "", "digest": "x"}
    return [
        {**kept, "record": 1, "kind": "created", "observations": [], "state": texts[0]},
        {**kept, "record": 2, "kind": "observations", "observations": rows()[:2], "snapshot": {}},
        {**kept, "record": 3, "kind": "observations", "observations": rows()[2:], "snapshot": {}},
        {**kept, "record": 4, "kind": "last_stable", "observations": [], "state": texts[1]},
    ]


def run_of(path, *lines):
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    problems = []
    runs = list(read([path], problem=problems.append))
    assert problems == []
    assert len(runs) == 1
    return runs[0]


def test_an_export_leads_to_the_contracts_that_it_led_to(tmp_path):
    header = {"format": "identity-os-audit/1", "instance_id": "inst_7", "records": 4, "observations": 5, "digest": "x"}
    run = run_of(tmp_path / "trail.jsonl", {**header, "state": {}}, *records())
    assert (run.agent, run.id) == ("inst_7", "inst_7")
    assert [type(step) for step in run.steps] == [StateSet, *[Reported] * 5, StateSet]
    [played] = play([run])
    states = lived()[1:-1]
    assert [turn.cycle for turn in played.turns] == [state.cycle for state in states]
    assert [turn.allowed for turn in played.turns] == [len(identity_engine.contract(s).allowed_actions) for s in states]
    assert played.turns[0].rule == "failed"
    assert played.turns[0].tool == "refund"
    [default] = play([run_of(tmp_path / "rows.jsonl", *rows())])
    assert [turn.allowed for turn in default.turns] != [turn.allowed for turn in played.turns], "the birth is in the trail"


def test_pages_of_the_api_and_rows_one_a_line(tmp_path):
    page = {"data": rows()[::-1], "pagination": {"limit": 100, "offset": 0}}
    by_page = run_of(tmp_path / "inst_7.json", json.dumps(page, indent=1))
    assert by_page.agent == "inst_7"
    assert [(step.mode, step.strength, step.confidence) for step in by_page.steps] == [(m, s, 0.9) for m, s in ROWS]
    assert run_of(tmp_path / "a.jsonl", *rows()[::-1]).steps == by_page.steps
    assert run_of(tmp_path / "b.json", json.dumps({"data": records()[::-1]}, indent=1)).steps[1:6] == by_page.steps


def test_an_incident(tmp_path):
    row = rows()[1] | {"severity": "incident"}
    [played] = play([run_of(tmp_path / "a.jsonl", row)])
    assert [(turn.incident, turn.stress_state) for turn in played.turns] == [(True, "HIGH")]


def test_what_a_server_answers(server, tmp_path):
    url, keys = server
    with httpx.Client(base_url=f"{url}/v1", headers={"Authorization": f"Bearer {keys['enterprise']}"}) as api:
        config = {"profile": {"risk_posture": "averse"}}
        instance = api.post("/instances", json={"name": "lived", "initial_config": config}).json()["data"]["id"]
        contracts = []
        for mode, strength in ROWS:
            body = {"mode_target": mode, "signal_strength": strength}
            contracts.append(api.post(f"/instances/{instance}/process", json=body).json()["data"]["contract"])
        api.post(f"/instances/{instance}/reset", json={"mode": "last_stable"}).raise_for_status()
        pages = {page: api.get(f"/instances/{instance}/{page}").text for page in ("audit", "history")}
    trail = run_of(tmp_path / "audit.json", pages["audit"])
    assert [type(step) for step in trail.steps] == [StateSet, *[Reported] * 5, StateSet]
    [played] = play([trail])
    assert [(turn.stress_state, turn.allowed) for turn in played.turns] == [
        (contract["stress_state"], len(contract["allowed_actions"])) for contract in contracts
    ]
    rows = run_of(tmp_path / "history.json", pages["history"])
    assert [(step.mode, step.strength) for step in rows.steps] == ROWS
