"""The OpenAPI document over all endpoint groups: from the apps' routes, the request models and the answers' shapes.

`python -m local.openapi` writes docs/openapi.json; a test fails when the document and the code part.
"""

import json
import re
from importlib import import_module
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from identity_service import request_models, response_models
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
    "Reports of what an agent did go in, an ExecutionContract comes out: what it may do now. Deterministic: the same history "
    "gives the same answer."
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
        # A plain model stands under its own name already; what is left refers to it.
        schemas.setdefault(name, pairs[model, "validation"])
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            operation["operationId"] = f"{method}_{_WORDS.sub('_', path.removeprefix('/v1/')).strip('_')}"
            operation["tags"] = [group_of[path]]
            # FastAPI adds its own 422, which no route here ever answers.
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
    """The document as docs/openapi.json holds it."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (template.ROOT / "docs" / "openapi.json").write_text(text())
