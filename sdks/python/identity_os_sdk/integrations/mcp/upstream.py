"""The server behind a proxy that listens: requests passed on to it, and what its messages tell the gate on their way back."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any, Final

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from . import messages as m
from .calls import Call, Client
from .gate import Gate, log
from .relay import MOST_PAGES
from .sse import event, events
from .streamable import LIMITS, TIMEOUT

SESSION: Final = "mcp-session-id"
#: Headers of one connection, or of a body that may be another.
_OWN: Final = frozenset(
    ("host", "origin", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-authorization")
) | {"proxy-authenticate", "content-length", "content-encoding", "accept-encoding"}
_REMEMBERED: Final = 10_000


class Upstream:
    """The server at `url`. `given` are headers for each request; `clients` are those of sessions, by the session's id."""

    def __init__(self, gate: Gate, url: str, given: Mapping[str, str]) -> None:
        self._gate, self._url = gate, url
        self._given = {name.lower(): value for name, value in given.items()}
        self._http = httpx.AsyncClient(timeout=TIMEOUT, limits=LIMITS)
        self.clients: OrderedDict[str, Client] = OrderedDict()
        # Calls whose stream broke off: a session may take it up again by GET.
        self._unanswered: OrderedDict[tuple[str, str], Call] = OrderedDict()

    def client(self, request: Request) -> Client | None:
        """Who calls, where it is known from the beginning of its session."""
        return self.clients.get(request.headers.get(SESSION, ""))

    async def passed(self, request: Request, body: bytes, message: dict[str, Any] | None, call: Call | None) -> Response:
        """The server's response, as it comes, with its messages looked at."""
        work = self._fetched(request, body)
        # Without a session, a caller that leaves cancels its request; in a session it may come back for the answer.
        modern = message is not None and m.is_modern(message)
        try:
            response = await (_while_there(request, work) if modern else work)
        except httpx.HTTPError as error:
            why = f"the MCP server does not answer: {error or type(error).__name__}"
            log.warning(why)
            if call is not None:
                await self._gate.lost(call, why)
            return json_response(m.error(message.get("id") if message else None, m.INTERNAL_ERROR, why), 502)
        if response is None:
            return Response(status_code=499)
        shown = {name: value for name, value in response.headers.items() if name not in _OWN}
        if request.method == "DELETE" and response.is_success:
            self.clients.pop(request.headers.get(SESSION, ""), None)
        if _streams(response):
            stream = self._events(response, message, call, request.headers.get(SESSION, ""))
            return StreamingResponse(stream, response.status_code, shown)
        answer = response.content
        return Response(await self._seen(m.read(answer), answer, message, call, response.headers), response.status_code, shown)

    async def _fetched(self, request: Request, body: bytes) -> httpx.Response:
        """The server's response: a stream that has begun, or anything else in full."""
        sent = self._http.build_request(request.method, self._url, content=body, headers=self._headers(request))
        response = await self._http.send(sent, stream=True)
        try:
            if not _streams(response):
                await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response

    async def _events(
        self, response: httpx.Response, message: dict[str, Any] | None, call: Call | None, session: str
    ) -> AsyncIterator[bytes]:
        open_call, why = call, ""  # why is empty when the caller has left
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
            why = "the MCP server's stream ended without an answer"
        except httpx.HTTPError as error:
            why = f"the MCP server's stream broke off: {error or type(error).__name__}"
        finally:
            if open_call is not None and session:
                self._unanswered[session, m.key(open_call.message.get("id"))] = open_call
                while len(self._unanswered) > _REMEMBERED:
                    self._unanswered.popitem(last=False)
            elif open_call is not None and why:
                await self._gate.lost(open_call, why)
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
        elif asked == "initialize" and headers.get(SESSION):
            self.clients[headers[SESSION]] = Client.of(message)
            while len(self.clients) > _REMEMBERED:
                self.clients.popitem(last=False)
        return raw

    async def learn(self, request: Request, message: dict[str, Any]) -> None:
        """List the tools if no client has, with the headers of the call."""
        name, cursor = str(m.params(message).get("name", "")), None
        for _ in range(MOST_PAGES):
            if not self._gate.wants_list(name):
                return
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
                break
        self._gate.learn(None)

    def _headers(self, request: Request) -> dict[str, str]:
        return {name: value for name, value in request.headers.items() if name not in _OWN} | self._given


async def _while_there(request: Request, work: Coroutine[Any, Any, httpx.Response]) -> httpx.Response | None:
    """What the work brings, None when the caller has left; the work is ended then."""

    async def left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.create_task(work), asyncio.create_task(left())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        leaving.cancel()


def _streams(response: httpx.Response) -> bool:
    return str(response.headers.get("content-type", "")).startswith("text/event-stream")


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def json_response(body: bytes, status: int = 200) -> Response:
    """A message as a response."""
    return Response(body.rstrip(), status, media_type="application/json")
