"""Route metadata for the OpenAPI document. Refers to response models by name, so that no function imports `response_models`."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, JsonValue

#: The phrase of RFC 9110, 15.5.14; `HTTPStatus(413).phrase` differs between Python versions.
_CONTENT_TOO_LARGE = "Content Too Large"
# It has no example: whoever sends one twice, from the interactive docs say, would get the first response again.
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A unique name for this request, such as a UUID. A retry with it within 24 hours gets the stored response.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
_REPLAYED = {"description": "A stored response; nothing was done again.", "schema": {"type": "string", "const": "true"}}
_DIGEST = {
    "description": "The digest of the audit record that the request left; absent where it left none.",
    "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
}
#: Error statuses of every route; 429 and 503 may come from API Gateway, so a route without a key has them too.
_ALWAYS = (429, 500, 503)
#: Error statuses of every route that needs an API key.
_WITH_KEY = (400, 401, *_ALWAYS)


def operation(
    name: str,
    summary: str,
    response: str,
    body: type[BaseModel] | None = None,
    batch_body: type[BaseModel] | None = None,
    *,
    status: int = 200,
    also: Sequence[int] = (),
    public: bool = False,
    idempotent: bool = False,
) -> dict[str, Any]:
    """Keyword arguments for a FastAPI route. `name` is the operation's id, a verb in camel case, which generated clients call
    their method by; `response` names a response of `response_models`; `batch_body` is a second form of the body; `also` adds
    statuses to the usual errors; `idempotent` adds the Idempotency-Key header.
    """
    errors = _ALWAYS if public else (*_WITH_KEY, *also, *((413, 415) if body else ()))
    responses: dict[str, Any] = {
        str(status): {"description": HTTPStatus(status).phrase, "content": _json(f"#/components/schemas/{response}")}
    }
    for code in sorted(errors):
        responses[str(code)] = error_of(code)
    if idempotent:
        responses[str(status)]["headers"] = {"Idempotent-Replayed": _REPLAYED, "X-Audit-Digest": _DIGEST}
    extra: dict[str, Any] = {"responses": responses, "security": [] if public else [{"ApiKey": []}]}
    if body:
        forms = [f"#/components/schemas/{form.__name__}" for form in (body, batch_body) if form]
        # A body without fields may be left out.
        extra["requestBody"] = {"required": bool(body.model_fields), "content": _json(*forms)}
    if idempotent:
        extra["parameters"] = [_KEY]
    return {"operation_id": name, "summary": summary, "status_code": status, "openapi_extra": extra}


def without_default(schema: dict[str, JsonValue]) -> None:
    """For `json_schema_extra`: leaves out a default that stands for "absent" and that no request may send."""
    schema.pop("default", None)


def without_null(schema: dict[str, Any]) -> None:
    """For `json_schema_extra` of a query parameter that may be left out: a query cannot say null, which the type allows."""
    (kind,) = [kind for kind in schema.pop("anyOf") if kind != {"type": "null"}]
    schema.update(kind)


def error_of(status: int) -> dict[str, Any]:
    """The documentation of an error response."""
    return {
        "description": _CONTENT_TOO_LARGE if status == 413 else HTTPStatus(status).phrase,
        "content": _json("#/components/schemas/ErrorResponse"),
    }


def _json(*references: str) -> dict[str, Any]:
    forms = [{"$ref": reference} for reference in references]
    return {"application/json": {"schema": {"anyOf": forms} if len(forms) > 1 else forms[0]}}
