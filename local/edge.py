"""The local edge: does API Gateway's work between callers and functions.

It routes a path to its function, calls the authorizer and caches its result for the template's TTL, returns the template's
gateway responses for its own errors, and calls the function's app with scope["aws.event"] set, as Mangum does.
"""

import re
import time
from importlib import import_module
from typing import Any, Final
from uuid import uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from identity_service.log import logger
from local import template

#: API Gateway's limit for a body in bytes; the functions have a lower limit with an error of their own.
PAYLOAD_LIMIT: Final = 10 * 1024 * 1024
_ARN: Final = "arn:aws:execute-api:local:000000000000:local/local"


class AuthorizerFailed(Exception):
    """The authorizer failed: it neither allowed nor denied the request."""


class Edge:
    """An ASGI app. `docs` serves paths without a route; None disables it."""

    def __init__(self, docs: ASGIApp | None = None) -> None:
        self._docs = docs
        self._routes = [
            (re.compile(re.sub(r"\\\{[^/]+\\\}", "[^/]+", re.escape(route.path))), route) for route in template.routes()
        ]
        self._apps: dict[str, ASGIApp] = {
            name: import_module(f"functions.{name}.app").app for name in {r.function for _, r in self._routes}
        }
        self._authorize: Any = import_module("functions.authorizer.app").handler
        expression, self._cache_seconds = template.authorizer()
        self._expression = re.compile(expression)
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request_id = str(uuid4())
        response = await self._serve(scope, receive, send, request_id)
        if response is not None:
            await response(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> Response | None:
        """The gateway's own response, or None when an app has sent the response or the client has disconnected."""
        request = Request(scope, receive)
        route = next((route for pattern, route in self._routes if pattern.fullmatch(scope["path"])), None)
        if route is None:
            if self._docs is None or scope["path"].startswith("/v1/"):
                return _gateway("MISSING_AUTHENTICATION_TOKEN", request_id)
            await self._docs(scope, receive, send)
            return None
        if scope["method"] == "OPTIONS":
            return JSONResponse({}, headers=template.preflight())
        context: dict[str, Any] = {
            "requestId": request_id,
            "resourcePath": route.path,
            "httpMethod": scope["method"],
            "path": scope["path"],
            "stage": "local",
        }
        if route.needs_key:
            try:
                principal = self._principal(request.headers.get("authorization", ""), scope)
            except AuthorizerFailed:
                return _gateway("AUTHORIZER_FAILURE", request_id)
            if principal is None:
                return _gateway("UNAUTHORIZED", request_id)
            context["authorizer"] = principal
        body = bytearray()
        try:
            async for part in request.stream():
                body += part
                if len(body) > PAYLOAD_LIMIT:
                    return _gateway("REQUEST_TOO_LARGE", request_id)
        except ClientDisconnect:
            # Half a body is no request. Nobody is there to get a response.
            return None

        async def receive_body() -> dict[str, Any]:
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        event = {
            "resource": route.path,
            "path": scope["path"],
            "httpMethod": scope["method"],
            "requestContext": context,
        }
        await self._apps[route.function]({**scope, "aws.event": event, "aws.context": {}}, receive_body, send)
        return None

    def _principal(self, header: str, scope: Scope) -> dict[str, Any] | None:
        if not self._expression.fullmatch(header):
            return None
        expires, principal = self._known.get(header, (0.0, {}))
        if expires > time.monotonic():
            return principal
        self._known.pop(header, None)
        event = {
            "type": "TOKEN",
            "authorizationToken": header,
            "methodArn": f"{_ARN}/{scope['method']}{scope['path']}",
        }
        try:
            policy = self._authorize(event, None)
        except Exception as error:
            if str(error) == "Unauthorized":
                return None
            logger().exception("the authorizer failed")
            raise AuthorizerFailed from error
        context: dict[str, Any] = policy["context"] | {"principalId": policy["principalId"]}
        self._known[header] = (time.monotonic() + self._cache_seconds, context)
        return context


def _gateway(kind: str, request_id: str) -> Response:
    response = template.gateway_response(kind)
    headers = {name: request_id if value is None else value for name, value in response.headers.items()}
    return JSONResponse(response.body, response.status, headers)
