"""docs/openapi.json: what it says is so, it is complete, and its examples work as they stand."""

import json
import re

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pydantic import BaseModel

from identity_engine.contract import action_space, explanation
from identity_service import query_models, request_models
from identity_service.response_models.contract import Rule, Step
from identity_service.response_models.errors import Code
from identity_service.response_models.words import WORDS
from local import examples, openapi, template
from tests.conftest import stored_webhook

COMMITTED = json.loads((template.ROOT / "docs" / "openapi.json").read_text())
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, operations in COMMITTED["paths"].items()
    for method, operation in operations.items()
}
VERBS = (
    *("create", "list", "get", "update", "delete", "process", "simulate", "assess"),
    *("reset", "upgrade", "fork", "verify", "submit", "check", "rotate", "test", "redeliver"),
)


def success(operation):
    ((status, response),) = [(int(s), r) for s, r in operation["responses"].items() if s < "300"]
    return status, response["content"]["application/json"]


def cases(part):
    """(operation id, example's name) of every example of a request or of a response."""
    for name, (_, _, operation) in OPERATIONS.items():
        if part == "response":
            content = success(operation)[1]
        elif "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
        else:
            continue
        yield from ((name, example) for example in content["examples"])


def conforms(value, schema):
    validator = Draft202012Validator(
        schema | {"components": COMMITTED["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    problems = [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(value)]
    assert problems == []


def objects(value, path=()):
    if isinstance(value, dict):
        yield path, value
        for name, inner in value.items():
            yield from objects(inner, (*path, name))
    if isinstance(value, list):
        for at, inner in enumerate(value):
            yield from objects(inner, (*path, at))


def test_the_committed_document_is_current():
    assert (template.ROOT / "docs" / "openapi.json").read_text() == openapi.text(), "run: make openapi"


def test_the_committed_responses_are_what_the_service_answers():
    committed = (template.ROOT / "local" / "examples.json").read_text()
    assert committed == examples.text(examples.play()), "run: make openapi"


def test_the_reference_validator_finds_nothing():
    validate(COMMITTED)


def test_every_reference_resolves():
    schemas = COMMITTED["components"]["schemas"]
    references = {node["$ref"].removeprefix("#/components/schemas/") for _, node in objects(COMMITTED) if "$ref" in node}
    assert references == set(schemas), "a reference to nothing, or a schema without a reference"


def test_operations_are_verbs_with_texts_and_tags_with_texts():
    assert len(OPERATIONS) == sum(len(operations) for operations in COMMITTED["paths"].values())
    tags = {tag["name"]: tag["description"] for tag in COMMITTED["tags"]}
    for name, (_, _, operation) in OPERATIONS.items():
        assert re.fullmatch(f"({'|'.join(VERBS)})([A-Z][a-z]+)+", name), name
        assert operation["summary"]
        assert operation["description"], name
        (tag,) = operation["tags"]
        assert len(tags[tag]) > 20


def test_every_property_and_parameter_has_a_description():
    for path, node in objects(COMMITTED["components"]["schemas"]):
        if path and path[-1] == "properties":
            for name, schema in node.items():
                assert schema.get("description"), (*path, name)
    for name, schema in COMMITTED["components"]["schemas"].items():
        assert schema.get("description"), name
    for name, (_, _, operation) in OPERATIONS.items():
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (name, parameter["name"])
            assert parameter["in"] != "path" or parameter["example"]


def test_words_are_enums():
    """A mode and its like are one enum wherever they stand, and the only patterns are those of ids."""
    schemas = COMMITTED["components"]["schemas"]
    assert schemas["ObservationRequest"]["properties"]["mode_target"]["$ref"] == "#/components/schemas/Mode"
    for name, (values, _) in WORDS.items():
        assert schemas[name]["enum"] == list(values)
        assert [path for path, node in objects(schemas) if node.get("enum") == list(values)] == [(name,)]
    patterns = {node["pattern"] for _, node in objects(schemas) if isinstance(node.get("pattern"), str)}
    assert patterns == {"^inst_[0-9a-f]{16}$", "^snap_[0-9a-f]{16}$", "^hook_[0-9a-f]{16}$", "^[0-9a-f]{64}$"}


@pytest.mark.parametrize("module", [query_models, request_models])
def test_a_schema_that_is_written_by_hand_has_the_bounds_that_are_checked(module):
    """Of `WithJsonSchema`: a bound that it leaves out is a request that the document allows and the service refuses."""
    named = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]
    kinds = [kind for kind in named if issubclass(kind, BaseModel)]
    checked = 0
    for kind in kinds:
        described = kind.model_json_schema().get("properties", {})
        for name, field in kind.model_fields.items():
            for bound in field.metadata:
                for limit, word in (("ge", "minimum"), ("le", "maximum"), ("max_length", "maxLength")):
                    if (value := getattr(bound, limit, None)) is None:
                        continue
                    schema = described[name]
                    assert value in (schema.get(word), schema.get(word.replace("Length", "Items"))), (kind.__name__, name)
                    checked += 1
    assert checked > 5


def test_rules_and_steps_of_explanations_are_all_listed():
    removing = {value for name, value in vars(action_space).items() if name.isupper() and isinstance(value, str)}
    source = (template.ROOT / "engine/identity_engine/contract/explanation.py").read_text()
    allowing = set(re.findall(r'rule, because = "(\w+)"', source)) | {"always_forbidden"}
    governance = {f"governance_{word}" for word in COMMITTED["components"]["schemas"]["Governance"]["enum"]}
    assert removing | allowing | governance == set(Rule.__args__)
    steps = set(re.findall(r'return "(\d \w+|contract: \w+)"', source)) | {explanation._SPACE, "vocabulary"}
    assert steps == set(Step.__args__)


def test_every_error_code_is_listed():
    source = (template.ROOT / "layers/service/identity_service/errors.py").read_text()
    raised = set(re.findall(r'ApiError\(\s*\d+,\s*"(\w+)"', source))
    kinds = template.load()["Resources"]["Api"]["Properties"]["GatewayResponses"]
    assert raised | {template.gateway_response(kind).body["error"] for kind in kinds} == set(Code.__args__)


def test_every_request_and_every_success_has_an_example():
    with_requests = {name for name, _ in cases("request")}
    assert with_requests == {name for name, (_, _, operation) in OPERATIONS.items() if "requestBody" in operation}
    assert {name for name, _ in cases("response")} == set(OPERATIONS)


@pytest.mark.parametrize(("name", "example"), list(cases("response")))
def test_a_response_example_fits_its_schema(name, example):
    content = success(OPERATIONS[name][2])[1]
    conforms(content["examples"][example]["value"], content["schema"])


@pytest.mark.parametrize(("name", "example"), list(cases("request")))
def test_a_request_example_works_as_it_stands(pro, name, example):
    method, path, operation = OPERATIONS[name]
    content = operation["requestBody"]["content"]["application/json"]
    body = content["examples"][example]["value"]
    conforms(body, content["schema"])
    webhook_id, delivery_id = stored_webhook(pro.account_id)
    path = path.removeprefix("/v1").replace("{instance_id}", pro.new_instance())
    path = path.replace("{webhook_id}", webhook_id).replace("{delivery_id}", delivery_id)
    response = pro.request(method, path, json=body)
    status, described = success(operation)
    assert response.status_code == status, response.text
    conforms(response.json(), described["schema"])


@pytest.mark.parametrize("name", [name for name, (method, _, _) in OPERATIONS.items() if method in ("GET", "DELETE")])
def test_a_request_without_a_body_works_with_the_parameters_of_the_document(pro, name):
    method, path, operation = OPERATIONS[name]
    values = {}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            values[parameter["name"]] = parameter["example"]
    stored_webhook(pro.account_id)
    path = path.removeprefix("/v1").format(**values).replace(examples.INSTANCE, pro.new_instance())
    query = {p["name"]: p["schema"]["default"] for p in operation.get("parameters", []) if "default" in p["schema"]}
    response = pro.request(method, path, params=query)
    status, described = success(operation)
    assert response.status_code == status, response.text
    conforms(response.json(), described["schema"])


def test_every_default_of_a_request_is_accepted(pro):
    """A client that sends every default, and null where there is none, as generated ones do."""

    def filled(schema):
        while "$ref" in schema:
            schema = COMMITTED["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return {name: field.get("default") for name, field in schema["properties"].items()}

    schemas = COMMITTED["components"]["schemas"]
    observation = filled(schemas["ObservationRequest"]) | {"mode_target": "ORDER", "signal_strength": 0.5}
    config = filled(schemas["InitialConfig"]) | {"profile": filled(schemas["ProfileRequest"])}
    created = pro.post("/instances", json=filled(schemas["InstanceRequest"]) | {"name": "A", "initial_config": config})
    assert created.status_code == 201, created.text
    at = f"/instances/{created.json()['data']['id']}"
    assert pro.post(f"{at}/process", json=observation).status_code == 200
    batch = filled(schemas["BatchRequest"]) | {"observations": [observation]}
    assert pro.post(f"{at}/process/batch", json=batch).status_code == 200
    assert pro.post(f"{at}/goals/assess", json=filled(schemas["GoalRequest"]) | {"complexity": "low"}).status_code == 200
