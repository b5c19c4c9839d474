"""The middleware of every function: scopes of keys, request ids, rate limit headers, CORS, error responses, HEAD.

`errors` defines the errors; this is the only module that turns an exception into a response.
"""

from typing import Any
from uuid import uuid4

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from identity_service import errors, scopes
from identity_service.engines import UnknownEngine
from identity_service.errors import ApiError
from identity_service.http import SCOPE, audited_response, json_response, meter
from identity_service.limits import Meter
from identity_service.log import logger
from identity_service.principal import principal_of
from identity_service.store.dynamodb import Conflict, StoreUnavailable
from identity_service.store.idempotency import Replayed
from identity_service.validation_errors import validation_problems

#: Keys travel in a header, never in a cookie, so any page may call. The gateway adds the same to its own responses.
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "X-Request-Id, X-Key-Scope, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, "
    "X-Monthly-Limit, X-Monthly-Remaining, X-Audit-Digest, Idempotent-Replayed, Retry-After",
}
_CORS = [(name.lower().encode(), value.encode()) for name, value in CORS.items()]


class RequestMiddleware:
    """Gives each request an id, adds id and rate limit headers to the response, turns exceptions into error responses."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = scope.get("aws.event", {}).get("requestContext", {})
        state: dict[str, Any] = {"meter": None, "request_id": context.get("requestId") or str(uuid4())}
        if scope["method"] == "HEAD":
            # Served and counted as GET: same status, same headers. Only the body stays behind.
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        scope[SCOPE] = state

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = {"X-Request-Id": state["request_id"]}
                if state["meter"] is not None:
                    headers |= state["meter"].headers()
                message["headers"] = [
                    *message.get("headers", []),
                    *_CORS,
                    *((name.lower().encode(), value.encode()) for name, value in headers.items()),
                ]
            await send(message)

        try:
            _check_scope(scope)
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            response = await error_response(Request(scope, receive), error)
            await response(scope, receive, send_with_headers)


def _check_scope(scope: Scope) -> None:
    """ApiError 403 when the caller's key does not cover the operation, 404 when it is bound to other instances."""
    event = scope.get("aws.event", {})
    principal = principal_of(event)
    if principal is None:
        return
    # The caller is known from here on, so that a refused request is counted, too.
    scope[SCOPE]["meter"] = Meter(principal)
    method, resource = event["httpMethod"], event["resource"]
    needs = scopes.needed(method, resource)
    if not scopes.allows(principal.scope, needs):
        raise errors.insufficient_scope(principal.scope, needs)
    if principal.bound_to:
        if scopes.creates(method, resource):
            raise errors.bound_key(principal.scope, needs)
        instance_id = scopes.instance_in(scope["path"], resource)
        if instance_id is not None and instance_id not in principal.bound_to:
            raise errors.not_found("instance")


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


async def error_response(request: Request, error: Exception) -> Response:
    """The response for an exception: an error response, or the stored response of a replayed request."""
    if isinstance(error, Replayed) and error.same:
        return audited_response(error.body, error.digest, error.status, {"Idempotent-Replayed": "true"})
    api_error = _api_error(request, error)
    if request.scope.get("aws.event") and (counting_error := _count_failed_request(request)) is not None:
        api_error = counting_error
    return json_response(to_json(api_error.body()), api_error.status, api_error.headers)


def _count_failed_request(request: Request) -> ApiError | None:
    """Count a request that failed before it was counted. Returns a 429 or 503 to respond with instead, None otherwise."""
    try:
        request_meter = meter(request)
        if request_meter.counts is None:
            request_meter.count_request()
    except ApiError as error:
        return error if error.status == 429 else None
    except StoreUnavailable:
        return errors.service_unavailable()
    except Exception:  # the error being handled must still get a response
        logger().exception("request not counted", request_id=request.scope[SCOPE]["request_id"])
    return None


def _api_error(request: Request, error: Exception) -> ApiError:
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return errors.invalid_all(validation_problems(error.errors()))
        case HTTPException(status_code=404):
            return errors.not_found("route")
        case HTTPException(status_code=405):
            return errors.method_not_allowed(_allowed_methods(request))
        case Replayed():
            return errors.conflict("this Idempotency-Key was used for a different request; use a new key")
        case Conflict():
            return errors.conflict("concurrent requests kept changing this; try again")
        case StoreUnavailable():
            logger().error("store unavailable", reason=str(error), request_id=request.scope[SCOPE]["request_id"])
            return errors.service_unavailable()
        case UnknownEngine():
            # A deployment half way: an older function meets an agent of a newer engine.
            logger().error("unknown engine", version=error.version, request_id=request.scope[SCOPE]["request_id"])
            return errors.service_unavailable(f"{error}; try again", 5)
    logger().exception("unexpected error", request_id=request.scope[SCOPE]["request_id"])
    return errors.internal_error()


def _allowed_methods(request: Request) -> str:
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
