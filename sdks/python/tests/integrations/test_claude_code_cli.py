"""The real Claude Code with the hooks that `install` writes: what is denied does not run."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import claude_cli
import pytest
from claude_agent_sdk import ClaudeAgentOptions, PermissionResultAllow, PermissionResultDeny, query
from identity_os_sdk.integrations.claude_code import client

CLI = [sys.executable, "-m", "identity_os_sdk.commands.main"]
Turn = list[tuple[str, dict[str, Any]]]


class World:
    """A project with the hooks, and a home that is nobody's."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder / "project", folder
        self.folder.mkdir()

    def install(self, *options: str) -> None:
        subprocess.run(
            [*CLI, "install", "claude-code", "--yes", "--engine", f"local:{self.home}/agents.db", "--log", "../log", *options],
            cwd=self.folder,
            check=True,
            capture_output=True,
        )

    def run(self, turns: list[Turn], *arguments: str, **more: str) -> list[str]:
        arguments = ("--permission-mode", "bypassPermissions", *arguments)
        return claude_cli.run(self.folder, self.home, turns, *arguments, **more)[0]

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.home / "log").read_text().splitlines()]


@pytest.fixture
def world(home: Path) -> World:
    return World(home)


def bash(command: str) -> Turn:
    return [("Bash", {"command": command})]


FAILS = bash("cat ran-before 2>/dev/null; echo x >> tries; exit 1")


def test_a_command_that_is_denied_does_not_run(world: World) -> None:
    world.install()
    (world.folder / "a.txt").write_text("hello\n")
    results = world.run(
        [FAILS, FAILS, FAILS, FAILS, bash("touch ran"), [("Read", {"file_path": f"{world.folder}/a.txt"})], bash("cat a.txt")]
    )
    assert (world.folder / "tries").read_text() == "x\n" * 3
    assert not (world.folder / "ran").exists()
    assert results[:3] == ["Exit code 1"] * 3
    for denied in results[3:5]:
        assert "Bash is not allowed now: execute is not allowed while stress is HIGH." in denied
        assert "You can still read" in denied
    assert ["hello" in result for result in results[5:]] == [True, True]


def test_the_model_is_told_what_is_held_and_the_way_out_is_for_the_user_alone(world: World) -> None:
    world.install()
    with claude_cli.MessagesAPI([FAILS, FAILS, FAILS]) as api:
        done = subprocess.run(
            [
                str(claude_cli.CLAUDE),
                "-p",
                "go",
                "--permission-mode",
                "bypassPermissions",
                "--output-format",
                "stream-json",
                "--verbose",
            ],
            cwd=world.folder,
            env=claude_cli.environment(api, world.home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
            check=True,
        )
        read = api.read()
    assert "Tools that are held now: Bash." in read
    assert "identity-os-guard reset" in done.stdout
    assert "identity-os-guard reset" not in read


def test_an_ordinary_session_runs_as_without_hooks(world: World) -> None:
    turns: list[Turn] = [
        bash("echo 'exit 1' > test.sh"),
        bash("sh test.sh"),
        [("Read", {"file_path": f"{world.folder}/test.sh"})],
        [("Edit", {"file_path": f"{world.folder}/test.sh", "old_string": "exit 1", "new_string": "exit 2"})],
        bash("sh test.sh"),
        [("Edit", {"file_path": f"{world.folder}/test.sh", "old_string": "exit 2", "new_string": "exit 0"})],
        bash("sh test.sh"),
        [("Read", {"file_path": f"{world.folder}/test.sh"}), ("Bash", {"command": "ls"})],
    ]
    without = sorted(world.run(turns))  # calls that run side by side end in any order
    (world.folder / "test.sh").unlink()
    world.install()
    assert sorted(world.run(turns)) == without
    assert {line.get("verdict") for line in world.log()} == {None, "allow"}


def test_where_nobody_can_be_asked_a_pause_is_a_refusal(world: World) -> None:
    world.install()
    results = world.run([*[FAILS] * 3, *[FAILS] * 3, FAILS, FAILS])
    assert (world.folder / "tries").read_text() == "x\n" * 3
    assert results[6] == "Identity OS: Bash waits for a person: execute is not allowed while stress is HIGH."
    verdicts = [line["verdict"] for line in world.log() if line["event"] == "PreToolUse"]
    # It was refused, so that the next one is denied again, and not asked about.
    assert verdicts == ["allow"] * 3 + ["deny"] * 3 + ["pause", "deny"]


@pytest.mark.filterwarnings("ignore::claude_agent_sdk.CanUseToolShadowedWarning")  # that is meant: see `asked`
@pytest.mark.parametrize("approves", [True, False])
def test_a_person_who_is_asked_decides(world: World, approves: bool) -> None:
    """The dialog is answered by a program here: Claude Code asks it as it asks a person."""
    world.install()
    asked = list[str]()

    async def decide(name: str, given: dict[str, Any], _: Any) -> Any:
        asked.append(given["command"])
        return PermissionResultAllow() if approves else PermissionResultDeny(message="no, leave it")

    async def session(api: claude_cli.MessagesAPI) -> None:
        options = ClaudeAgentOptions(
            cwd=world.folder,
            setting_sources=["project"],
            allowed_tools=["Bash"],
            can_use_tool=decide,
            env=claude_cli.environment(api, world.home),
        )
        async for _ in query(prompt="go", options=options):
            pass

    with claude_cli.MessagesAPI([*[FAILS] * 6, bash("touch ran"), FAILS]) as api:
        asyncio.run(session(api))
        results = api.results()
    assert asked == ["touch ran"]  # an allowed call is decided by the permissions alone, a denied one by nobody
    assert (world.folder / "ran").exists() is approves
    assert (results[6] == "no, leave it") is not approves
    reports = [report for line in world.log() for report in line.get("reports", [])]
    assert (["CONNECTION", 0.2] in reports) is approves
    # After yes the next call of the tool is judged anew; after no it is denied, and not asked about again.
    assert "is not allowed now" in results[7]


def test_one_session_is_one_agent_and_the_next_one_another(world: World) -> None:
    world.install()
    world.run([FAILS, FAILS, FAILS])
    assert world.run([bash("touch ran")]) == ["(Bash completed with no output)"]
    assert len({line["agent"] for line in world.log()}) == 2


def test_hooks_of_user_and_project_count_once(world: World) -> None:
    """The same hook twice, in settings of two places."""
    world.install()
    text = (world.folder / ".claude" / "settings.json").read_text()
    (world.home / ".claude").mkdir()
    (world.home / ".claude" / "settings.json").write_text(text.replace(" -I -S ", " -I -S -B "))
    world.run([FAILS, FAILS])
    assert [report for line in world.log() for report in line.get("reports", [])] == [
        ["STRESS_RESPONSE", 0.45],
        ["STRESS_RESPONSE", 0.7],
    ]


@pytest.mark.parametrize(("on_unreachable", "ran"), [("safe", False), ("deny", False), ("allow", True)])
def test_when_the_hook_cannot_run_the_call_is_decided_as_you_said(world: World, on_unreachable: str, ran: bool) -> None:
    world.install("--on-unreachable", on_unreachable)
    settings = world.folder / ".claude" / "settings.json"
    settings.write_text(settings.read_text().replace(sys.executable, "/gone/bin/python"))
    (result,) = world.run([bash("touch ran")])
    assert (world.folder / "ran").exists() is ran
    assert ("take its hooks out of the settings of Claude Code" in result) is not ran


def test_a_hook_that_hangs_blocks_the_call(world: World) -> None:
    world.install()
    settings = world.folder / ".claude" / "settings.json"
    about = json.loads(settings.read_text())
    (hook,) = about["hooks"]["PreToolUse"][0]["hooks"]
    about["hooks"]["PreToolUse"][0]["hooks"] = [{**hook, "command": "sleep 20", "timeout": 1}]
    settings.write_text(json.dumps(about))
    world.run([bash("touch ran")])
    assert not (world.folder / "ran").exists()


def test_every_event_that_is_installed_comes(world: World) -> None:
    world.install()
    errand = {"description": "an errand", "prompt": "go", "subagent_type": "general-purpose", "run_in_background": False}
    world.run([FAILS, bash("ls"), [("Agent", errand)]])
    assert {line["event"] for line in world.log()} == set(client.EVENTS)
