"""The frame around every function: an app that answers in the API's one shape, whatever happens inside it.

Turns bodies into values, values and errors into JSON, and puts the request id and the limits on every answer. Business rules
do not live here.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, TypeVar, overload
from uuid import uuid4

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from identity_engine import canonical
from identity_service import errors
from identity_service.clock import now
from identity_service.errors import ApiError
from identity_service.legacy import Legacy
from identity_service.limits import Meter
from identity_service.log import logger
from identity_service.principal import principal_of
from identity_service.problems import problems_of
from identity_service.store.accounts import account_key
from identity_service.store.claims import Claim, Repeated
from identity_service.store.instances import partition
from identity_service.store.table import Conflict, StoreUnavailable

#: Bytes of a request body: room for a batch of 100 observations with full contexts.
BODY_LIMIT = 1_048_576
_LONGEST_KEY = 255

Model = TypeVar("Model", bound=BaseModel)
Many = TypeVar("Many", bound=BaseModel)


def create_app(title: str) -> FastAPI:
    """The app of one function. Interactive docs come from the local edge, over all groups at once."""
    app = FastAPI(title=title, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(Frame)
    app.add_middleware(Legacy)
    app.add_exception_handler(HTTPException, _render)
    app.add_exception_handler(RequestValidationError, _render)
    return app


def lambda_handler(app: FastAPI) -> Callable[[dict[str, Any], Any], Any]:
    """What Lambda calls."""
    from mangum import Mangum

    # Mangum asks for the thread's current loop, which newer Pythons no longer make by themselves.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    adapter = Mangum(app, lifespan="off")

    def handler(event: dict[str, Any], context: Any) -> Any:
        asyncio.set_event_loop(loop)
        return adapter(event, context)

    return handler


def meter(request: Request) -> Meter:
    """The caller's meter; ApiError 401 when the authorizer let nobody through."""
    state = request.scope["frame"]
    if state.get("meter") is None:
        principal = principal_of(request.scope.get("aws.event", {}))
        if principal is None:
            raise errors.unauthorized()
        state["meter"] = Meter(principal)
    found: Meter = state["meter"]
    return found


def encoded(data: Any) -> bytes:
    """A success: `{"data": ...}`."""
    return to_json({"data": data})


def answer(data: Any, status: int = 200) -> Response:
    """A success, encoded once."""
    return made(encoded(data), status)


def made(body: bytes, status: int = 200) -> Response:
    """A success that is encoded already."""
    return Response(body, status, media_type="application/json")


async def claim(request: Request, instance_id: str | None = None) -> Claim | None:
    """The request under its Idempotency-Key, None when it has none; ApiError 400 for a key that cannot be one.

    Its record lives with the instance, or with the account where there is no instance yet. For a body that `read` accepted.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= _LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise errors.invalid(
            "Idempotency-Key", "out_of_range", f"Idempotency-Key: use 1 to {_LONGEST_KEY} printable ASCII characters"
        )
    account_id = meter(request).principal.account_id
    pk = account_key(account_id)["PK"] if instance_id is None else partition(account_id, instance_id)
    body = canonical(from_json(await request.body()))
    return Claim(pk, key, sha256(f"{request.scope['path']}\n{body}".encode()).hexdigest(), now())


def answer_page(rows: Sequence[Any], *, limit: int, offset: int, total: int) -> Response:
    """A list: its rows and where they stand in the whole."""
    more = offset + len(rows) < total
    pagination = {"limit": limit, "offset": offset, "total": total, "has_more": more and bool(rows)}
    return _json({"data": rows, "pagination": pagination}, 200)


@overload
async def read(request: Request, model: type[Model]) -> Model: ...
@overload
async def read(request: Request, model: type[Model], several: type[Many]) -> Model | Many: ...
async def read(request: Request, model: type[Model], several: type[Many] | None = None) -> Model | Many:
    """The request's JSON body as a `model`, or as `several` when it holds observations; ApiError 400, 413, 415 when neither."""
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
        raise errors.invalid_all(problems_of(error.errors(include_url=False))) from None


class Frame:
    """Innermost of all middlewares: names the request, meters what nobody metered, and lets no exception out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = scope.get("aws.event", {}).get("requestContext", {})
        state: dict[str, Any] = {"meter": None, "request_id": context.get("requestId") or str(uuid4())}
        scope["frame"] = state

        async def send_framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = {"X-Request-Id": state["request_id"]}
                if state["meter"] is not None:
                    headers |= state["meter"].headers()
                message["headers"] = [
                    *message.get("headers", []),
                    *((name.lower().encode(), value.encode()) for name, value in headers.items()),
                ]
            await send(message)

        try:
            await self.app(scope, receive, send_framed)
        except Exception as error:
            response = await _render(Request(scope, receive), error)
            await response(scope, receive, send_framed)


async def _render(request: Request, error: Exception) -> Response:
    if isinstance(error, Repeated) and error.same:
        return Response(error.body, error.status, {"Idempotent-Replayed": "true"}, "application/json")
    found = _api_error(request, error)
    if request.scope.get("aws.event") and (metered := _metered(request)) is not None:
        found = metered
    return _json(found.body(), found.status, found.headers)


def _metered(request: Request) -> ApiError | None:
    """Count a request that failed before it was counted; the 429 if that is what it should get instead."""
    try:
        count = meter(request)
        if count.counts is None:
            count.charge()
    except ApiError as error:
        return error if error.status == 429 else None
    except StoreUnavailable:
        return errors.service_unavailable()
    except Exception:  # the error that is being answered already must get out
        logger().exception("request not counted", request_id=request.scope["frame"]["request_id"])
    return None


def _api_error(request: Request, error: Exception) -> ApiError:
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return errors.invalid_all(problems_of(error.errors()))
        case HTTPException(status_code=404):
            return errors.not_found("route")
        case HTTPException(status_code=405):
            return errors.method_not_allowed(_allowed(request))
        case Repeated():
            return errors.conflict("this Idempotency-Key came with another request; use a new one")
        case Conflict():
            return errors.conflict("others kept changing this at the same time; try again")
        case StoreUnavailable():
            logger().error("store unavailable", reason=str(error), request_id=request.scope["frame"]["request_id"])
            return errors.service_unavailable()
    logger().exception("unexpected error", request_id=request.scope["frame"]["request_id"])
    return errors.internal_error()


def _allowed(request: Request) -> str:
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods - {"HEAD"}))


def _json(body: Any, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(to_json(body), status, dict(headers or {}), "application/json")
