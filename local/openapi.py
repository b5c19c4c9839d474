"""Builds the OpenAPI document of the whole API from the apps' routes, the request and response models, and the examples.

`python -m local.openapi` plays the examples and writes their responses and docs/openapi.json; a test fails when one of the two
is outdated.
"""

import json
import os
from collections.abc import Iterator
from importlib import import_module
from inspect import getdoc
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from identity_service import request_models, response_models
from identity_service.openapi import error_of
from identity_service.response_models.words import WORDS
from identity_service.scopes import READ, needed
from local import examples, template

Json = dict[str, Any]

#: The groups of functions, and what a tag says about each.
_TAGS: Final = {
    "instances": "Agents: create, list, get, rename, delete. An instance is one agent with its state.",
    "engine": "What an agent reports, and what it may do next: the contract, its history, drift, resets and the audit trail.",
    "testing": "The personality test: questions, and an agent made from the answers.",
    "webhooks": "Receivers of events: who hears of a pause, of drift, of a key; what they answered.",
    "personas": "Twelve fixed profiles to start an agent from, or to compare it with.",
    "health": "Whether the service is up. Needs no key.",
}
_BODIES: Final = (
    request_models.InstanceRequest,
    request_models.InstanceUpdateRequest,
    request_models.ObservationRequest,
    request_models.BatchRequest,
    request_models.ResetRequest,
    request_models.UpgradeRequest,
    request_models.ForkRequest,
    request_models.GoalRequest,
    request_models.TestRequest,
    request_models.WebhookRequest,
    request_models.WebhookUpdateRequest,
    request_models.EmptyRequest,
)
_PATH_PARAMETERS: Final = {
    "instance_id": {"description": "The id of the instance.", "example": examples.INSTANCE},
    "persona_id": {"description": "The id of the persona.", "example": "persona_guardian"},
    "webhook_id": {"description": "The id of the webhook.", "example": examples.WEBHOOK},
    "delivery_id": {"description": "The id of the delivery.", "example": examples.DELIVERY},
}
_REFERENCE: Final = "#/components/schemas/{model}"
_DESCRIPTION: Final = (
    "Send reports of what an agent did, and get an ExecutionContract: what it may do now. Deterministic: the same history "
    "gives the same response. HEAD works wherever there is a GET; a null field counts as absent."
)


def document() -> Json:
    """The whole document, in a fixed order."""
    apps = {group: import_module(f"functions.{group}.app").app for group in _TAGS}
    group_of = {route.path: group for group, app in apps.items() for route in app.routes}
    routes = [route for app in apps.values() for route in app.routes]
    openapi = get_openapi(title="Identity OS", version="1.0.0", description=_DESCRIPTION, routes=routes)
    openapi["info"] |= {
        "contact": {"name": "Identity OS", "url": "https://identity-os.dev"},
        "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
    }
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            if operation["security"]:
                _say_scope(operation, needed(method.upper(), path))
            _finish(operation, group_of[path])
    openapi["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
    openapi["servers"] = [
        {"url": "https://api.identity-os.dev", "description": "Cloud"},
        {"url": "http://localhost:8000", "description": "Local"},
    ]
    openapi["components"] = {
        "schemas": _schemas(),
        "securitySchemes": {
            "ApiKey": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "idos_sk_...",
                "description": "An API key. `make run` prints one for each plan. Its scope is read, agent or operator; "
                "each may do what those before it may.",
            }
        },
    }
    return openapi


def _say_scope(operation: Json, needs: str) -> None:
    """Name the least scope of a key: a role, as OpenAPI 3.1 calls it. Every key may read."""
    operation["security"] = [{"ApiKey": [needs]}]
    if needs != READ:
        operation["responses"]["403"] = error_of(403)


def _finish(operation: Json, group: str) -> None:
    """Complete an operation of FastAPI's: tag, parameters, examples."""
    operation["tags"] = [group]
    # FastAPI adds a 422 response, which no route here returns.
    operation["responses"].pop("422", None)
    operation["responses"] = dict(sorted(operation["responses"].items()))
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            parameter |= _PATH_PARAMETERS[parameter["name"]]
        for name in ("title", "description"):
            parameter["schema"].pop(name, None)
    success = next(answer for status, answer in operation["responses"].items() if status < "300")
    shown = examples.of(operation["operationId"])
    success["content"]["application/json"]["examples"] = {
        each.name: {"summary": each.summary, "value": each.response} for each in shown
    }
    if "requestBody" in operation:
        operation["requestBody"]["content"]["application/json"]["examples"] = {
            each.name: {"summary": each.summary, "value": each.body} for each in shown
        }


def _schemas() -> Json:
    """The schemas of all requests, responses and words, by name."""
    models = [(model, "validation") for model in (*_BODIES, *response_models.RESPONSES.values())]
    pairs, definitions = models_json_schema(models, ref_template=_REFERENCE)  # type: ignore[arg-type]
    schemas: Json = definitions["$defs"]
    for name, model in response_models.RESPONSES.items():
        # A generic model is defined under a name made of its parts.
        defined = pairs[model, "validation"]["$ref"].rpartition("/")[2]
        schemas[name] = schemas.pop(defined) | {"title": name, "description": getdoc(model)}
    for name in _names(schemas, [body.__name__ for body in _BODIES]):
        _accept_nulls(schemas[name])
    for schema in list(_nodes(schemas)):
        if isinstance(schema.get("title"), str) and schema.get("title") not in schemas:
            del schema["title"]
        _name_words(schema)
    schemas |= {
        name: {"title": name, "type": "string", "enum": list(values), "description": text}
        for name, (values, text) in WORDS.items()
    }
    return dict(sorted(schemas.items()))


def _names(schemas: Json, roots: list[str]) -> set[str]:
    """The roots and all schemas that they refer to."""
    found: set[str] = set()
    while roots:
        name = roots.pop()
        if name not in found:
            found.add(name)
            roots += [node["$ref"].rpartition("/")[2] for node in _nodes(schemas[name]) if "$ref" in node]
    return found


def _accept_nulls(schema: Json) -> None:
    """Say that an optional field may be null, which counts as absent (docs/api.md, "Envelope"), and so may a map's value."""
    for name, field in schema.get("properties", {}).items():
        if isinstance(field.get("additionalProperties"), dict):
            field["additionalProperties"] = {"anyOf": [field["additionalProperties"], {"type": "null"}]}
        if name not in schema.get("required", []):
            outside = {key: field.pop(key) for key in ("description", "default") if key in field}
            schema["properties"][name] = {"anyOf": [field, {"type": "null"}]} | outside


def _name_words(schema: Json) -> None:
    """Refer to the schema of the words where a schema has an enum of them."""
    for name, (values, _) in WORDS.items():
        if schema.get("enum") == list(values):
            del schema["enum"]
            schema.pop("type", None)
            schema["$ref"] = _REFERENCE.format(model=name)


def _nodes(value: Any) -> Iterator[Json]:
    """All objects inside a value, itself included."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _nodes(item)


def text() -> str:
    """The text of docs/openapi.json."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    # The example of an upgrade needs a second engine, and none was released before this one: the tests have one.
    os.environ["IDENTITY_OS_ENGINE_RELEASES"] = str(template.ROOT / "tests" / "engines")
    examples.write()
    (template.ROOT / "docs" / "openapi.json").write_text(text())
