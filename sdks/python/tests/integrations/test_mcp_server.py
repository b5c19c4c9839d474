"""`identity-os-guard mcp-server`: an agent's contract, history and audit trail for a model, over a running API."""

import asyncio
import json
import subprocess

import httpx
import pytest
from identity_os_sdk import IdentityOS, IdentityOSAsync
from identity_os_sdk.integrations.mcp.server import build
from mcp import Client, StdioServerParameters
from mcp_world import text
from test_mcp_stdio import GUARD, MODES

READING = ["get_contract", "explain_contract", "get_history", "simulate", "verify_audit_trail"]


def command(server, *options):
    url, keys = server
    environment = {"IDENTITY_OS_BASE_URL": url, "IDENTITY_OS_API_KEY": keys["enterprise"]}
    return StdioServerParameters(command=GUARD, args=["mcp-server", *options], env=environment)


@pytest.fixture
def agent(server, request):
    """An agent of the API that has had three failures."""
    url, keys = server
    with IdentityOS(keys["enterprise"], url) as client:
        made = client.instances.create(request.node.name[:100])
        for _ in range(3):
            client.engine.process(made.id, "STRESS_RESPONSE", 0.8)
        yield made


@pytest.mark.parametrize("mode", MODES)
def test_a_model_reads_its_own_contract(server, agent, mode):
    async def work():
        async with Client(command(server, "--agent", agent.name), mode=mode) as client:
            tools = (await client.list_tools()).tools
            resources = {str(each.uri) for each in (await client.list_resources()).resources}
            said = {name: json.loads(text(await client.call_tool(name, {}))) for name in READING if name != "simulate"}
            calm = {"observations": [{"mode_target": "PERCEPTION", "signal_strength": 0.3}] * 30}
            then = json.loads(text(await client.call_tool("simulate", calm)))
            read = {uri: json.loads((await client.read_resource(uri)).contents[0].text) for uri in sorted(resources)}
            return tools, said, then, read

    tools, said, then, read = asyncio.run(work())
    assert [tool.name for tool in tools] == READING
    assert all(tool.annotations.read_only_hint for tool in tools)
    assert said["get_contract"]["stress_state"] in ("HIGH", "OVER")
    assert "execute" not in said["get_contract"]["allowed_actions"]
    assert "execute" in then["states"][-1]["contract"]["allowed_actions"]
    assert said["explain_contract"]["explanation"]
    assert [row["mode_target"] for row in said["get_history"]["data"]] == ["STRESS_RESPONSE"] * 3
    assert said["verify_audit_trail"]["verified"] is True
    assert read["identity-os://contract"] == said["get_contract"]
    assert read["identity-os://explanation"] == said["explain_contract"]
    assert read["identity-os://history"]["data"] == said["get_history"]["data"]


def test_an_operator_decides(server, agent):
    async def work():
        async with Client(command(server, "--instance", agent.id, "--operator")) as client:
            tools = {tool.name: tool.annotations for tool in (await client.list_tools()).tools}
            wrong = await client.call_tool("reset", {"mode": "whatever"})
            done = [
                json.loads(text(await client.call_tool("reset", {"mode": "last_stable", "note": "the backend is up again"}))),
                json.loads(text(await client.call_tool("rebaseline", {}))),
            ]
            return tools, wrong, done, json.loads(text(await client.call_tool("get_contract", {})))

    tools, wrong, done, contract = asyncio.run(work())
    assert [tools[name].destructive_hint for name in ("rebaseline", "reset")] == [True, True]
    assert wrong.is_error
    assert [each["reset_to"] for each in done] == ["last_stable", "rebaseline"]
    assert contract["stress_state"] == "LOW"


def refused(body, status=403):
    async def answer(request):
        if request.url.path.endswith("/instances"):
            page = {"total": 0, "limit": 1, "offset": 0, "has_more": False}
            return httpx.Response(200, json={"data": [], "pagination": page})
        return httpx.Response(status, json=body)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return IdentityOSAsync("idos_sk_x", "http://api.test", http_client=http, max_retries=0)


SCOPE = {"error": "insufficient_scope", "message": "no", "details": {"scope": "agent", "needs": "operator"}}


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (SCOPE, 403, "This key may not do that: its scope is agent, and this needs operator (insufficient_scope)."),
        ({"error": "unauthorized", "message": "no such key", "details": {}}, 401, "no such key (unauthorized)"),
        ({"error": "not_found", "message": "no such instance", "details": {}}, 404, "no such instance (not_found)"),
    ],
)
def test_a_refusal_of_the_api_says_why(body, status, said):
    async def work():
        async with Client(build(refused(body, status), instance_id="inst_1", operator=True)) as client:
            return await client.call_tool("reset", {"mode": "last_stable"})

    result = asyncio.run(work())
    assert result.is_error
    assert said in text(result)


def test_an_agent_that_is_not_there_is_not_made():
    async def work():
        async with Client(build(refused({}), agent="nobody")) as client:
            return text(await client.call_tool("get_contract", {}))

    assert "There is no agent of the name 'nobody' yet" in asyncio.run(work())


@pytest.mark.parametrize("given", [[], ["--agent", "a", "--instance", "b"]])
def test_one_agent_is_named(given):
    done = subprocess.run([GUARD, "mcp-server", *given], capture_output=True, text=True)
    assert done.returncode == 2
    assert "--agent" in done.stderr


def test_without_a_key_it_says_so():
    done = subprocess.run([GUARD, "mcp-server", "--agent", "a"], capture_output=True, text=True, env={})
    assert done.returncode == 1
    assert "IDENTITY_OS_API_KEY" in done.stderr
