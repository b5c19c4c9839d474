"""The pages about MCP are followed to the letter, each in an empty folder."""

import asyncio
import json
import os
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
from identity_os_sdk.commands.main import main
from mcp import Client, StdioServerParameters
from mcp_world import text

DOCS = Path(__file__).resolve().parents[4] / "docs"
PAGE, QUICKSTART = DOCS / "integrations" / "mcp.md", DOCS / "quickstarts" / "mcp-host.md"
#: As after `. .venv/bin/activate`.
ACTIVE = {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/")}


def files(page):
    """The files that a page shows, by the name that it gives them."""
    return dict(re.findall(r"`([\w-]+\.(?:py|json))`.*?```\w+\n(.*?)```", page.read_text(), re.DOTALL))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, content in files(QUICKSTART).items():
        (tmp_path / name).write_text(content)
    monkeypatch.setenv("PATH", ACTIVE["PATH"])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command, folder):
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 120}
    return subprocess.run(command.split(), cwd=folder, env=ACTIVE | {"HOME": str(folder), "PYTHONUNBUFFERED": "1"}, **how)


def test_the_quickstart_ends_with_a_call_that_is_denied(folder):
    commands = re.findall(r"^\$ (.*)$", QUICKSTART.read_text(), re.MULTILINE)
    (shown,) = re.findall(r"```text\n(.*?)```", QUICKSTART.read_text(), re.DOTALL)
    assert sorted(path.name for path in folder.iterdir()) == ["host.py", "mcp.json", "shop.py"]
    assert commands[:2] == ["python3 -m venv .venv && . .venv/bin/activate", "pip install 'identity-os-sdk[mcp,local]>=1.1'"]
    host, reset = commands[2:]
    assert run(host, folder).stdout == shown
    assert "is not allowed now" in run(host, folder).stdout.splitlines()[2]  # the agent is still held
    assert "support-bot: last_stable, stress LOW" in run(reset, folder).stdout
    assert run(host, folder).stdout == shown


def test_before_the_tool_fails_and_after_it_is_denied(folder):
    before, after = (
        json.loads(each) for each in re.findall(r'```json\n(\{\n  "mcpServers".*?)```', PAGE.read_text(), re.DOTALL)
    )

    async def last(configuration):
        environment = ACTIVE | {"HOME": str(folder)}
        async with Client(StdioServerParameters(**configuration["mcpServers"]["shop"], env=environment)) as client:
            return [text(await client.call_tool("refund", {"order": 7})) for _ in range(4)][-1]

    (denial,) = re.findall(r"```text\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    assert asyncio.run(last(before)) == "Error executing tool refund: the payment gateway is down"
    assert asyncio.run(last(after)) == denial
    added = after["mcpServers"]["shop"]["args"]
    assert added[added.index("--") + 1 :] == [before["mcpServers"]["shop"]["command"], *before["mcpServers"]["shop"]["args"]]


def test_the_table_of_options_is_that_of_the_command(capsys):
    with pytest.raises(SystemExit):
        main(["mcp-proxy", "--help"])
    known = set(re.findall(r"^  (--[\w-]+)", capsys.readouterr().out, re.MULTILINE)) - {"--help"}
    assert set(re.findall(r"^\| `(--[\w-]+)", PAGE.read_text(), re.MULTILINE)) == known


def test_every_tool_of_the_server_is_in_its_table():
    pytest.importorskip("mcp")
    from identity_os_sdk.integrations.mcp.server import build
    from test_mcp_server import refused

    async def work():
        async with Client(build(refused({}), agent="a", operator=True)) as client:
            tools, resources = await client.list_tools(), await client.list_resources()
            return {tool.name for tool in tools.tools} | {str(each.uri) for each in resources.resources}

    table = PAGE.read_text().partition("| tool | resource |")[2].partition("\n\n")[0]
    assert asyncio.run(work()) == set(re.findall(r"`([a-z_]+|identity-os://\w+)`", table))
