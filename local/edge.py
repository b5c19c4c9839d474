"""The API's edge on this machine: what API Gateway does between a caller and the functions.

Finds the function for a path, has the authorizer look at the key (and keeps its answer as long as the template says), answers
by itself with the template's gateway answers, and calls the function's app with scope["aws.event"] set, as Mangum does.
"""

import re
import time
from importlib import import_module
from typing import Any, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from identity_service.log import logger
from local import template

#: Bytes that API Gateway takes; the functions stop earlier and say so.
PAYLOAD_LIMIT: Final = 10 * 1024 * 1024
_ARN: Final = "arn:aws:execute-api:local:000000000000:local/local"


class AuthorizerFailed(Exception):
    """The authorizer said neither yes nor no."""


class Edge:
    """An ASGI app. `docs` serves what no route has, None for nothing."""

    def __init__(self, docs: ASGIApp | None = None) -> None:
        self._docs = docs
        self._routes = [
            (re.compile(re.sub(r"\\\{[^/]+\\\}", "[^/]+", re.escape(route.path))), route) for route in template.routes()
        ]
        self._apps: dict[str, ASGIApp] = {
            name: import_module(f"functions.{name}.app").app for name in {r.function for _, r in self._routes}
        }
        self._authorize: Any = import_module("functions.authorizer.app").handler
        expression, self._keep = template.authorizer()
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
        """The gateway's own answer, or None when a function has answered."""
        request = Request(scope, receive)
        route = next((route for shape, route in self._routes if shape.fullmatch(scope["path"])), None)
        if route is None:
            if self._docs is None or scope["path"].startswith("/v1/"):
                return _gateway("MISSING_AUTHENTICATION_TOKEN", request_id)
            await self._docs(scope, receive, send)
            return None
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
        async for part in request.stream():
            body += part
            if len(body) > PAYLOAD_LIMIT:
                return _gateway("REQUEST_TOO_LARGE", request_id)

        async def received() -> dict[str, Any]:
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        event = {
            "resource": route.path,
            "path": scope["path"],
            "httpMethod": scope["method"],
            "requestContext": context,
        }
        await self._apps[route.function]({**scope, "aws.event": event, "aws.context": {}}, received, send)
        return None

    def _principal(self, header: str, scope: Scope) -> dict[str, Any] | None:
        if not self._expression.fullmatch(header):
            return None
        until, principal = self._known.get(header, (0.0, {}))
        if until > time.monotonic():
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
        self._known[header] = (time.monotonic() + self._keep, context)
        return context


def _gateway(kind: str, request_id: str) -> Response:
    answer = template.gateway_response(kind)
    headers = {name: request_id if value is None else value for name, value in answer.headers.items()}
    return JSONResponse(answer.body, answer.status, headers)
