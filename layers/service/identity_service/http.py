"""HTTP requests and responses: reads bodies and the Idempotency-Key, builds responses. No business rules in this module."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeVar, overload

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from identity_engine import canonical
from identity_service import errors
from identity_service.clock import now
from identity_service.limits import Meter
from identity_service.store.accounts import account_key
from identity_service.store.idempotency import IdempotencyRecord
from identity_service.store.instances import partition
from identity_service.validation_errors import drop_nulls, validation_problems

#: Largest request body in bytes: enough for a batch of 100 observations with contexts of the largest size.
BODY_LIMIT = 1_048_576
#: Longest Idempotency-Key in characters.
_KEY_LIMIT = 255
#: Key of the ASGI scope under which the middleware stores a request's `meter` and `request_id`.
SCOPE = "identity_os"

Model = TypeVar("Model", bound=BaseModel)
BatchModel = TypeVar("BatchModel", bound=BaseModel)


def meter(request: Request) -> Meter:
    """The request's meter. ApiError 401 when the event has no principal."""
    current: Meter | None = request.scope[SCOPE]["meter"]
    if current is None:
        raise errors.unauthorized()
    return current


@overload
async def read_body(request: Request, model: type[Model]) -> Model: ...
@overload
async def read_body(request: Request, model: type[Model], batch_model: type[BatchModel]) -> Model | BatchModel: ...
async def read_body(request: Request, model: type[Model], batch_model: type[BatchModel] | None = None) -> Model | BatchModel:
    """The JSON body as a `model`, or as a `batch_model` when it has `observations`. ApiError 400, 413 or 415 if invalid.

    A field that is null counts as absent, and an empty body as `{}` where no field is required.
    """
    body = await request.body()
    if not body and not any(field.is_required() for field in model.model_fields.values()):
        return model.model_validate({})
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise errors.unsupported_media_type()
    if len(body) > BODY_LIMIT:
        raise errors.payload_too_large(BODY_LIMIT)
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise errors.invalid("body", "malformed_json", f"the body is not JSON: {error}") from None
    if batch_model is not None and isinstance(document, dict) and "observations" in document:
        return _validated(batch_model, document)
    return _validated(model, document)


def _validated(model: type[Model], document: Any) -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    # Nulls are looked for only where validation failed, so that other requests pay nothing for it.
    if drop_nulls(document, problems):
        return _validated(model, document)
    raise errors.invalid_all(validation_problems(problems))


async def idempotency_key(request: Request, instance_id: str | None = None) -> IdempotencyRecord | None:
    """The idempotency record for the request's key, None without a key. ApiError 400 for an invalid key.

    The record is stored with the instance, or with the account when the request creates an instance. Call this after
    `read_body`, which validates the body.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= _KEY_LIMIT or not (key.isascii() and key.isprintable()):
        raise errors.invalid(
            "Idempotency-Key", "out_of_range", f"Idempotency-Key: use 1 to {_KEY_LIMIT} printable ASCII characters"
        )
    account_id = meter(request).principal.account_id
    pk = account_key(account_id)["PK"] if instance_id is None else partition(account_id, instance_id)
    body = canonical(from_json(await request.body() or b"{}"))
    return IdempotencyRecord(pk, key, sha256(f"{request.scope['path']}\n{body}".encode()).hexdigest(), now())


def encode_data(data: Any) -> bytes:
    """The body of a successful response: `{"data": ...}`."""
    return to_json({"data": data})


def data_response(data: Any, status: int = 200) -> Response:
    """A successful response."""
    return json_response(encode_data(data), status)


def page_response(rows: Sequence[Any], *, limit: int, offset: int, total: int) -> Response:
    """A list response: one page of rows and its pagination."""
    more = offset + len(rows) < total
    pagination = {"limit": limit, "offset": offset, "total": total, "has_more": more and bool(rows)}
    return json_response(to_json({"data": rows, "pagination": pagination}))


def audited_response(body: bytes, digest: str | None, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The response to a request that left an audit record: the caller may keep the record's digest as an anchor."""
    return json_response(body, status, {**(headers or {}), **({"X-Audit-Digest": digest} if digest else {})})


def json_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response with an already encoded JSON body."""
    return Response(body, status, dict(headers or {}), "application/json")
