"""Bad input: an error in the API's format with field and reason, and no change."""

import json

import pytest

from identity_service.http import BODY_LIMIT
from identity_service.request_models import CONTEXT_LIMIT

OBSERVATION = {"mode_target": "ORDER", "signal_strength": 0.5}


def raw(caller, path, body, **headers):
    return caller.post(path, content=body, headers={"Content-Type": "application/json", **headers})


def shape(response, status, error):
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert body["error"] == error
    assert body["message"]
    assert isinstance(body["details"], dict)
    return body


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"mode_target": "HAPPINESS"}, "mode_target", "unknown_value"),
        ({"mode_target": None}, "mode_target", "missing"),
        ({"mode_target": 3}, "mode_target", "wrong_type"),
        ({"signal_strength": 1.5}, "signal_strength", "out_of_range"),
        ({"signal_strength": -0.01}, "signal_strength", "out_of_range"),
        ({"signal_strength": "0.5"}, "signal_strength", "wrong_type"),
        ({"signal_strength": True}, "signal_strength", "wrong_type"),
        ({"confidence": 2}, "confidence", "out_of_range"),
        ({"context": []}, "context", "wrong_type"),
        ({"timestamp": "yesterday"}, "timestamp", "unknown_value"),
        ({"timestamp": 5}, "timestamp", "wrong_type"),
        ({"strength": 0.5}, "strength", "unknown_field"),
    ],
)
def test_bad_observation(pro, change, field, reason):
    instance_id = pro.new_instance()
    response = pro.post(f"/instances/{instance_id}/process", json=OBSERVATION | change)
    body = shape(response, 400, "invalid_request")
    assert (body["details"]["field"], body["details"]["reason"]) == (field, reason)
    assert field in body["message"]
    assert response.headers["X-Monthly-Remaining"] == "500000"
    assert pro.get(f"/instances/{instance_id}/history").json()["pagination"]["total"] == 0


@pytest.mark.parametrize("name", ["mode_target", "signal_strength"])
def test_missing_field_message(pro, name):
    body = {key: value for key, value in OBSERVATION.items() if key != name}
    response = shape(pro.post(f"/instances/{pro.new_instance()}/process", json=body), 400, "invalid_request")
    assert response["message"] == f"{name} is required"
    assert response["details"] == {"field": name, "reason": "missing"}


def test_several_problems_are_all_listed(pro):
    body = {"mode_target": "X", "signal_strength": 7, "colour": "red"}
    details = shape(pro.post(f"/instances/{pro.new_instance()}/process", json=body), 400, "invalid_request")["details"]
    found = {(error["field"], error["reason"]) for error in details["errors"]}
    assert found == {
        ("mode_target", "unknown_value"),
        ("signal_strength", "out_of_range"),
        ("colour", "unknown_field"),
    }


def test_an_unknown_persona_and_engine_are_listed_with_what_else_is_wrong(pro):
    config = {"persona_id": "persona_nobody", "engine_version": "9.9.9", "energy_level": 2}
    body = {"name": "Aria", "initial_config": config}
    details = shape(pro.post("/instances", json=body), 400, "invalid_request")["details"]
    assert {(error["field"], error["reason"]) for error in details["errors"]} == {
        ("initial_config.persona_id", "unknown_value"),
        ("initial_config.engine_version", "unknown_value"),
        ("initial_config.energy_level", "out_of_range"),
    }


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"not json", b'{"mode_target": "ORDER", "signal_strength": NaN}', b'{"signal_strength": Infinity}',
        b"\xff\xfe", b'"\\ud800"', b"[" * 5000, b"1" * 6000, b'{"a": 1,}',
    ],
)  # fmt: skip
def test_broken_json(pro, text):
    body = shape(raw(pro, f"/instances/{pro.new_instance()}/process", text), 400, "invalid_request")
    assert body["details"] == {"field": "body", "reason": "malformed_json"}


@pytest.mark.parametrize("text", [b"[]", b"null", b'"text"', b"7", b"true"])
def test_json_that_is_not_an_object(pro, text):
    body = shape(raw(pro, "/instances", text), 400, "invalid_request")
    assert body["details"] == {"field": "body", "reason": "wrong_type"}


def test_numbers_that_json_cannot_represent(pro):
    path = f"/instances/{pro.new_instance()}/process"
    for text in (
        b'{"mode_target":"ORDER","signal_strength":1e999}',
        b'{"mode_target":"ORDER","signal_strength":0.5,"context":{"n":1e999}}',
    ):
        assert shape(raw(pro, path, text), 400, "invalid_request")["details"]["reason"] == "out_of_range"


def test_body_size_and_type(pro):
    instance_id = pro.new_instance()
    two_megabytes = b'{"name": "' + b"x" * 2_000_000 + b'"}'
    shape(raw(pro, "/instances", two_megabytes), 413, "payload_too_large")
    shape(raw(pro, "/instances", b" " * (BODY_LIMIT + 1)), 413, "payload_too_large")
    shape(raw(pro, "/instances", b" " * (11 * 1024 * 1024)), 413, "payload_too_large")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    shape(
        pro.post(f"/instances/{instance_id}/process", content=b"mode_target=ORDER", headers=form), 415, "unsupported_media_type"
    )


def test_context_size_limit(pro):
    path = f"/instances/{pro.new_instance()}/process"
    overhead = len(json.dumps({"k": ""}, separators=(",", ":")))
    exact = OBSERVATION | {"context": {"k": "x" * (CONTEXT_LIMIT - overhead)}}
    assert pro.post(path, json=exact).status_code == 200
    exact["context"]["k"] += "x"
    details = shape(pro.post(path, json=exact), 400, "invalid_request")["details"]
    assert details == {"field": "context", "reason": "too_long"}


@pytest.mark.parametrize(
    ("observations", "field", "reason"),
    [
        ([], "observations", "out_of_range"),
        ([OBSERVATION] * 101, "observations", "too_long"),
        ([OBSERVATION] * 3 + [OBSERVATION | {"signal_strength": 1.5}], "observations[3].signal_strength", "out_of_range"),
        ([OBSERVATION, {}], "observations[1].mode_target", "missing"),
        ("all", "observations", "wrong_type"),
    ],
)
def test_a_batch_is_all_or_nothing(pro, observations, field, reason):
    instance_id = pro.new_instance()
    response = pro.post(f"/instances/{instance_id}/process/batch", json={"observations": observations})
    details = shape(response, 400, "invalid_request")["details"]
    assert (details["field"], details["reason"]) == (field, reason)
    assert response.headers["X-Monthly-Remaining"] == "500000"
    assert pro.get(f"/instances/{instance_id}").json()["data"]["cycle_count"] == 0


@pytest.mark.parametrize(
    ("path", "field", "reason"),
    [
        ("/instances?limit=0", "limit", "out_of_range"),
        ("/instances?limit=101", "limit", "out_of_range"),
        ("/instances?limit=100000", "limit", "out_of_range"),
        ("/instances?limit=ten", "limit", "wrong_type"),
        ("/instances?offset=-1", "offset", "out_of_range"),
        ("/instances?sort=age", "sort", "unknown_value"),
        ("/instances?order=up", "order", "unknown_value"),
        ("/instances?limt=5", "limt", "unknown_field"),
        ("/test/questions?version=v9", "version", "unknown_value"),
        ("/instances/{id}/history?limit=1001", "limit", "out_of_range"),
        ("/instances/{id}/timeline?limit=1001", "limit", "out_of_range"),
        ("/instances/{id}/timeline?before=0", "before", "out_of_range"),
        ("/instances/{id}/timeline?offset=1", "offset", "unknown_field"),
        ("/instances/{id}/drift?level=D9", "level", "unknown_value"),
    ],
)
def test_bad_query(pro, path, field, reason):
    path = path.replace("{id}", pro.new_instance())
    body = shape(pro.get(path), 400, "invalid_request")
    assert body["details"] == {"field": field, "reason": reason}


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({}, "name", "missing"),
        ({"name": ""}, "name", "out_of_range"),
        ({"name": "   "}, "name", "out_of_range"),
        ({"name": "x" * 101}, "name", "too_long"),
        ({"name": "A", "initial_config": {"energy_level": 1.1}}, "initial_config.energy_level", "out_of_range"),
        ({"name": "A", "initial_config": {"mode_strengths": {"JOY": 1}}}, "initial_config.mode_strengths.JOY", "unknown_value"),
        (
            {"name": "A", "initial_config": {"mode_strengths": {"ORDER": 2}}},
            "initial_config.mode_strengths.ORDER",
            "out_of_range",
        ),
        ({"name": "A", "initial_config": {"persona_id": "persona_x"}}, "initial_config.persona_id", "unknown_value"),
        (
            {"name": "A", "initial_config": {"profile": {"governance": "none"}}},
            "initial_config.profile.governance",
            "unknown_value",
        ),
        (
            {"name": "A", "initial_config": {"profile": {"core_modes": ["ORDER"], "suppressed_modes": ["ORDER"]}}},
            "initial_config.profile.suppressed_modes",
            "unknown_value",
        ),
    ],
)
def test_bad_instance(pro, body, field, reason):
    response = shape(pro.post("/instances", json=body), 400, "invalid_request")
    assert response["details"] == {"field": field, "reason": reason}
    assert pro.get("/instances").json()["pagination"]["total"] == 0


@pytest.mark.parametrize(
    "body", [{"energy_level": 1}, {"mode_strengths": {}}, {"id": "inst_x"}, {"name": "B", "cycle_count": 0}]
)
def test_update_rejects_engine_state(pro, body):
    instance_id = pro.new_instance()
    response = shape(pro.patch(f"/instances/{instance_id}", json=body), 400, "invalid_request")
    assert response["details"]["reason"] == "unknown_field"
    assert pro.get(f"/instances/{instance_id}").json()["data"]["name"] == "Aria"


def test_empty_update_is_rejected(pro):
    shape(pro.patch(f"/instances/{pro.new_instance()}", json={}), 400, "invalid_request")


def test_reset_with_an_unknown_mode(pro):
    response = shape(pro.post(f"/instances/{pro.new_instance()}/reset", json={"mode": "hard"}), 400, "invalid_request")
    assert response["details"] == {"field": "mode", "reason": "unknown_value"}


def test_test_submission(pro):
    instance_id = pro.new_instance()
    responses = [{"question_id": f"q{n}", "selected_option_id": f"q{n}_a"} for n in range(1, 13)]

    def submit(**body):
        return pro.post("/test/submit", json={"version": "v1", "responses": responses} | body)

    body = shape(submit(instance_id=instance_id, responses=responses[:10]), 400, "incomplete_test")
    assert body["missing_questions"] == ["q11", "q12"]
    for both_or_neither in ({}, {"instance_id": instance_id, "create_instance": True, "instance_name": "T"}):
        assert shape(submit(**both_or_neither), 400, "invalid_request")["details"]["field"] == "instance_id"
    nameless = shape(submit(create_instance=True), 400, "invalid_request")
    assert nameless["details"] == {"field": "instance_name", "reason": "missing"}
    bad_option = [*responses[:11], {"question_id": "q12", "selected_option_id": "q12_z"}]
    details = shape(submit(instance_id=instance_id, responses=bad_option), 400, "invalid_request")["details"]
    assert details == {"field": "responses[11].selected_option_id", "reason": "unknown_value"}
    twice = [*responses, responses[0]]
    assert shape(submit(instance_id=instance_id, responses=twice), 400, "invalid_request")
    other_version = [*responses, {"question_id": "q13", "selected_option_id": "q13_a"}]
    assert shape(submit(instance_id=instance_id, responses=other_version), 400, "invalid_request")
    shape(submit(instance_id="inst_0000000000000000"), 404, "not_found")
    assert pro.get(f"/instances/{instance_id}").json()["data"]["cycle_count"] == 0


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_unsupported_methods(pro, method):
    response = pro.request(method, "/instances")
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("path", ["/", "/instance", "/instances/", "/instances/a/b/c", "/process"])
def test_unknown_routes(pro, path):
    shape(pro.get(path), 404, "not_found")
