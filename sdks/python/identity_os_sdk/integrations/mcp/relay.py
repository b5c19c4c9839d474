"""One conversation between a client and a server over two streams of messages, with the gate in between.

What nobody has to judge is passed on as it came, in order, at once. A tool call is judged in the order of arrival, beside
everything else: while a person is asked, or the engine is slow, all other messages pass.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from . import messages as m
from .calls import Answer, Ask, Call, Client
from .gate import Gate

log = logging.getLogger("identity_os_sdk.mcp")

#: Seconds to wait for the server's list of tools before a call is judged by the tool's name alone.
_LIST_TIMEOUT: Final = 5.0
#: Pages of a list that are read, at most.
MOST_PAGES: Final = 100
#: Notifications of a server that are looked at. While no answer is awaited, nothing else that it sends is read.
_WATCHED: Final = (b"notifications/tools/list_changed", b"notifications/tasks")

ToClient = Callable[[bytes], Awaitable[None]]
ToServer = Callable[[bytes, Any], Awaitable[None]]


@dataclass
class _Pending:
    """A request whose answer is looked at. `kind`: call, list, own (a list of the proxy's) or task."""

    kind: str
    call: Call | None = None
    answer: asyncio.Future[Any] | None = None
    task: tuple[str, str] = ("", "")


@dataclass
class _Question:
    """A call that waits for a person."""

    call: Call
    answer: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Relay:
    """`to_client(line)` and `to_server(line, message)` send on; `message` is the line as read, None if it is unreadable.

    `on_tools(result)` hears of each list of tools.
    """

    def __init__(
        self, gate: Gate, to_client: ToClient, to_server: ToServer, on_tools: Callable[[Any], None] | None = None
    ) -> None:
        self._gate, self._to_client, self._to_server = gate, to_client, to_server
        self._on_tools = on_tools
        self._client = Client()
        self._left = False
        self._pending: dict[str, _Pending] = {}
        self._held: dict[str, Call] = {}
        self._questions: dict[str, _Question] = {}
        self._order = asyncio.Lock()
        self._running: set[asyncio.Task[None]] = set()

    # From the client

    async def from_client(self, raw: bytes) -> None:
        """A message from the client, as a line."""
        message = m.read(raw)
        if message is m.UNREADABLE:
            await (self._to_client(m.unreadable()) if m.may_call(raw) else self._to_server(raw, None))
        elif isinstance(message, list) and m.is_call(message):
            # A batch (2025-03-26): each message for itself, since some of it may be denied.
            for each in message:
                await self.from_client(m.write(each))
        elif m.is_call(message):
            self._start(self._call(message, raw))
        elif isinstance(message, dict):
            await self._other(message, raw)
        else:
            await self._to_server(raw, message)

    async def _other(self, message: dict[str, Any], raw: bytes) -> None:
        method, request_id = message.get("method"), message.get("id")
        if method is None and m.key(request_id) in self._questions:
            m.settle(self._questions[m.key(request_id)].answer, message.get("result"))
            return
        if method == "notifications/cancelled":
            cancelled = m.key(m.params(message).get("requestId"))
            self._pending.pop(cancelled, None)
            if await self._gave_up(cancelled):
                return
        elif method == "initialize":
            self._client = Client.of(message)
        elif request_id is None:
            pass
        elif method == "tools/list":
            self._pending[m.key(request_id)] = _Pending("list")
        elif method in ("tasks/get", "tasks/result") and self._gate.has_task(message):
            self._pending[m.key(request_id)] = _Pending("task", task=(str(m.params(message)["taskId"]), method))
        await self._to_server(raw, message)

    async def _gave_up(self, request_id: str) -> bool:
        """The client cancels a request. Whether it was a call that the server has not seen."""
        call = self._held.pop(request_id, None)
        if call is None:
            return False
        call.cancelled = True
        for question_id, question in list(self._questions.items()):
            if question.call is call:
                gone = {"requestId": question_id, "reason": "the call was cancelled"}
                await self._to_client(m.write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": gone}))
                m.settle(question.answer, None)
        return True

    async def _call(self, message: dict[str, Any], raw: bytes) -> None:
        request_id = message.get("id")
        held = Call(message, raw, self._client, "")
        self._held[m.key(request_id)] = held
        try:
            async with self._order:
                await self._learn(message)
                step = await self._gate.before(message, raw, self._client)
                if not isinstance(step, Ask):
                    await self._take(step, held)
                    return
            question = self._questions[step.question_id] = _Question(held)
            try:
                await self._to_client(step.question)
                answer = await question.answer
            finally:
                del self._questions[step.question_id]
            await self._take(await self._gate.decided(step.call, answer) if not held.cancelled else step, held)
        finally:
            if self._held.get(m.key(request_id)) is held:
                del self._held[m.key(request_id)]

    async def _take(self, step: Any, held: Call) -> None:
        if held.cancelled:
            return
        if isinstance(step, Answer):
            if held.message.get("id") is not None:
                await self._to_client(step.raw)
            return
        if held.message.get("id") is not None:
            self._pending[m.key(held.message["id"])] = _Pending("call", step.call)
        await self._to_server(step.call.raw, step.call.message)

    async def _learn(self, message: dict[str, Any]) -> None:
        """List the tools if the client has not, so that the same tool is judged alike whatever the client keeps."""
        name = str(m.params(message).get("name", ""))
        cursor: str | None = None
        schema = self._on_tools is not None and m.is_modern(message)
        for _ in range(MOST_PAGES):
            if not self._gate.wants_list(name, schema=schema):
                return
            request = m.list_request(message, cursor)
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._pending[request["id"]] = _Pending("own", answer=answer)
            await self._to_server(m.write(request), request)
            await asyncio.wait({answer}, timeout=_LIST_TIMEOUT)
            if not answer.done():
                log.warning("the server did not list its tools in %.0f s; they are judged by their names", _LIST_TIMEOUT)
            cursor = self._gate.learn(answer.result() if answer.done() else None)
        self._gate.learn(None)  # a list without an end

    # From the server

    async def from_server(self, raw: bytes) -> None:
        """A message from the server, as a line."""
        if not self._pending and not any(word in raw for word in _WATCHED):
            await self._to_client(raw)
            return
        message = m.read(raw)
        if isinstance(message, dict) and "method" not in message and message.get("id") is not None:
            pending = self._pending.pop(m.key(message["id"]), None)
            if pending is not None:
                await self._answered(pending, message, raw)
                return
        for each in message if isinstance(message, list) else (message,):
            await self._noticed(each)
        await self._to_client(raw)

    async def _answered(self, pending: _Pending, message: dict[str, Any], raw: bytes) -> None:
        if pending.call is not None:
            self._start(self._ended(pending.call, message, raw))
            return
        await self._heard(pending, message)
        if pending.kind != "own":
            await self._to_client(raw)

    async def _heard(self, pending: _Pending, message: dict[str, Any]) -> None:
        if pending.kind == "task":
            await self._gate.task(*pending.task, message)
            return
        if self._on_tools is not None:
            self._on_tools(message.get("result"))
        if pending.kind == "list":
            self._gate.learn(message.get("result"))
        m.settle(pending.answer, message.get("result"))

    async def _noticed(self, message: Any) -> None:
        """What else a message from the server tells: changed tools, a task's end, an answer within a batch."""
        if not isinstance(message, dict):
            return
        method = message.get("method")
        if method == "notifications/tools/list_changed":
            self._gate.forget_list()
        elif method in ("notifications/tasks", "notifications/tasks/status") and self._gate.has_task(message):
            await self._gate.task(str(m.params(message)["taskId"]), "", message)
        elif method is None and (pending := self._pending.pop(m.key(message.get("id")), None)) is not None:
            if pending.call is not None:
                await self._gate.after(pending.call, message, b"")
            else:
                await self._heard(pending, message)

    async def _ended(self, call: Call, message: dict[str, Any], raw: bytes) -> None:
        await self._to_client(await self._gate.after(call, message, raw))

    # The end

    async def client_left(self) -> None:
        """The client sends nothing more: what it asked is judged and passed on, and nobody is asked any longer."""
        self._left = True
        for question in self._questions.values():
            question.call.cancelled = True
            m.settle(question.answer, None)
        await self._finish()

    async def server_left(self, why: str) -> None:
        """The server sends nothing more. Calls without an answer have failed, unless the client left before."""
        unanswered = not self._left
        for pending in list(self._pending.values()):
            m.settle(pending.answer, None)
        await self.client_left()
        for pending in self._pending.values():
            if unanswered and pending.call is not None:
                await self._gate.lost(pending.call, why)
        self._pending.clear()
        await self._gate.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, ConnectionError):
            log.error("a message was not passed on", exc_info=error)

    async def _finish(self) -> None:
        while self._running:
            await asyncio.wait(self._running)
