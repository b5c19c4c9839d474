"""The pages about Claude Code are followed to the letter, with the real one."""

import json
import os
import re
import signal
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import claude_cli
import pytest
import story
from claude_code_world import ClaudeCode, remembered
from identity_os_sdk import Guard
from identity_os_sdk.commands.main import main
from identity_os_sdk.integrations.claude_code import client, daemon, settings, tools
from messages_api import MessagesAPI

DOCS = Path(__file__).resolve().parents[4] / "docs"
PAGE, QUICKSTART = DOCS / "integrations" / "claude-code.md", DOCS / "quickstarts" / "claude-code.md"


def denial(page):
    (shown,) = re.findall(r"```text\n(.*?)\n```", page.read_text(), re.DOTALL)
    return shown


def test_the_quickstart_ends_with_a_call_that_is_denied():
    commands = re.findall(r"^\$ (.*)$", QUICKSTART.read_text(), re.MULTILINE)
    assert commands[:2] == [
        "python3 -m venv ~/.identity-os && . ~/.identity-os/bin/activate",
        "pip install 'identity-os-sdk[claude-code]>=1.1'",
    ]
    install, ask, uninstall = commands[2:]
    with (
        tempfile.TemporaryDirectory(prefix="hook", dir="/tmp") as made,
        MessagesAPI([[("Bash", {"command": "false"})]] * 5) as api,
    ):
        home, project = Path(made), Path(made) / "project"
        project.mkdir()
        (home / "claude").symlink_to(claude_cli.CLAUDE)
        # As after `. ~/.identity-os/bin/activate`, with Claude Code installed.
        path = os.pathsep.join([sysconfig.get_path("scripts"), str(home), os.environ["PATH"]])
        environment = claude_cli.environment(api, home) | {"PATH": path}
        how = {"cwd": project, "env": environment, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True}

        def run(command):
            return subprocess.run(["/bin/sh", "-c", command], timeout=180, check=True, **how).stdout

        assert "are guarded" in run(install)
        assert sorted(str(path.relative_to(project)) for path in project.rglob("*.*")) == [".claude", ".claude/settings.json"]
        run(ask)
        assert "are not guarded" in run(uninstall)
        assert json.loads((project / ".claude" / "settings.json").read_text()) == {}
        for address in home.glob("identity-os-*/*.sock"):
            os.kill(daemon.running(str(address)), signal.SIGTERM)
        results = api.results()
    assert results[:3] == ["Exit code 1"] * 3
    assert results[3] == denial(QUICKSTART)
    assert "Bash is not allowed now" in results[4]


def test_the_denial_of_both_pages_is_the_same():
    assert denial(PAGE) == denial(QUICKSTART)


def test_before_and_after_are_what_install_does():
    before, after = (json.loads(each) for each in re.findall(r'```json\n(\{\n  "model".*?)```', PAGE.read_text(), re.DOTALL))
    made = json.loads(settings.installed(json.dumps(before), [], "safe"))
    assert len(made["hooks"]) == len(client.EVENTS) == 8
    shown, real = (each["hooks"].pop("PreToolUse")[0]["hooks"][0] for each in (after, made))
    assert re.fullmatch(
        r"/\S+/python -I -S \S+/claude_code/client.py PreToolUse \|\| \{ echo '.+' >&2; exit 2; \}", real["command"]
    )
    assert {**shown, "command": ""} == {**real, "command": ""}
    shown_words, real_words = (re.sub("'.*'", "''", hook["command"]).split() for hook in (shown, real))
    assert shown_words[1:3] + shown_words[4:] == real_words[1:3] + real_words[4:]
    assert {**after, "hooks": {}} == {**made, "hooks": {}} == {**before, "hooks": {}}


def test_the_table_of_options_is_that_of_the_command(capsys):
    with pytest.raises(SystemExit):
        main(["install", "--help"])
    known = set(re.findall(r"^  (--[\w-]+)", capsys.readouterr().out, re.MULTILINE)) - {"--help"}
    table = PAGE.read_text().partition("| option of `install` |")[2].partition("\n\n")[0]
    assert {
        name for row in table.splitlines() for name in re.findall(r"`(--[\w-]+)", row.split("|")[1] if row else "")
    } == known


def test_the_table_of_tools_is_that_of_the_code():
    table = PAGE.read_text().partition("| tool | action |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:3]] for row in table.splitlines()[2:]]
    shown = {name: action.strip("`") for names, action in rows for name in re.findall(r"\b[A-Z]\w+", names)}
    for name, action in shown.items():
        if action.startswith("never held"):
            assert name in tools.NEVER_HELD
        elif name in tools.OWN and name != "Bash":
            assert action == tools.OWN[name].action
    assert set(tools.NEVER_HELD) < set(shown)
    missing = set(tools.OWN) - set(shown)
    assert missing <= {"BashOutput", "KillBash", "ListAgents", "ListMcpResourcesTool", "ReadMcpResourceTool"}


def failing(number, command):
    """Claude Code after that many commands that failed."""
    claude = ClaudeCode(remembered(Guard(story.RecordingEngine(), "inst_a", tools=tools.guard_tools({}))), None)

    def run(tool, given):
        if tool == "Bash":
            raise story.ToolFailed("Exit code 1")
        return "done"

    claude.run = run
    for each in range(number):
        claude.call("Bash", {"command": command(each)})
    return claude


def calm_calls_until_free(claude):
    for number in range(1, 100):
        claude.call("Read", {"file_path": f"/{number}"})
        if claude.event("PreToolUse", tool_name="Edit", tool_input={}, tool_use_id=f"e{number}") == {}:
            return number
    return None


def test_three_of_the_same_are_held_for_about_four_calm_calls():
    assert 3 <= calm_calls_until_free(failing(3, lambda _: "make")) <= 5


def test_ever_new_failures_are_held_when_they_are_chronic():
    """More than half of the last 40 calls."""
    for number, held in ((20, False), (30, True)):
        decided = failing(number, lambda each: f"make {each}").event(
            "PreToolUse", tool_name="Edit", tool_input={}, tool_use_id="e"
        )
        assert (decided != {}) is held
