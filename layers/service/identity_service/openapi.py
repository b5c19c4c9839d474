"""How a route is described for the OpenAPI document. Names only: no function loads `response_models`, with the shapes."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

#: Python's versions do not agree on this one; RFC 9110, 15.5.14.
_CONTENT_TOO_LARGE = "Content Too Large"
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A name for this request, such as a UUID. Sent again with it within 24 hours, it gets the stored answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
_REPLAYED = {"description": "The answer was given before; nothing was done.", "schema": {"type": "string", "const": "true"}}
#: Errors that every route with a key can answer.
_ALWAYS = (400, 401, 429, 500, 503)


def operation(
    summary: str,
    answer: str,
    body: type[BaseModel] | None = None,
    several: type[BaseModel] | None = None,
    *,
    status: int = 200,
    also: Sequence[int] = (),
    public: bool = False,
    once: bool = False,
) -> dict[str, Any]:
    """Keyword arguments for a FastAPI route. `answer` names a response of `response_models`; `several` is another form of
    the body; `also` adds statuses to the usual errors; `once` is for what takes an Idempotency-Key.
    """
    errors = (500,) if public else (*_ALWAYS, *also, *((413, 415) if body else ()))
    responses: dict[str, Any] = {
        str(status): {"description": HTTPStatus(status).phrase, "content": _json(f"#/components/schemas/{answer}")}
    }
    for code in sorted(errors):
        responses[str(code)] = {
            "description": _CONTENT_TOO_LARGE if code == 413 else HTTPStatus(code).phrase,
            "content": _json("#/components/schemas/ErrorResponse"),
        }
    if once:
        responses[str(status)]["headers"] = {"Idempotent-Replayed": _REPLAYED}
    extra: dict[str, Any] = {"responses": responses, "security": [] if public else [{"ApiKey": []}]}
    if body:
        forms = [f"#/components/schemas/{form.__name__}" for form in (body, several) if form]
        extra["requestBody"] = {"required": True, "content": _json(*forms)}
    if once:
        extra["parameters"] = [_KEY]
    return {"summary": summary, "status_code": status, "openapi_extra": extra}


def _json(*references: str) -> dict[str, Any]:
    forms = [{"$ref": reference} for reference in references]
    return {"application/json": {"schema": {"anyOf": forms} if len(forms) > 1 else forms[0]}}
