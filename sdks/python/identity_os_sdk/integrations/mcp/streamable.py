"""A server over Streamable HTTP, for a relay: each message of the client is a POST, and what comes back are messages as lines.

Both generations of the transport. Up to 2025-11-25: a session id, a stream of the server's own by GET, streams that are taken
up again, a DELETE at the end. From 2026-07-28 on: headers that repeat the request, and a closed stream that cancels it.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from . import headers as h
from . import messages as m
from .sse import Event, events, one_line

log = logging.getLogger("identity_os_sdk.mcp")

#: Connecting may take this long; an answer may take as long as the client waits.
TIMEOUT: Final = httpx.Timeout(None, connect=10.0, pool=10.0)
#: Each stream that waits for changes keeps a connection.
LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=20)
#: For what has no answer.
_SHORT: Final = httpx.Timeout(10.0)
#: Seconds before a broken stream is taken up again, and how often in a row that may bring nothing.
_AGAIN: Final = 1.0
_TRIES: Final = 5
#: Seconds that requests have to end once the client has left.
_GRACE: Final = 1.0


@dataclass
class _Place:
    """Where a stream broke off. `over`: there is nothing to take up."""

    event_id: str | None = None
    wait: float = _AGAIN
    over: bool = False


class Server:
    """The server at `url`. `deliver(line)` gets its messages; `given` are headers for each request."""

    def __init__(self, url: str, given: Mapping[str, str], deliver: Callable[[bytes], Awaitable[None]]) -> None:
        self._url, self._deliver = httpx.URL(url), deliver
        self._http = httpx.AsyncClient(headers=dict(given), timeout=TIMEOUT, limits=LIMITS)
        self._session: str | None = None
        self._version: str | None = None
        self._tools: dict[str, h.ParamHeaders] = {}
        self._requests: dict[str, tuple[asyncio.Task[None], bool]] = {}  # and whether they carry their version
        self._stream: asyncio.Task[None] | None = None

    def learn(self, listed: Any) -> None:
        """Take from a list of tools which arguments are repeated as headers."""
        for tool in listed.get("tools") or () if isinstance(listed, dict) else ():
            if isinstance(tool, dict):
                self._tools[str(tool.get("name"))] = h.param_headers(tool.get("inputSchema"))

    async def send(self, raw: bytes, message: Any) -> None:
        """Send a message of the client. A request goes on beside the others, anything else is waited for."""
        if isinstance(message, dict) and message.get("method") and message.get("id") is not None:
            task = asyncio.create_task(self._request(raw, message))
            request_id = m.key(message["id"])
            self._requests[request_id] = (task, m.is_modern(message))
            task.add_done_callback(lambda _: self._over(request_id, task))
            return
        method = message.get("method") if isinstance(message, dict) else None
        if method == "notifications/cancelled":
            known = self._requests.get(m.key(m.params(message).get("requestId")))
            if known is not None and known[1]:
                known[0].cancel()  # the stream closes, which is the signal
            if (known is not None and known[1]) or (known is None and self._version is None):
                return
        try:
            async with self._post(raw, message, _SHORT) as response:
                if response.status_code >= 400:
                    log.warning("the server answered %s with HTTP %d", method or "a message", response.status_code)
        except httpx.HTTPError as error:
            log.warning("the server did not take %s: %s", method or "a message", error or type(error).__name__)
        if method == "notifications/initialized":
            self._stream = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """End the requests that do not end by themselves, and the session."""
        tasks = {task for task, _ in self._requests.values()}
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE)
        for task in (*tasks, self._stream):
            if task is not None:
                task.cancel()
        if self._session is not None:
            with contextlib.suppress(httpx.HTTPError):
                await self._http.delete(self._url, headers=self._headers(None), timeout=_GRACE)
        await self._http.aclose()

    def _over(self, request_id: str, task: asyncio.Task[None]) -> None:
        if self._requests.get(request_id, (None, False))[0] is task:
            del self._requests[request_id]
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, ConnectionError):
            log.error("an answer was not passed on", exc_info=error)

    def _headers(self, message: Any) -> dict[str, str]:
        own = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        if isinstance(message, dict) and m.is_modern(message):
            return own | h.modern(message, self._tools.get(str(m.params(message).get("name")), ()))
        if isinstance(message, dict) and message.get("method") == "initialize":
            return own
        return own | h.legacy(self._session, self._version)

    @contextlib.asynccontextmanager
    async def _post(self, raw: bytes, message: Any, timeout: httpx.Timeout = TIMEOUT) -> AsyncIterator[httpx.Response]:
        """Post a message. A redirect that stays with the server is followed, once."""
        for last in (False, True):
            headers = self._headers(message)
            request = self._http.build_request("POST", self._url, content=raw.strip(), headers=headers, timeout=timeout)
            response = await self._http.send(request, stream=True)
            moved = response.next_request.url if response.status_code in (307, 308) and response.next_request else None
            if last or moved is None or h.origin(moved) != h.origin(self._url):
                break
            await response.aclose()
            self._url = moved
        try:
            yield response
        finally:
            await response.aclose()

    async def _request(self, raw: bytes, message: dict[str, Any]) -> None:
        request_id, place = message["id"], _Place()
        try:
            async with self._post(raw, message) as response:
                if message["method"] == "initialize":
                    self._session = response.headers.get("mcp-session-id")
                why = await self._answer(response, message, place)
        except httpx.HTTPError as error:
            why = f"the MCP server does not answer: {error or type(error).__name__}"
        if why is not None and place.event_id is not None:
            why = await self._again(message, place)
        if why is not None:
            await self._deliver(m.error(request_id, m.INTERNAL_ERROR, why))

    async def _answer(self, response: httpx.Response, message: dict[str, Any], place: _Place) -> str | None:
        """Deliver what a response holds. None when the request was answered, else why not."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.is_success and kind == "text/event-stream":
            async for each in events(response.aiter_bytes()):
                if await self._event(each, message, place):
                    return None
            return "the MCP server's stream ended without an answer"
        body = await response.aread()
        found = m.read(body)
        if isinstance(found, dict) and ("result" in found or "error" in found):
            # An error before the server has read the request has no id, or one of the server's own.
            same = m.key(found.get("id")) == m.key(message["id"])
            line = one_line(body) if same else m.write({**found, "id": message["id"]})
            await self._got(found, message)
            await self._deliver(line)
            return None
        return f"the MCP server answered with HTTP {response.status_code} {response.reason_phrase}".rstrip()

    async def _event(self, found: Event, message: dict[str, Any] | None, place: _Place) -> bool:
        """Deliver an event. Whether it answers the request."""
        place.event_id = found.event_id or place.event_id
        place.wait = place.wait if found.retry is None else found.retry / 1000
        if found.message is None:
            return False
        said = m.read(found.message)
        answers = isinstance(said, dict) and "method" not in said and message is not None
        if message is not None and answers:
            await self._got(said, message)
        await self._deliver(found.message)
        return answers

    async def _got(self, said: Any, message: dict[str, Any]) -> None:
        """The version that the answer to `initialize` names is that of the session."""
        if message["method"] == "initialize" and isinstance(said.get("result"), dict):
            self._version = said["result"].get("protocolVersion")

    async def _again(self, message: dict[str, Any] | None, place: _Place) -> str | None:
        """Take up a stream where it broke off, as often as that brings something. As `_answer`."""
        why, tries = None, 0
        while tries < _TRIES and not place.over:
            before = place.event_id
            why = await self._resume(message, place)
            if why is None:
                break
            tries = tries + 1 if place.event_id == before else 0
        return why

    async def _resume(self, message: dict[str, Any] | None, place: _Place) -> str | None:
        await asyncio.sleep(place.wait)
        place.wait = place.wait or _AGAIN
        named = {} if place.event_id is None else {"Last-Event-ID": place.event_id}
        request = self._http.build_request("GET", self._url, headers=self._headers(None) | named)
        try:
            response = await self._http.send(request, stream=True)
            try:
                response.raise_for_status()
                async for each in events(response.aiter_bytes()):
                    if await self._event(each, message, place):
                        return None
            finally:
                await response.aclose()
        except httpx.HTTPStatusError:
            place.over = True
            return f"the MCP server's stream cannot be taken up again: HTTP {response.status_code}"
        except httpx.HTTPError as error:
            return f"the MCP server's stream broke off: {error or type(error).__name__}"
        return "the MCP server's stream ended without an answer"

    async def _listen(self) -> None:
        """The server's own stream: requests and notifications that belong to no request. Not every server has one."""
        await self._again(None, _Place(wait=0.0))
