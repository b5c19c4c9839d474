"""Builds the OpenAPI document of the whole API from the apps' routes, the request models and the response models.

`python -m local.openapi` writes docs/openapi.json; a test fails when the file is outdated.
"""

import json
import re
from importlib import import_module
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from identity_service import request_models, response_models
from identity_service.openapi import error_of
from identity_service.scopes import READ, needed
from local import template

_GROUPS: Final = ("instances", "engine", "testing", "personas", "health")
_BODIES: Final = (
    request_models.InstanceRequest,
    request_models.InstanceUpdateRequest,
    request_models.ObservationRequest,
    request_models.BatchRequest,
    request_models.ResetRequest,
    request_models.GoalRequest,
    request_models.TestRequest,
)
_WORDS: Final = re.compile(r"\W+")
_REFERENCE: Final = "#/components/schemas/{model}"
_DESCRIPTION: Final = (
    "Send reports of what an agent did, and get an ExecutionContract: what it may do now. Deterministic: the same history "
    "gives the same response."
)


def document() -> dict[str, Any]:
    """The whole document, in a fixed order."""
    apps = {group: import_module(f"functions.{group}.app").app for group in _GROUPS}
    group_of = {route.path: group for group, app in apps.items() for route in app.routes}
    routes = [route for app in apps.values() for route in app.routes]
    openapi = get_openapi(title="Identity OS", version="1.0.0", description=_DESCRIPTION, routes=routes)
    pairs, definitions = models_json_schema(
        [(model, "validation") for model in (*_BODIES, *response_models.RESPONSES.values())], ref_template=_REFERENCE
    )
    schemas = dict(definitions.get("$defs", {}))
    for name, model in response_models.RESPONSES.items():
        # A plain model is in the schemas under its own name already.
        schemas.setdefault(name, pairs[model, "validation"])
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            operation["operationId"] = f"{method}_{_WORDS.sub('_', path.removeprefix('/v1/')).strip('_')}"
            operation["tags"] = [group_of[path]]
            if operation["security"]:
                needs = needed(method.upper(), path)
                operation["security"] = [{"ApiKey": [needs]}]
                if needs != READ:
                    operation["responses"]["403"] = error_of(403)
            # FastAPI adds a 422 response, which no route here returns.
            operation["responses"].pop("422", None)
            operation["responses"] = dict(sorted(operation["responses"].items()))
    openapi["servers"] = [
        {"url": "https://api.identity-os.dev", "description": "Cloud"},
        {"url": "http://localhost:8000", "description": "Local"},
    ]
    openapi["components"] = {
        "schemas": dict(sorted(schemas.items())),
        "securitySchemes": {"ApiKey": {"type": "http", "scheme": "bearer", "bearerFormat": "idos_sk_..."}},
    }
    return openapi


def text() -> str:
    """The text of docs/openapi.json."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (template.ROOT / "docs" / "openapi.json").write_text(text())
