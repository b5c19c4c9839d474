"""The middleware of every function: request ids, limit headers, and one error shape.

`errors` says which errors there are; this is the one place that turns an exception into a response.
"""

from typing import Any
from uuid import uuid4

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from identity_service import errors
from identity_service.errors import ApiError
from identity_service.http import SCOPE, json_response, meter
from identity_service.log import logger
from identity_service.store.dynamodb import Conflict, StoreUnavailable
from identity_service.store.idempotency import Replayed
from identity_service.validation_errors import validation_problems


class RequestMiddleware:
    """Gives each request an id, puts id and limits on its response, and turns every exception into an error response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        context = scope.get("aws.event", {}).get("requestContext", {})
        state: dict[str, Any] = {"meter": None, "request_id": context.get("requestId") or str(uuid4())}
        scope[SCOPE] = state

        async def send_with_headers(message: Message) -> None:
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
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            response = await error_response(Request(scope, receive), error)
            await response(scope, receive, send_with_headers)


async def error_response(request: Request, error: Exception) -> Response:
    """The response to a request that raised `error`: an error in the API's shape, or the stored response of a replay."""
    if isinstance(error, Replayed) and error.same:
        return json_response(error.body, error.status, {"Idempotent-Replayed": "true"})
    found = _api_error(request, error)
    if request.scope.get("aws.event") and (refused := _count_failed_request(request)) is not None:
        found = refused
    return json_response(to_json(found.body()), found.status, found.headers)


def _count_failed_request(request: Request) -> ApiError | None:
    """Count a request that failed before it was counted. The 429 or 503 to answer instead, None when the request counts."""
    try:
        count = meter(request)
        if count.counts is None:
            count.count_request()
    except ApiError as error:
        return error if error.status == 429 else None
    except StoreUnavailable:
        return errors.service_unavailable()
    except Exception:  # the error that is being answered already must get out
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
            return errors.conflict("this Idempotency-Key came with another request; use a new one")
        case Conflict():
            return errors.conflict("others kept changing this at the same time; try again")
        case StoreUnavailable():
            logger().error("store unavailable", reason=str(error), request_id=request.scope[SCOPE]["request_id"])
            return errors.service_unavailable()
    logger().exception("unexpected error", request_id=request.scope[SCOPE]["request_id"])
    return errors.internal_error()


def _allowed_methods(request: Request) -> str:
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods - {"HEAD"}))
