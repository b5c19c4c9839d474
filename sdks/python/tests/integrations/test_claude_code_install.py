"""`identity-os-guard install claude-code`: what is written into settings that are a person's own."""

import json
import os
import shlex
import stat
import subprocess
import sys

import pytest
from identity_os_sdk.commands.main import main
from identity_os_sdk.integrations.claude_code import client, settings

#: Settings as people write them: every one of these must come back, byte for byte.
OWN = {
    "empty object": "{}",
    "two spaces": '{\n  "model": "opus",\n  "permissions": {"allow": ["Bash(ls)", "Read"]}\n}\n',
    "tabs": '{\n\t"model": "opus"\n}\n',
    "one line": '{"model": "opus", "env": {"A": "1"}}',
    "letters": '{\n    "note": "grüße \\u00e9 {\\"hooks\\": 1} ☃"\n}\n',
    "windows": '{\r\n  "model": "opus"\r\n}\r\n',
    "hooks of its own": '{"hooks": {"Stop": [{"hooks": [ {"type":"command","command":"say done"} ]}]},\n "model": "x"}',
    "hooks for the same": '{\n  "hooks": {\n    "PreToolUse": [\n      {"matcher": "Bash", "hooks": [{"type": "command", '
    '"command": "x"}]}\n    ],\n    "SessionEnd": []\n  },\n  "z": [1, 2,  3]\n}\n',
    "no hooks yet": '{"hooks": {}, "a": 1.50}',
    "numbers": '{"a": 1e3, "b": 123456789012345678901234567890, "c": -0.0}',
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / ".claude").mkdir()
    return tmp_path


def install(*options):
    return main(["install", "claude-code", *options])


def written(project, name="settings.json"):
    return (project / ".claude" / name).read_text()


@pytest.mark.parametrize("text", OWN.values(), ids=OWN)
def test_what_was_there_comes_back_byte_for_byte(text):
    with_hooks = settings.installed(text, ["--agent", "a"], "safe")
    before, after = json.loads(text), json.loads(with_hooks)
    assert {key: value for key, value in after.items() if key != "hooks"} == {k: v for k, v in before.items() if k != "hooks"}
    for event, groups in before.get("hooks", {}).items():
        assert after["hooks"][event][: len(groups)] == groups
    assert set(settings.ours(with_hooks)) == set(client.EVENTS)
    removed = settings.without(with_hooks)
    assert json.loads(removed) == {k: v for k, v in before.items() if k != "hooks" or v}
    if before.get("hooks", True):
        assert removed == text if text != "{}" else json.loads(removed) == {}
    # What is added stands between what was there: no other byte moved.
    rest = iter(with_hooks)
    assert all(letter in rest for letter in text)


@pytest.mark.parametrize("text", OWN.values(), ids=OWN)
def test_twice_is_once_and_other_options_take_the_place(text):
    once = settings.installed(text, [], "safe")
    assert settings.installed(once, [], "safe") == once
    other = settings.installed(once, ["--agent", "b"], "safe")
    assert all(len(hooks) == 1 and "--agent b" in hooks[0]["command"] for hooks in settings.ours(other).values())


def test_hooks_beside_ours_in_one_group_stay():
    ours = settings.hook("Stop", [], "safe")
    text = json.dumps({"hooks": {"Stop": [{"matcher": "", "hooks": [{"type": "command", "command": "x"}, ours]}]}})
    assert json.loads(settings.without(text)) == {
        "hooks": {"Stop": [{"matcher": "", "hooks": [{"type": "command", "command": "x"}]}]}
    }


def test_it_shows_a_diff_and_asks(project, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    asked = iter(["", "n", "y"])
    monkeypatch.setattr("builtins.input", lambda _: next(asked))
    for code in (1, 1, 0):
        assert not (project / ".claude" / "settings.json").exists()
        assert install() == code
        assert "+++ .claude/settings.json" in capsys.readouterr().out
    assert set(json.loads(written(project))["hooks"]) == set(client.EVENTS)
    assert install() == 0
    assert capsys.readouterr().out == ".claude/settings.json: nothing to do\n"


def test_without_a_terminal_it_asks_nobody(project, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert install() == 1
    assert "--yes writes without a question" in capsys.readouterr().err
    assert not (project / ".claude" / "settings.json").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1,}', "no JSON, so nothing was changed: Expecting property name"),
        ('{\n  // mine\n  "a": 1\n}', "no JSON, so nothing was changed"),
        ("[]", "not an object, so nothing was changed"),
        ('{"hooks": []}', '"hooks" is not an object of lists'),
        ('{"hooks": {"Stop": {}}}', '"hooks" is not an object of lists'),
        ('{"hooks": {}, "hooks": {}}', "a key is there twice"),
        ("[" * 100_000, "no JSON, so nothing was changed"),
        (b"\xff\xfe", "not UTF-8, so nothing was changed"),
    ],
)
@pytest.mark.parametrize("options", [["--yes"], ["--yes", "--uninstall"]])
def test_settings_that_cannot_be_read_are_left_alone(project, capsys, text, says, options):
    file = project / ".claude" / "settings.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = file.read_bytes()
    assert install(*options) == 1
    assert f"identity-os-guard: .claude/settings.json: {says}" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_where_it_is_written(project):
    for option, file in (
        ("--project", ".claude/settings.json"),
        ("--local", ".claude/settings.local.json"),
        ("--user", "home/.claude/settings.json"),
    ):
        assert install(option, "--yes") == 0
        assert len(settings.ours((project / file).read_text())) == len(client.EVENTS)
        assert install(option, "--yes", "--uninstall") == 0
        assert json.loads((project / file).read_text()) == {}


def test_a_file_keeps_its_rights_and_its_link(project):
    real = project / "dotfiles.json"
    real.write_text("{}")
    real.chmod(0o600)
    (project / ".claude" / "settings.json").symlink_to(real)
    assert install("--yes") == 0
    assert (project / ".claude" / "settings.json").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert len(settings.ours(real.read_text())) == len(client.EVENTS)
    assert [path.name for path in (project / ".claude").iterdir()] == ["settings.json"]


def test_a_write_that_fails_leaves_the_old_file(project, monkeypatch, capsys):
    file = project / ".claude" / "settings.json"
    file.write_text('{"a": 1}')

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert install("--yes") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert file.read_text() == '{"a": 1}'
    assert [path.name for path in (project / ".claude").iterdir()] == ["settings.json"]


def test_the_options_reach_the_hook_with_whole_paths(project):
    (project / "tools.json").write_text('{"Bash(git push*)": "execute"}')
    options = (
        "--agent me --engine local:agents.db --tools tools.json --tasks none --mode observe --on-unreachable allow --messages "
        "--log log.jsonl"
    )
    assert install("--yes", *options.split()) == 0
    command = settings.ours(written(project))["PreToolUse"][0]["command"]
    expected = (
        f"--agent me --engine local:{project}/agents.db --tasks none --tools {project}/tools.json --log {project}/log.jsonl "
        "--mode observe --on-unreachable allow --messages"
    )
    assert command.endswith(f"client.py PreToolUse {expected}")  # allow: nothing blocks when the hook cannot run
    assert "onFailure" not in settings.ours(written(project))["PreToolUse"][0]


@pytest.mark.parametrize(
    ("options", "says"), [(["--tools", "gone.json"], "gone.json"), (["--engine", "cloud"], "local, local:FILE or api")]
)
def test_options_that_cannot_work_are_said_now(project, capsys, options, says):
    assert install("--yes", *options) == 1
    assert says in capsys.readouterr().err
    assert not (project / ".claude" / "settings.json").exists()


def test_who_only_observes_is_blocked_by_nothing(project):
    assert install("--yes", "--mode", "observe") == 0
    (hook,) = settings.ours(written(project))["PreToolUse"]
    assert hook["command"].endswith("client.py PreToolUse --mode observe")
    assert "onFailure" not in hook


def test_the_command_works_whatever_path_and_folder_are(project, home):
    """In a folder with a blank, by a shell that finds nothing."""
    assert install("--yes", "--agent", "it's me") == 0
    command = settings.ours(written(project))["PreToolUse"][0]["command"]
    assert shlex.split(command)[0] == sys.executable
    event = {
        "session_id": "s",
        "cwd": "/",
        "hook_event_name": "PreToolUse",
        "tool_name": "Bash",
        "tool_input": {},
        "tool_use_id": "c",
    }
    how = {"input": json.dumps(event), "capture_output": True, "text": True, "timeout": 60, "cwd": "/"}
    done = subprocess.run(
        ["/bin/sh", "-c", command], env={"PATH": "/nowhere", "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}, **how
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{}\n", "")


def test_a_python_that_is_gone_blocks_the_call_and_says_what_to_do(project, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/gone/bin/python")
    for on_unreachable, code in (("safe", 2), ("deny", 2), ("allow", 127)):
        command = settings.hook("PreToolUse", [], on_unreachable)["command"]
        done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert ("take its hooks out of the settings" in done.stderr) is (code == 2)
    assert settings.hook("PreToolUse", [], "safe")["onFailure"] == "block"
    assert "onFailure" not in settings.hook("PostToolUse", [], "safe")
