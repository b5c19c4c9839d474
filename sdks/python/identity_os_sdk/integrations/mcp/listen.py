"""The proxy over HTTP on both sides: it listens, and passes on to a server over Streamable HTTP.

Bodies and streams go through as they are. A tool call is judged first, its answer is looked at on the way back. Only the path
of the server's address is served. All clients are one agent.
"""

import asyncio
import logging
from collections import OrderedDict
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
from .gate import Gate
from .sse import event, events
from .streamable import TIMEOUT

log = logging.getLogger("identity_os_sdk.mcp")

_SESSION: Final = "mcp-session-id"
#: Headers of one connection, or of a body that may be another.
_OWN: Final = frozenset(
    ("host", "origin", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-authorization")
) | {"proxy-authenticate", "content-length", "content-encoding", "accept-encoding"}
_SESSIONS: Final = 10_000
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
        self._gate, self._url = gate, url
        self._given = {name.lower(): value for name, value in headers.items()}
        # Web pages of elsewhere may not call, nor names that were made to point here. Other programs send no Origin.
        names = [f"{name}{end}" for name in ("127.0.0.1", "localhost", "[::1]") for end in ("", ":*")]
        own = TransportSecuritySettings(allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names])
        self._security = TransportSecurityMiddleware(own) if loopback else None
        self._http = httpx.AsyncClient(timeout=TIMEOUT)
        self._clients: OrderedDict[str, Client] = OrderedDict()
        self._questions: dict[str, tuple[Call, asyncio.Future[Any]]] = {}
        # Calls whose stream broke off: a session may take it up again by GET.
        self._unanswered: OrderedDict[tuple[str, str], Call] = OrderedDict()
        self.path = httpx.URL(url).path or "/"
        self.app = Starlette(routes=[Route(self.path, self._serve, methods=["POST", "GET", "DELETE"])])

    async def _serve(self, request: Request) -> Response:
        refused = await self._refused(request)
        if refused is not None:
            return refused
        body = await request.body()
        message = m.read(body) if request.method == "POST" else None
        if message is m.UNREADABLE and m.may_call(body):
            return _json(m.unreadable(), 400)
        if isinstance(message, list) and m.is_call(message):
            return _json(m.error(None, m.INVALID_REQUEST, "Invalid Request: send calls of tools one by one"), 400)
        if not isinstance(message, dict):
            return await self._passed(request, body, None, None)
        if m.is_call(message):
            return await self._call(request, body, message)
        waiting = self._questions.get(m.key(message.get("id"))) if "method" not in message else None
        if waiting is not None:
            m.settle(waiting[1], message.get("result"))
            return Response(status_code=202)
        if message.get("method") == "notifications/cancelled" and self._gave_up(request, message):
            return Response(status_code=202)
        return await self._passed(request, body, message, None)

    async def _refused(self, request: Request) -> Response | None:
        if self._security is None:
            return Response("Invalid Origin header", status_code=403) if "origin" in request.headers else None
        refused: Response | None = await self._security.validate_request(request)
        return refused

    async def _call(self, request: Request, body: bytes, message: dict[str, Any]) -> Response:
        client = self._clients.get(request.headers.get(_SESSION, ""), Client())
        await self._learn(request, message)
        step = await self._gate.before(message, body, client)
        if isinstance(step, Answer):
            return Response(status_code=202) if message.get("id") is None else _json(step.raw)
        if isinstance(step, Ask):
            return StreamingResponse(self._asking(request, step), media_type="text/event-stream")
        return await self._passed(request, step.call.raw, step.call.message, step.call)

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
            response = await self._passed(request, then.call.raw, then.call.message, then.call)
            async for chunk in _as_events(response, then.call.message):
                yield chunk

    def _gave_up(self, request: Request, message: dict[str, Any]) -> bool:
        """Whether a cancelled request is a call that waits for a person, which the server has not seen."""
        client = self._clients.get(request.headers.get(_SESSION, ""))
        for call, answer in self._questions.values():
            if call.client is client and m.key(call.message.get("id")) == m.key(m.params(message).get("requestId")):
                call.cancelled = True
                m.settle(answer, None)
                return True
        return False

    async def _passed(self, request: Request, body: bytes, message: dict[str, Any] | None, call: Call | None) -> Response:
        """The server's response, as it comes, with its messages looked at."""
        sent = self._http.build_request(request.method, self._url, content=body, headers=self._headers(request))
        try:
            response = await self._http.send(sent, stream=True)
        except httpx.HTTPError as error:
            return await self._away(message, call, f"the MCP server does not answer: {error or type(error).__name__}")
        shown = {name: value for name, value in response.headers.items() if name not in _OWN}
        if request.method == "DELETE" and response.is_success:
            self._clients.pop(request.headers.get(_SESSION, ""), None)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            stream = self._events(response, message, call, request.headers.get(_SESSION, ""))
            return StreamingResponse(stream, response.status_code, shown)
        try:
            answer = await response.aread()
        except httpx.HTTPError as error:
            return await self._away(message, call, f"the MCP server's answer broke off: {error or type(error).__name__}")
        said = m.read(answer)
        return Response(await self._seen(said, answer, message, call, response.headers), response.status_code, shown)

    async def _events(
        self, response: httpx.Response, message: dict[str, Any] | None, call: Call | None, session: str
    ) -> AsyncIterator[bytes]:
        open_call, why = call, "the MCP server's stream ended without an answer"
        try:
            async for each in events(response.aiter_bytes()):
                if (line := each.message) is None:
                    yield each.raw
                    continue
                said = m.read(line)
                answers = isinstance(said, dict) and "method" not in said
                if answers and message is None:
                    open_call = self._unanswered.pop((session, m.key(said.get("id"))), None)
                seen = await self._seen(said, line, message, open_call, response.headers)
                open_call = None if answers else open_call
                yield each.raw if seen is line else event(seen, each.event_id)
        except httpx.HTTPError as error:
            why = f"the MCP server's stream broke off: {error or type(error).__name__}"
            log.warning(why)
        else:
            if open_call is not None and not session:
                await self._gate.lost(open_call, why)
        finally:
            if open_call is not None and session:
                self._unanswered[session, m.key(open_call.message.get("id"))] = open_call
                while len(self._unanswered) > _SESSIONS:
                    self._unanswered.popitem(last=False)
            await response.aclose()

    async def _seen(
        self, said: Any, raw: bytes, message: dict[str, Any] | None, call: Call | None, headers: Mapping[str, str]
    ) -> bytes:
        """Look at a message of the server. What the client gets: the same bytes, unless a note was added."""
        if not isinstance(said, dict):
            return raw
        method = said.get("method")
        if method == "notifications/tools/list_changed":
            self._gate.forget_list()
        elif method == "notifications/tasks" and self._gate.has_task(said):
            await self._gate.task(str(m.params(said)["taskId"]), "", said)
        if method is not None:
            return raw
        if call is not None:
            return await self._gate.after(call, said, raw)
        if message is None:
            return raw
        asked = message.get("method")
        if asked == "tools/list":
            self._gate.learn(said.get("result"))
        elif asked in ("tasks/get", "tasks/result") and self._gate.has_task(message):
            await self._gate.task(str(m.params(message)["taskId"]), str(asked), said)
        elif asked == "initialize" and headers.get(_SESSION):
            self._clients[headers[_SESSION]] = Client.of(message)
            while len(self._clients) > _SESSIONS:
                self._clients.popitem(last=False)
        return raw

    async def _learn(self, request: Request, message: dict[str, Any]) -> None:
        """List the tools if no client has, with the headers of the call."""
        name, cursor = str(m.params(message).get("name", "")), None
        while self._gate.wants_list(name):
            asked = m.list_request(message, cursor)
            kept = {
                key: value for key, value in self._headers(request).items() if not key.startswith(("mcp-name", "mcp-param-"))
            }
            if m.is_modern(message):
                kept["mcp-method"] = "tools/list"
            try:
                response = await self._http.post(self._url, content=m.write(asked), headers=kept, timeout=5.0)
                found = [m.read(each.message) async for each in events(_once(response.content)) if each.message]
                answers = [each for each in (*found, m.read(response.content)) if isinstance(each, dict) and "result" in each]
                cursor = self._gate.learn(answers[0]["result"] if answers else None)
            except httpx.HTTPError:
                self._gate.learn(None)

    async def _away(self, message: dict[str, Any] | None, call: Call | None, why: str) -> Response:
        if call is not None:
            await self._gate.lost(call, why)
        log.warning(why)
        return _json(m.error(message.get("id") if message else None, m.INTERNAL_ERROR, why), 502)

    def _headers(self, request: Request) -> dict[str, str]:
        return {name: value for name, value in request.headers.items() if name not in _OWN} | self._given


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


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body.rstrip(), status, media_type="application/json")
