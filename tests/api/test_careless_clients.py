"""What careless clients send: `bearer`, HEAD, null for what they leave out, no body at all. docs/api.md, "Envelope"."""

import json

import pytest
from fastapi import Request, Response

from identity_service.app import create_app, lambda_handler
from identity_service.http import data_response, idempotency_key, read_body
from identity_service.request_models import Request as Body
from tests.conftest import lambda_event

OBSERVATION = {"mode_target": "ORDER", "signal_strength": 0.5}
NULLS = {"confidence": None, "severity": None, "context": None, "timestamp": None}
PROFILE = (
    "core_modes", "suppressed_modes", "risk_posture", "energy_policy", "stress_tolerance", "drift_tolerance", "governance",
    "description",
)  # fmt: skip


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_case_of_the_scheme_does_not_matter(pro, scheme):
    assert pro.get("/personas", headers={"Authorization": f"{scheme} {pro.key}"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/health", 200),
        ("/instances/{id}", 200),
        ("/instances/{id}/contract?explain=true", 200),
        ("/instances/inst_0000000000000000", 404),
        ("/instances?limit=0", 400),
        ("/instances/{id}/process", 405),
    ],
)
def test_head_has_the_headers_of_get(pro, stopped_clock, path, status):
    """tests/api/test_lambda_handlers.py tests that there is no body, which this client would drop by itself."""
    path = path.replace("{id}", pro.new_instance())
    get, head = pro.get(path), pro.head(path)
    assert (get.status_code, head.status_code) == (status, status)
    assert int(head.headers["Content-Length"]) == len(get.content) > 0
    different = {"x-request-id", "x-ratelimit-remaining"}
    assert {k: v for k, v in head.headers.items() if k not in different} == {
        k: v for k, v in get.headers.items() if k not in different
    }
    if "X-RateLimit-Remaining" in get.headers:
        assert int(head.headers["X-RateLimit-Remaining"]) == int(get.headers["X-RateLimit-Remaining"]) - 1


def test_head_is_refused_when_the_minute_is_used_up(free, stopped_clock):
    for _ in range(10):
        assert free.head("/personas").status_code == 200
    refused = free.head("/personas")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("path", "body", "nulls"),
    [
        ("/process", OBSERVATION, NULLS),
        ("/process/batch", {"observations": [OBSERVATION | NULLS, OBSERVATION]}, {"include_intermediate": None}),
        ("/simulate", OBSERVATION, NULLS),
        ("/simulate", {"observations": [OBSERVATION | NULLS]}, {"include_intermediate": None}),
        ("/goals/assess", {"complexity": "low"}, {"required_modes": None}),
    ],
)
def test_null_for_an_optional_field_counts_as_absent(pro, path, body, nulls):
    def answer(sent):
        instance_id = pro.new_instance()
        response = pro.post(f"/instances/{instance_id}{path}", json=sent)
        assert response.status_code == 200, response.text
        return response.text.replace(instance_id, "")

    assert answer(body | nulls) == answer(body)


def test_null_in_a_new_instance_counts_as_absent(pro):
    plain = pro.new_instance(initial_config={"persona_id": "persona_guardian"})
    profile = dict.fromkeys(PROFILE)
    config = {
        "persona_id": "persona_guardian", "energy_level": None, "mode_strengths": {"ORDER": None}, "profile": profile,
    }  # fmt: skip
    nulls = pro.new_instance(description=None, initial_config=config)
    persona = [pro.get(f"/instances/{each}/snapshot").json()["data"]["id"] for each in (plain, nulls)]
    assert persona[0] == persona[1]
    neutral = pro.get(f"/instances/{pro.new_instance()}/snapshot").json()["data"]["id"]
    for config in (None, {"mode_strengths": None, "profile": None, "persona_id": None}):
        instance_id = pro.new_instance(initial_config=config)
        assert pro.get(f"/instances/{instance_id}/snapshot").json()["data"]["id"] == neutral


def test_null_in_an_update_leaves_the_field_as_it_is(pro):
    instance_id = pro.new_instance(description="old")
    data = pro.patch(f"/instances/{instance_id}", json={"name": "B", "description": None}).json()["data"]
    assert (data["name"], data["description"]) == ("B", "old")
    refused = pro.patch(f"/instances/{instance_id}", json={"name": None, "description": None})
    assert (refused.status_code, refused.json()["details"]) == (400, {"field": "name", "reason": "missing"})


def test_null_in_a_test_submission_counts_as_absent(pro):
    responses = [{"question_id": f"q{n}", "selected_option_id": f"q{n}_a"} for n in range(1, 13)]
    body = {"version": "v1", "responses": responses}
    created = pro.post("/test/submit", json=body | {"instance_id": None, "create_instance": True, "instance_name": "T"})
    assert created.status_code == 200, created.text
    taken = {"instance_id": pro.new_instance(), "create_instance": None, "instance_name": None}
    retaken = pro.post("/test/submit", json=body | taken)
    assert retaken.status_code == 200, retaken.text
    assert retaken.json()["data"]["mode_profile"] == created.json()["data"]["mode_profile"]


@pytest.mark.parametrize(
    ("path", "body", "field", "reason"),
    [
        ("/process", {"mode_target": None, "signal_strength": 0.5}, "mode_target", "missing"),
        ("/process", OBSERVATION | {"colour": None}, "colour", "unknown_field"),
        ("/process/batch", {"observations": None}, "observations", "missing"),
        ("/process/batch", {"observations": [None]}, "observations[0]", "wrong_type"),
        ("/process/batch", {"observations": [OBSERVATION, {"mode_target": "ORDER", "signal_strength": None}]},
         "observations[1].signal_strength", "missing"),
        ("/goals/assess", {"complexity": "low", "required_modes": [None]}, "required_modes[0]", "wrong_type"),
        ("/reset", {"mode": None}, "mode", "missing"),
        ("/reset", None, "body", "wrong_type"),
    ],
)  # fmt: skip
def test_null_is_no_value_of_a_required_field(pro, path, body, field, reason):
    content = {"content": b"null", "headers": {"Content-Type": "application/json"}} if body is None else {"json": body}
    response = pro.post(f"/instances/{pro.new_instance()}{path}", **content)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert response.json()["details"] == {"field": field, "reason": reason}


def test_a_null_and_a_wrong_field_are_told_apart(pro):
    body = {"mode_target": None, "signal_strength": 7, "confidence": None}
    details = pro.post(f"/instances/{pro.new_instance()}/process", json=body).json()["details"]
    found = {(error["field"], error["reason"]) for error in details["errors"]}
    assert found == {("mode_target", "missing"), ("signal_strength", "out_of_range")}


def test_null_inside_a_context_stays(pro):
    instance_id = pro.new_instance()
    context = {"tool": None, "more": [None, {"deep": None}]}
    assert pro.process(instance_id, context=context, timestamp=None).status_code == 200
    assert pro.get(f"/instances/{instance_id}/history").json()["data"][0]["context"] == context


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}])
def test_an_empty_body_is_an_empty_object_where_every_field_is_optional(pro, headers):
    path = f"/instances/{pro.new_instance()}"
    sent = [pro.patch(path, content=body, headers=headers) for body in (b"", b"{}")]
    assert sent[0].status_code == 400
    assert sent[0].json() == {
        "error": "invalid_request",
        "message": "name or description is required",
        "details": {"field": "name", "reason": "missing"},
    }
    if headers != {"Content-Type": "text/plain"}:
        assert sent[0].json() == sent[1].json()


def test_an_empty_body_misses_what_is_required(pro):
    response = pro.post(f"/instances/{pro.new_instance()}/reset", content=b"")
    assert response.json()["details"] == {"field": "body", "reason": "malformed_json"}


class Optional(Body):
    """No POST of the API has such a body yet; the next one that has must do this."""

    note: str = "none"


def test_an_empty_post_and_an_empty_object_are_the_same_request(pro):
    app = create_app("Optional")

    @app.post("/optional")
    async def optional(request: Request) -> Response:
        body = await read_body(request, Optional)
        record = await idempotency_key(request)
        return data_response([body.note, record.fingerprint])

    event = lambda_event("instances_create", pro.account_id) | {"path": "/optional"}
    event["multiValueHeaders"]["Idempotency-Key"] = ["one"]
    handler = lambda_handler(app)
    answers = [handler(event | {"body": body}, None) for body in ("", None, "{}", '{"note": null}', '{"note": "x"}')]
    assert [answer["statusCode"] for answer in answers] == [200] * 5
    empty, missing, braces, null, other = (json.loads(answer["body"])["data"] for answer in answers)
    assert empty == missing == braces
    assert (empty[0], null[0], other[0]) == ("none", "none", "x")
    assert other[1] != empty[1]
