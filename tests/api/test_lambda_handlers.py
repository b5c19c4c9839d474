"""The functions as Lambda calls them: one API Gateway event per endpoint, through the handlers and Mangum."""

import json
from importlib import import_module

import pytest

from identity_service import response_models
from identity_service.keys import new_key
from local import openapi, template
from tests.conftest import EVENTS, lambda_event, stored_webhook

NOT_FROM_THE_API = ("authorizer", "deliver", "fanout", "purge")
ENDPOINTS = sorted(path.stem for path in EVENTS.glob("*.json") if path.stem not in NOT_FROM_THE_API)


def event_of(name):
    return json.loads((EVENTS / f"{name}.json").read_text())


def call(name, event):
    handler = import_module(f"functions.{name.split('_')[0]}.app").handler
    response = handler(event, None)
    return response["statusCode"], response.get("headers", {}), json.loads(response["body"])


def described(event, status):
    """The response model in the OpenAPI document for this response; it rejects additional fields."""
    operation = openapi.document()["paths"][event["resource"]][event["httpMethod"].lower()]
    reference = operation["responses"][str(status)]["content"]["application/json"]["schema"]["$ref"]
    return response_models.RESPONSES[reference.rpartition("/")[2]]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_each_event_gets_a_valid_response(name, pro):
    instance_id = pro.new_instance()
    stored_webhook(pro.account_id)
    event = lambda_event(name, pro.account_id, instance_id=instance_id)
    status, headers, body = call(name, event)
    assert status == (201 if name.endswith(("s_create", "s_fork")) else 200), body
    assert headers["x-request-id"] == event["requestContext"]["requestId"]
    assert headers["content-type"] == "application/json"
    described(event, status).model_validate(body, strict=False)
    assert ("x-ratelimit-remaining" in headers) is (name != "health")


@pytest.mark.parametrize("name", [name for name in ENDPOINTS if event_of(name)["httpMethod"] == "GET"])
def test_head_answers_as_get_does_without_the_body(name, pro, stopped_clock):
    stored_webhook(pro.account_id)
    event = lambda_event(name, pro.account_id, instance_id=pro.new_instance())
    handler = import_module(f"functions.{name.split('_')[0]}.app").handler
    get, head = handler(event, None), handler(event | {"httpMethod": "HEAD"}, None)
    assert (head["statusCode"], head["body"]) == (200, "")
    assert int(head["headers"]["content-length"]) == len(get["body"].encode())
    counted = "x-ratelimit-remaining"
    if counted in get["headers"]:
        assert int(head["headers"].pop(counted)) == int(get["headers"].pop(counted)) - 1
    assert head["headers"] == get["headers"]


def test_an_error_has_no_body_for_head_either(pro):
    event = lambda_event("instances_get", pro.account_id) | {"httpMethod": "HEAD"}
    head = import_module("functions.instances.app").handler(event, None)
    assert (head["statusCode"], head["body"]) == (404, "")
    assert int(head["headers"]["content-length"]) > 0


def test_there_is_an_event_for_each_endpoint():
    events = [event_of(name) for name in ENDPOINTS]
    covered = {(event["httpMethod"], event["resource"]) for event in events}
    routes = set()
    for group in {route.function for route in template.api_routes()}:
        for route in import_module(f"functions.{group}.app").app.routes:
            routes |= {(method, route.path) for method in route.methods}
    assert covered == routes
    # The seed's 16, health, simulate, goals/assess, timeline, upgrade, fork, audit and audit/verify, nine of webhooks.
    assert len(covered) == 33


def test_every_route_is_in_the_template_and_the_other_way_round():
    in_template = {(route.function, route.path) for route in template.api_routes()}
    in_apps = set()
    for group in {route.function for route in template.api_routes()}:
        in_apps |= {(group, route.path) for route in import_module(f"functions.{group}.app").app.routes}
    assert in_template == in_apps


@pytest.mark.parametrize("name", [name for name in ENDPOINTS if name != "health"])
def test_without_a_principal_every_endpoint_returns_401(name, table):
    event = lambda_event(name)
    del event["requestContext"]["authorizer"]
    status, _, body = call(name, event)
    assert (status, body["error"]) == (401, "unauthorized")


def authorize(key):
    event = json.loads((EVENTS / "authorizer.json").read_text()) | {"authorizationToken": f"Bearer {key}"}
    return import_module("functions.authorizer.app").handler(event, None)


def test_authorizer_returns_a_policy_for_the_whole_stage(pro):
    response = authorize(pro.key)
    assert response["principalId"] == response["context"]["account_id"] == pro.account_id
    assert response["context"] | {"account_id": "", "key_id": ""} == {
        "account_id": "", "key_id": "", "plan": "pro", "per_minute": "300", "per_month": "500000",
        "scope": "operator", "bound_to": "",
    }  # fmt: skip
    assert response["policyDocument"]["Statement"][0]["Resource"].endswith(":a1b2c3d4e5/dev/*")
    assert response["usageIdentifierKey"].isalnum()


@pytest.mark.parametrize(("scheme", "accepted"), [("bearer", True), ("BEARER", True), ("Basic", False), ("bearers", False)])
def test_authorizer_ignores_the_case_of_the_scheme(pro, scheme, accepted):
    event = json.loads((EVENTS / "authorizer.json").read_text()) | {"authorizationToken": f"{scheme} {pro.key}"}
    handler = import_module("functions.authorizer.app").handler
    if accepted:
        assert handler(event, None)["principalId"] == pro.account_id
    else:
        with pytest.raises(Exception, match=r"^Unauthorized$"):
            handler(event, None)


@pytest.mark.parametrize("key", ["", "idos_sk_", "x", new_key()], ids=["none", "prefix", "short", "unknown"])
def test_authorizer_raises_unauthorized(table, key):
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        authorize(key)


@pytest.mark.parametrize("name", ["deliver", "fanout"])
def test_the_events_of_stream_and_queue_are_handled(name, table):
    # Nobody has a webhook, so nothing goes to the queue, and a delivery to an unknown webhook is over.
    assert import_module(f"functions.{name}.app").handler(event_of(name), None) == {"batchItemFailures": []}
