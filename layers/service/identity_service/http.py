"""HTTP in and out: reads bodies and the Idempotency-Key, makes responses. Business rules do not live here."""

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
from identity_service.principal import principal_of
from identity_service.store.accounts import account_key
from identity_service.store.idempotency import IdempotencyRecord
from identity_service.store.instances import partition
from identity_service.validation_errors import validation_problems

#: Bytes of a request body: room for a batch of 100 observations with full contexts.
BODY_LIMIT = 1_048_576
#: Characters of an Idempotency-Key.
_KEY_LIMIT = 255
#: Where the middleware keeps what it knows of a request: `meter` and `request_id`.
SCOPE = "identity_os"

Model = TypeVar("Model", bound=BaseModel)
Many = TypeVar("Many", bound=BaseModel)


def meter(request: Request) -> Meter:
    """The caller's meter. ApiError 401 when the authorizer named no principal."""
    state = request.scope[SCOPE]
    if state.get("meter") is None:
        principal = principal_of(request.scope.get("aws.event", {}))
        if principal is None:
            raise errors.unauthorized()
        state["meter"] = Meter(principal)
    found: Meter = state["meter"]
    return found


@overload
async def read_body(request: Request, model: type[Model]) -> Model: ...
@overload
async def read_body(request: Request, model: type[Model], several: type[Many]) -> Model | Many: ...
async def read_body(request: Request, model: type[Model], several: type[Many] | None = None) -> Model | Many:
    """The request's JSON body as a `model`, or as `several` when it has `observations`. ApiError 400, 413 or 415 otherwise."""
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise errors.unsupported_media_type()
    body = await request.body()
    if len(body) > BODY_LIMIT:
        raise errors.payload_too_large(BODY_LIMIT)
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise errors.invalid("body", "malformed_json", f"the body is not JSON: {error}") from None
    try:
        if several is not None and isinstance(document, dict) and "observations" in document:
            return several.model_validate(document)
        return model.model_validate(document)
    except ValidationError as error:
        raise errors.invalid_all(validation_problems(error.errors(include_url=False))) from None


async def idempotency_key(request: Request, instance_id: str | None = None) -> IdempotencyRecord | None:
    """The record of the request's Idempotency-Key, None when it has no key. ApiError 400 for a key that is not valid.

    The record is stored with the instance, or with the account when the request creates an instance. Call it after `read_body`,
    which has checked the body.
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
    body = canonical(from_json(await request.body()))
    return IdempotencyRecord(pk, key, sha256(f"{request.scope['path']}\n{body}".encode()).hexdigest(), now())


def encode_data(data: Any) -> bytes:
    """The body of a success: `{"data": ...}`."""
    return to_json({"data": data})


def data_response(data: Any, status: int = 200) -> Response:
    """A success."""
    return json_response(encode_data(data), status)


def page_response(rows: Sequence[Any], *, limit: int, offset: int, total: int) -> Response:
    """A list: one page of rows, and its position in the whole."""
    more = offset + len(rows) < total
    pagination = {"limit": limit, "offset": offset, "total": total, "has_more": more and bool(rows)}
    return json_response(to_json({"data": rows, "pagination": pagination}))


def json_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response whose body is encoded already."""
    return Response(body, status, dict(headers or {}), "application/json")
