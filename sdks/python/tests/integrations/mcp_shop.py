"""An MCP server with one of everything, for the proxy's tests: over stdio, or over HTTP with a port as its argument."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve, Sample
from mcp.types import Completion, CreateMessageResult, ListRootsResult, SamplingMessage, TextContent, ToolAnnotations
from pydantic import BaseModel

server = MCPServer("shop")
READS = ToolAnnotations(title="Reads", read_only_hint=True)
#: Where the server writes what it did, so that a test can look.
NOTES = Path(os.environ.get("SHOP_NOTES", os.devnull))


class Name(BaseModel):
    name: str


def ask_name() -> Elicit[Name]:
    return Elicit("Your name?", Name)


def ask_model() -> Sample:
    return Sample([SamplingMessage(role="user", content=TextContent(type="text", text="Say something"))], max_tokens=10)


def ask_roots() -> ListRoots:
    return ListRoots()


def note(text):
    with NOTES.open("a") as file:
        file.write(f"{text}\n")


@server.tool(annotations=READS)
def look(what: str) -> str:
    """Look at something."""
    return f"looked at {what} \u2028 ünïcödé"


@server.tool(annotations=READS)
def price(item: str) -> dict[str, float]:
    """The price of an item."""
    return {"price": 1.0, "tax": 0.1}


@server.tool()
def pay(amount: int) -> str:
    """Pay."""
    note(f"pay {amount}")
    if amount < 0:
        raise ToolError("the backend is down")
    return f"paid {amount}"


@server.tool(annotations=READS)
async def count(to: int, ctx: Context) -> str:
    """Count, with progress."""
    for number in range(1, to + 1):
        await ctx.report_progress(number, to, f"at {number}")
    return "counted"


@server.tool(annotations=READS)
async def sleep(seconds: float) -> str:
    """Sleep, unless it is cancelled."""
    note("sleeps")
    try:
        await anyio.sleep(seconds)
    except anyio.get_cancelled_exc_class():
        note("cancelled")
        raise
    return "slept"


@server.tool(annotations=READS)
async def greet(name: Annotated[Name, Resolve(ask_name)]) -> str:
    """Ask the user, then greet."""
    return f"hello {name.name}"


@server.tool(annotations=READS)
async def think(said: Annotated[CreateMessageResult, Resolve(ask_model)]) -> str:
    """Ask the client's model."""
    return f"the model said {said.content.text}"


@server.tool(annotations=READS)
async def roots(found: Annotated[ListRootsResult, Resolve(ask_roots)]) -> str:
    """Where the client's folders are."""
    return " ".join(str(root.uri) for root in found.roots)


@server.tool(annotations=READS)
async def grow(ctx: Context) -> str:
    """Add a tool, and tell."""
    server.add_tool(lambda: "new", name="fresh", description="A new tool", annotations=READS)
    await ctx.notify_tools_changed()
    if ctx.protocol_version is not None and ctx.protocol_version < "2026":
        await ctx.session.send_tool_list_changed()
    return "grown"


@server.tool(annotations=READS)
def big(characters: int, given: str = "") -> str:
    """A large result."""
    return f"{len(given)} " + "x" * characters


@server.tool(annotations=READS)
def crash() -> str:
    """End at once."""
    os._exit(3)


@server.resource("shop://list")
def stock() -> str:
    """What there is."""
    return "apples, pears"


@server.resource("shop://item/{name}")
def item(name: str) -> str:
    """One of it."""
    return f"one {name}"


@server.prompt()
def sell(what: str) -> str:
    """How to sell."""
    return f"Sell {what}!"


@server.completion()
async def complete(ref, argument, context):
    return Completion(values=[f"{argument.value}ple"], total=1, has_more=False)


def recorded(app, path):
    """The app, with a line for each exchange in a file: method, headers, body, status, what was answered."""

    async def serve(scope, receive, send):
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        seen = {"method": scope["method"], "headers": headers, "body": "", "status": 0, "answer": ""}

        async def hear():
            message = await receive()
            seen["body"] += message.get("body", b"").decode()
            return message

        async def say(message):
            seen["status"] = message.get("status", seen["status"])
            seen["answer"] += message.get("body", b"").decode()
            await send(message)

        try:
            await app(scope, hear, say)
        finally:
            with path.open("a") as file:
                file.write(json.dumps(seen) + "\n")

    return serve


if __name__ == "__main__":
    if len(sys.argv) > 1:
        import uvicorn

        app = server.streamable_http_app(json_response="json" in sys.argv)
        uvicorn.run(recorded(app, Path(os.environ["SHOP_LOG"])), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
    else:
        server.run()
    note("ended")
