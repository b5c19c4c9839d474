"""`identity-os-guard replay` as a user runs it."""

import json
import logging
import os
import pty
import subprocess
import sys
from types import SimpleNamespace

import pytest
from identity_os_sdk.commands.main import main

SIGNS = "6 failed or repeated calls"
ERROR = "Error: the backend is down"


def messages(*results, tool="refund"):
    """A run: a call of the tool for each result."""
    made = [{"role": "user", "content": "please"}]
    for number, result in enumerate(results):
        call = {"id": f"c{number}", "type": "function", "function": {"name": tool, "arguments": "{}"}}
        made.append({"role": "assistant", "content": None, "tool_calls": [call]})
        made.append({"role": "tool", "tool_call_id": f"c{number}", "content": result})
    return made


def write(path, *runs):
    path.write_text("".join(json.dumps(run) + "\n" for run in runs))
    return str(path)


@pytest.fixture
def runs(tmp_path):
    """Two runs of failing refunds, one that succeeded and one that failed, and a calm one."""
    return write(
        tmp_path / "runs.jsonl",
        {"id": "good", "succeeded": True, "messages": messages(*[ERROR] * 3, "paid")},
        {"id": "bad", "succeeded": False, "messages": messages(*[ERROR] * 3, "paid", "paid")},
        {"id": "calm", "succeeded": True, "messages": messages("paid")},
    )


def run(capsys, *arguments):
    code = main(["replay", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def summary(capsys, *arguments):
    code, out, err = run(capsys, *arguments, "--json", "-")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_a_summary_in_words(capsys, runs):
    code, out, err = run(capsys, runs)
    assert (code, err) == (0, "")
    for line in (
        "openai (1 file)",
        "3 runs of 1 agent (2 succeeded, 1 failed), 10 calls, 10 of them changing",
        "Would have been refused: 3 calls in 2 runs; 3 changing calls of 10 (30.0%)",
        "execute is not allowed while stress is HIGH",
        "False refusals: 1 of 5 changing calls in runs that succeeded",
        "As an alarm of failure, over 3 runs, 1 of them failed",
        "an error   begins like an error",
        "refund  execute  verb           10       6        3",
        f" 1. {runs}:1 (good)\n    1 changing call would have been refused; the run succeeded; stress reached HIGH",
        f" 2. {runs}:2 (bad)\n    2 changing calls would have been refused; the run failed; stress reached HIGH",
    ):
        assert line in out, out
    assert "Could not be read" not in out


def test_the_same_as_json(capsys, tmp_path, runs):
    to = tmp_path / "summary.json"
    code, out, _ = run(capsys, runs, "--json", to)
    found = json.loads(to.read_text())
    assert (code, "False refusals" in out) == (0, True)
    assert found == summary(capsys, runs)
    assert found["refused_changing_calls"] == 3
    assert found["false_refusals"] == {"refused": 1, "of_changing_calls": 5}
    assert found["alarms"]["stress reaches HIGH"] == {"precision": 0.5, "recall": 1.0, "hits": 1, "false": 1}
    assert found["worth_a_look"][0] == {
        "id": "good",
        "agent": "agent",
        "source": f"{runs}:1",
        "why": ["1 changing call would have been refused; the run succeeded", "stress reached HIGH", SIGNS],
    }
    assert found["formats"] == {"openai": 1}


def test_a_thousand_runs_in_one_command(capsys, tmp_path):
    for number in range(1000):
        results = [ERROR] * 3 + ["paid"] if number % 100 == 0 else ["paid"] * (number % 3 + 1)
        (tmp_path / f"{number}.json").write_text(json.dumps(messages(*results), indent=1))
    found = summary(capsys, tmp_path)
    assert (found["runs"], found["formats"], found["runs_with_refusals"]) == (1000, {"openai": 1000}, 10)
    assert found["problems"]["count"] == 0


def test_what_the_options_change(capsys, tmp_path, runs):
    tools = tmp_path / "tools.json"
    tools.write_text('{"ref*": "clarify"}')
    assert summary(capsys, runs, "--tools", tools)["refused"] == []
    tools.write_text('{"refund": {"action": "suggest", "outside": true}}')
    assert summary(capsys, runs, "--tools", tools)["tools"]["refund"]["action"] == "suggest"
    assert summary(capsys, runs, "--limit", 2)["runs"] == 2
    assert summary(capsys, runs, "--rule", "failed=0.1", "--rule", "further=0")["refused"] == []
    assert summary(capsys, runs, "--error-pattern", "paid")["tools"]["refund"]["failed"] == 4
    assert summary(capsys, runs, "--messages")["cycles"] == summary(capsys, runs)["cycles"] + 3
    assert summary(capsys, runs, "--tasks", "none")["refused_calls"] > 3, "the third run is held, too"
    assert summary(capsys, runs, "--format", "openai", "--agent-by", "file")["agents"] == 1
    assert summary(capsys, runs, "--persona", "persona_guardian")["runs"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rule", "failed"], "--rule 'failed': NAME=STRENGTH, such as failed=0.65"),
        (["--rule", "fails=0.5"], "rules: no rule 'fails'"),
        (["--rule", "failed=7"], "rules['failed']: 7.0: a number from 0 to 1"),
        (["--limit", "0"], "--limit: a number from 1 on"),
        (["--error-pattern", "("], "--error-pattern '('"),
        (["--persona", "persona_nobody"], "no persona 'persona_nobody'"),
        (["--tools", "nothing.json"], "--tools nothing.json: No such file or directory"),
        (["--json", "no/such/folder.json"], "no/such/folder.json: No such file or directory"),
    ],
)
def test_what_the_user_can_mend_is_said_in_one_line(capsys, runs, arguments, message):
    code, out, err = run(capsys, runs, *arguments)
    assert (code, out) == (1, "")
    assert err.startswith(f"identity-os-guard: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("oops", "not JSON: "),
        ("[]", "an object, such as "),
        ('{"refund": "exceute"}', "tools['refund']: 'exceute' is no action"),
        ('{"refund": {"action": "execute", "outsid": true}}', "'refund': an action, or action and if need be outside and plan"),
        ('{"refund": ["execute"]}', "'refund': an action, or action and if need be outside and plan"),
        ('{"refund": {"outside": true}}', "'refund': an action, or action and if need be outside and plan"),
    ],
)
def test_a_tool_map_that_is_none(capsys, tmp_path, runs, text, message):
    path = tmp_path / "tools.json"
    path.write_text(text)
    code, _, err = run(capsys, runs, "--tools", path)
    assert code == 1
    assert message in err


def test_exit_codes_and_what_could_not_be_read(capsys, tmp_path, runs):
    bad = tmp_path / "bad.json"
    bad.write_text("[\noops")
    code, out, err = run(capsys, runs, bad, tmp_path / "missing.json")
    assert (code, err) == (0, "")
    assert "Could not be read: 2" in out
    assert f"{bad}:2: broken JSON: Expecting value (column 1)" in out
    assert f"{tmp_path / 'missing.json'}: there is no such file" in out
    code, out, err = run(capsys, bad)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"identity-os-guard: {bad}:2: broken JSON: Expecting value (column 1)",
        "identity-os-guard: no run could be read",
    ]


def test_names_of_a_recording_do_nothing_to_the_terminal(capsys, tmp_path):
    tool = "\x1b[2J[red]refund[/red]\ud800"
    path = write(tmp_path / "a.jsonl", {"id": "\x1b]0;x\x07", "agent": tool, "messages": messages(*[ERROR] * 4, tool=tool)})
    code, out, err = run(capsys, path)
    assert (code, err) == (0, "")
    assert "[2J[red]refund[/red]?" in out
    assert not set("\x1b\x07") & set(out)


def test_what_the_guard_logs_is_counted_and_not_printed(capsys, runs, monkeypatch):
    from identity_os_sdk.replay.summary import Summary

    add = Summary.add

    def logs(self, played):
        logging.getLogger("identity_os_sdk.local").warning("report %s was processed before", "r1")
        add(self, played)

    monkeypatch.setattr(Summary, "add", logs)
    code, out, err = run(capsys, runs)
    assert (code, err) == (0, "")
    assert "3 times: report %s was processed before" in out


def test_a_page_is_written_of_the_runs_most_worth_a_look(capsys, tmp_path, runs, monkeypatch):
    pages = []
    fake = SimpleNamespace(write=lambda path, summary, played, *, title: pages.append((path, summary, list(played), title)))
    monkeypatch.setitem(sys.modules, "identity_os_sdk.replay.html", fake)
    assert run(capsys, runs, "--html", tmp_path / "page.html")[0] == 0
    [(path, counted, played, title)] = pages
    assert path == tmp_path / "page.html"
    assert counted.runs == 3
    assert [each.run.id for each in played] == ["good", "bad", "calm"]
    assert title == f"Replay of {runs}"


@pytest.mark.parametrize("missing", ["rich", "ijson", "identity_engine"])
def test_without_the_extra_one_line_says_so_and_help_works(runs, missing):
    code = f"import sys; sys.modules[{missing!r}] = None; from identity_os_sdk.commands.main import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, "replay", runs], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "identity-os-guard: replay needs more: pip install 'identity-os-sdk[replay]'\n"
    done = subprocess.run([sys.executable, "-c", code, "replay", "--help"], capture_output=True, text=True)
    assert (done.returncode, "--error-pattern REGEX" in done.stdout) == (0, True)


def test_a_bar_shows_progress_in_a_terminal_and_only_there(runs):
    command = [sys.executable, "-m", "identity_os_sdk.commands.main", "replay", runs]
    piped = subprocess.run(command, capture_output=True, text=True)
    assert (piped.returncode, piped.stderr) == (0, "")
    terminal, side = pty.openpty()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=side, env=os.environ | {"TERM": "xterm"})
        assert (done.returncode, done.stdout.decode()) == (0, piped.stdout)
        assert b"replaying" in os.read(terminal, 10_000)
    finally:
        os.close(terminal)
        os.close(side)
