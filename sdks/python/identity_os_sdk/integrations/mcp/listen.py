"""The proxy over HTTP on both sides: it listens, and passes on to a server over Streamable HTTP.

Bodies and streams go through as they are. A tool call is judged first, its answer is looked at on the way back. Only the path
of the server's address is served. All clients are one agent.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx
import uvicorn
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from . import messages as m
from .calls import Answer, Ask, Call, Client, Forward
from .gate import Gate, log
from .sse import event
from .upstream import Upstream, json_response

#: Seconds between comments while a person is asked, so that nothing between closes the stream.
_ALIVE: Final = 15.0


def serve(gate: Gate, url: str, headers: Mapping[str, str], host: str, port: int) -> None:
    """Serve until the process is told to end."""
    front = Front(gate, url, headers, loopback=host in ("127.0.0.1", "localhost", "::1"))
    log.info("listening on http://%s:%d%s", host, port, front.path)
    uvicorn.run(front.app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=2)
    asyncio.run(gate.close())


class Front:
    """The ASGI application (`app`), and what it remembers between requests."""

    def __init__(self, gate: Gate, url: str, headers: Mapping[str, str], *, loopback: bool) -> None:
        self._gate, self._upstream = gate, Upstream(gate, url, headers)
        # Web pages of elsewhere may not call, nor names that were made to point here. Other programs send no Origin.
        names = [f"{name}{end}" for name in ("127.0.0.1", "localhost", "[::1]") for end in ("", ":*")]
        own = TransportSecuritySettings(allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names])
        self._security = TransportSecurityMiddleware(own) if loopback else None
        self._questions: dict[str, tuple[Call, asyncio.Future[Any]]] = {}
        self.path = httpx.URL(url).path or "/"
        self.app = Starlette(routes=[Route(self.path, self._serve, methods=["POST", "GET", "DELETE"])])

    async def _serve(self, request: Request) -> Response:
        refused = await self._refused(request)
        if refused is not None:
            return refused
        body = await request.body()
        message = m.read(body) if request.method == "POST" else None
        if message is m.UNREADABLE and m.may_call(body):
            return json_response(m.unreadable(), 400)
        if isinstance(message, list) and m.is_call(message):
            return json_response(m.error(None, m.INVALID_REQUEST, "Invalid Request: send calls of tools one by one"), 400)
        if not isinstance(message, dict):
            return await self._upstream.passed(request, body, None, None)
        if m.is_call(message):
            return await self._call(request, body, message)
        waiting = self._questions.get(m.key(message.get("id"))) if "method" not in message else None
        if waiting is not None:
            m.settle(waiting[1], message.get("result"))
            return Response(status_code=202)
        if message.get("method") == "notifications/cancelled" and self._gave_up(request, message):
            return Response(status_code=202)
        return await self._upstream.passed(request, body, message, None)

    async def _refused(self, request: Request) -> Response | None:
        if self._security is None:
            return Response("Invalid Origin header", status_code=403) if "origin" in request.headers else None
        refused: Response | None = await self._security.validate_request(request)
        return refused

    async def _call(self, request: Request, body: bytes, message: dict[str, Any]) -> Response:
        client = self._upstream.client(request) or Client()
        await self._upstream.learn(request, message)
        step = await self._gate.before(message, body, client)
        if isinstance(step, Answer):
            return Response(status_code=202) if message.get("id") is None else json_response(step.raw)
        if isinstance(step, Ask):
            return StreamingResponse(self._asking(request, step), media_type="text/event-stream")
        return await self._upstream.passed(request, step.call.raw, step.call.message, step.call)

    async def _asking(self, request: Request, step: Ask) -> AsyncIterator[bytes]:
        """The stream of a call that waits for a person: the question, then what the call became."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._questions[step.question_id] = (step.call, answer)
        try:
            yield event(step.question)
            while not (await asyncio.wait({answer}, timeout=_ALIVE))[0]:
                yield b": waiting for a person\n\n"
        finally:
            del self._questions[step.question_id]
        if step.call.cancelled:
            return
        then = await self._gate.decided(step.call, answer.result())
        if isinstance(then, Answer):
            yield event(then.raw)
        elif isinstance(then, Forward):
            response = await self._upstream.passed(request, then.call.raw, then.call.message, then.call)
            async for chunk in _as_events(response, then.call.message):
                yield chunk

    def _gave_up(self, request: Request, message: dict[str, Any]) -> bool:
        """Whether a cancelled request is a call that waits for a person, which the server has not seen."""
        client, cancelled = self._upstream.client(request), m.key(m.params(message).get("requestId"))
        for call, answer in self._questions.values():
            if client is not None and call.client is client and m.key(call.message.get("id")) == cancelled:
                call.cancelled = True
                m.settle(answer, None)
                return True
        return False


async def _as_events(response: Response, message: dict[str, Any]) -> AsyncIterator[bytes]:
    """A response within a stream that has begun."""
    if isinstance(response, StreamingResponse):
        async for chunk in response.body_iterator:
            yield chunk if isinstance(chunk, bytes) else bytes(str(chunk), "utf-8")
        return
    body = bytes(response.body)
    said = m.read(body)
    if not (isinstance(said, dict) and ("result" in said or "error" in said)):
        body = m.error(message.get("id"), m.INTERNAL_ERROR, f"the MCP server answered with HTTP {response.status_code}")
    yield event(body)
