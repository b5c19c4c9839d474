"""The gate between the official client and server of MCP, in both generations of the protocol."""

import asyncio
from functools import partial

import story
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ElicitResult
from mcp_world import Between, text

SESSION, STATELESS = "legacy", "2026-07-28"


def server_of(script):
    server = MCPServer("story")

    def add(name):
        def run(target: str) -> str:
            try:
                return script.run(name, {"target": target})
            except script.ToolFailed as error:
                raise ToolError(str(error)) from error

        server.add_tool(run, name=name, description=f"{name} a target", structured_output=False)

    for name in script.tools:
        add(name)
    return server


def play(script, guard, mode=SESSION):
    decisions = iter(script.decisions)

    async def person(_context, params):
        assert params.message.startswith("The agent wants to call pay")
        return ElicitResult(action="accept", content={"decision": next(decisions)})

    async def main():
        async with Client(Between(server_of(script), guard), mode=mode, elicitation_callback=person) as client:
            return [text(await client.call_tool(call.tool, call.args)) for call in script.calls]

    return asyncio.run(main())


test_conformance = story.cases(play)
test_conformance_without_sessions = story.cases(partial(play, mode=STATELESS))
test_conformance_of_two_agents_at_once = story.two_at_once(play)
test_table = story.table_row("mcp", play)
test_against_the_api = story.against_the_api(play)
