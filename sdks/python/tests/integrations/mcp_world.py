"""What the tests of the MCP proxy share: the official SDK's client and server with a relay between them, in this process."""

import asyncio
import warnings
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
from identity_os_sdk.integrations.mcp import Gate, Relay
from mcp import Client, MCPDeprecationWarning, MCPError
from mcp.client._memory import InMemoryTransport
from mcp.shared.message import SessionMessage
from mcp.types import (
    CreateMessageResult,
    ElicitResult,
    ListRootsResult,
    PromptReference,
    Root,
    TextContent,
    ToolListChangedNotification,
    jsonrpc_message_adapter,
)


def as_line(message):
    """A message of the SDK as its stdio transports write it."""
    return message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"


def of_line(line):
    return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))


class Between:
    """A transport for `Client`: a server in this process behind a relay. Keeps every line that passed, by where it was seen."""

    def __init__(self, server, guard, **options):
        self.inner, self.gate = InMemoryTransport(server), Gate(guard, **options)
        self.seen = {"client sent": [], "server got": [], "server sent": [], "client got": []}
        self._stack = AsyncExitStack()

    async def __aenter__(self):
        return await self._stack.enter_async_context(self._connected())

    async def __aexit__(self, *error):
        return await self._stack.__aexit__(*error)

    @asynccontextmanager
    async def _connected(self):
        to_client, client_reads = anyio.create_memory_object_stream(1_000)
        client_writes, from_client = anyio.create_memory_object_stream(1_000)
        async with self.inner as (from_server, to_server), anyio.create_task_group() as tasks:

            async def give_client(line):
                self.seen["client got"].append(line)
                await to_client.send(of_line(line))

            async def give_server(line, _message):
                self.seen["server got"].append(line)
                await to_server.send(of_line(line))

            relay = Relay(self.gate, give_client, give_server)

            async def forth():
                async for message in from_client:
                    self.seen["client sent"].append(as_line(message))
                    await relay.from_client(self.seen["client sent"][-1])

            async def back():
                async for message in from_server:
                    self.seen["server sent"].append(as_line(message))
                    await relay.from_server(self.seen["server sent"][-1])

            tasks.start_soon(forth)
            tasks.start_soon(back)
            try:
                yield client_reads, client_writes
            finally:
                tasks.cancel_scope.cancel()
                for stream in (to_client, client_reads, client_writes, from_client):
                    stream.close()


def text(result):
    """What the model gets of a tool's result."""
    return "\n".join(getattr(block, "text", "") for block in result.content)


async def person(_context, params):
    """Answers the server's own question, and lets a paused call through."""
    if "decision" in params.requested_schema["properties"]:
        return ElicitResult(action="accept", content={"decision": "approve"})
    return ElicitResult(action="accept", content={"name": "Ada"})


async def model(_context, _params):
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text="hm"), model="none")


async def folders(_context):
    return ListRootsResult(roots=[Root(uri="file:///tmp/work")])


CALLBACKS = {"elicitation_callback": person, "sampling_callback": model, "list_roots_callback": folders}


async def tour(client, changed):
    """Use everything that a server has; what came back. `changed` is set when the list of tools was said to have changed."""
    found, progress = [], []

    async def on_progress(at, total, message):
        progress.append((at, total, message))

    found += [await client.list_tools(), await client.list_resources(), await client.list_resource_templates()]
    found += [await client.read_resource("shop://list"), await client.read_resource("shop://item/pear")]
    found += [await client.list_prompts(), await client.get_prompt("sell", {"what": "pears"})]
    found.append(await client.complete(PromptReference(type="ref/prompt", name="sell"), {"name": "what", "value": "ap"}))
    calls = [("look", {"what": "a"}), ("price", {"item": "pear"}), ("pay", {"amount": 3}), ("pay", {"amount": -1})]
    calls += [("look", {}), ("no_such_tool", {}), ("greet", {}), ("think", {}), ("roots", {})]
    for name, arguments in calls:
        found.append(await outcome(client.call_tool(name, arguments)))
    found.append(await outcome(client.read_resource("shop://nothing")))
    found.append(await client.call_tool("count", {"to": 3}, progress_callback=on_progress))
    found.append(list(progress))
    if client.protocol_version < "2026":
        found += [await client.send_ping(), await client.call_tool("grow", {})]
        await asyncio.wait_for(changed.wait(), 10)
    else:
        async with client.listen(tools_list_changed=True) as events:
            found.append(await client.call_tool("grow", {}))
            found.append(repr(await anext(aiter(events))))
    found.append(await client.list_tools())
    found.append(await client.call_tool("fresh", {}))
    return found


async def outcome(call):
    """What a request brings: its result, or its error."""
    try:
        return await call
    except MCPError as error:
        return repr(error.error)


async def visit(server, mode, visitor=tour, **callbacks):
    """Connect to a server, and let `visitor(client, changed)` use it."""
    changed = asyncio.Event()

    async def hear(message):
        if isinstance(message, ToolListChangedNotification):
            changed.set()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MCPDeprecationWarning)
        async with Client(server, mode=mode, message_handler=hear, **(callbacks or CALLBACKS)) as client:
            return await visitor(client, changed)
