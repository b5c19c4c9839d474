"""The hook as a process: every path ends in an answer, whatever breaks."""

import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from claude_code_world import CLIENT, ClaudeCode, Process
from identity_os_sdk.commands.main import main
from identity_os_sdk.integrations.claude_code import client, daemon
from identity_os_sdk.local import LocalEngine


def sockets(home):
    return list(home.glob("identity-os-*/*.sock"))


def daemons(home):
    """The processes that serve a socket of this home."""
    return [pid for address in sockets(home) if (pid := daemon.running(str(address)))]


def pre(tool="Bash", call_id="c1", command="make", session="s1"):
    about = {"session_id": session, "cwd": "/home/dev/shop", "hook_event_name": "PreToolUse"}
    return {**about, "tool_name": tool, "tool_input": {"command": command}, "tool_use_id": call_id}


def failed(call_id, session="s1"):
    return {**pre(call_id=call_id, session=session), "hook_event_name": "PostToolUseFailure", "error": "Exit code 1"}


def decision(output):
    return output.get("hookSpecificOutput", {}).get("permissionDecision", "allow")


def local(home, *options, **environment):
    return Process(
        home, "--agent", "a", "--engine", f"local:{home / 'agents.db'}", "--log", str(home / "log"), *options, **environment
    )


def reports(home):
    return [report for line in (home / "log").read_text().splitlines() for report in json.loads(line).get("reports", [])]


def test_events_find_one_daemon_which_is_the_users_alone(home):
    hook = local(home)
    hook({"session_id": "s1", "cwd": "/x", "hook_event_name": "SessionStart", "source": "startup"})
    (made,) = sockets(home)
    assert stat.S_IMODE(made.stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
    (pid,) = daemons(home)
    for number in range(3):
        assert hook(pre(call_id=f"c{number}")) == {}
    assert daemons(home) == [pid]


def test_another_version_or_environment_has_a_daemon_of_its_own(home):
    local(home)(pre())
    local(home, IDENTITY_OS_API_KEY="idos_sk_other")(pre())
    assert len(sockets(home)) == 2


def test_a_folder_that_others_may_write_to_is_not_trusted(home):
    """Who could put a socket there could allow everything."""
    folder = home / f"identity-os-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    assert local(home)(pre()) == {}
    assert sockets(home) == []  # answered without a daemon
    assert reports(home) == []


def test_hooks_at_once_count_once(home):
    """Claude Code runs the hooks of a user and of a project side by side, and calls tools side by side."""
    hook = local(home)
    hook(pre(call_id="first"))
    for number in range(3):
        hook(pre(call_id=f"c{number}"))
        text = json.dumps(failed(f"c{number}"))
        at_once = [hook.started("PostToolUseFailure", text) for _ in range(5)]
        assert [process.wait(60) for process in at_once] == [0] * 5
        for process in at_once:
            process.stdout.close(), process.stderr.close()
    assert [strength for _, strength in reports(home)] == [0.45, 0.7, 0.8]
    assert decision(hook(pre(call_id="last"))) == "deny"


def test_sessions_at_once_are_agents_of_their_own(home):
    hook = local(home)
    for number in range(3):
        hook(pre(call_id=f"c{number}"))
        hook(failed(f"c{number}"))
    assert decision(hook(pre(call_id="c4"))) == "deny"
    assert decision(hook(pre(session="s2"))) == "allow"


def test_one_agent_for_all_sessions_if_you_want(home):
    hook = local(home, "--tasks", "none")
    for number in range(3):
        hook(pre(call_id=f"c{number}"))
        hook(failed(f"c{number}"))
    assert decision(hook(pre(session="s2"))) == "deny"


def test_a_daemon_that_is_killed_half_way_loses_nothing(home):
    hook = local(home)
    for number in range(3):
        hook(pre(call_id=f"c{number}"))
        (pid,) = daemons(home)
        os.kill(pid, signal.SIGKILL)
        hook(failed(f"c{number}"))
    assert [strength for _, strength in reports(home)] == [0.45, 0.7, 0.8]
    assert decision(hook(pre(call_id="c4"))) == "deny"
    assert len(sockets(home)) == 1


@pytest.mark.parametrize("answer", [b"", b"0\0{}", b"0\0{}\0\0en", b"nonsense" + client.END])
def test_an_answer_that_was_cut_off_is_none(home, answer, monkeypatch):
    """A daemon that dies while it answers: the hook goes on alone."""
    hook = local(home)
    hook(pre())
    (pid,), (address,) = daemons(home), sockets(home)
    os.kill(pid, signal.SIGKILL)
    address.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen()

        def cut_off():
            line, _ = listening.accept()
            with line:
                while line.recv(65536):
                    pass
                line.sendall(answer)

        thread = threading.Thread(target=cut_off)
        thread.start()
        code, out, _ = hook.raw("PreToolUse", json.dumps(pre(call_id="c2")))
        thread.join()
    assert (code, json.loads(out)) == (0, {})
    assert [json.loads(line)["call"] for line in (home / "log").read_text().splitlines()] == ["c1", "c2"]


def test_a_daemon_ends_when_nobody_asks_and_leaves_no_socket(home):
    where = str(home / "d.sock")
    thread = threading.Thread(target=daemon.serve, args=(where, lambda *_: (0, "{}", "")), kwargs={"idle": 0.5})
    thread.start()
    asked = None
    while asked is None:
        with socket.socket(socket.AF_UNIX) as line:
            try:
                line.connect(where)
            except OSError:
                time.sleep(0.01)
                continue
            line.sendall(client.request(["PreToolUse"], b"{}"))
            line.shutdown(socket.SHUT_WR)
            asked = line.recv(100)
    assert client.read_answer(asked) == (0, b"{}", b"")
    thread.join(60)
    assert not thread.is_alive()
    assert not Path(where).exists()


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "{}", '{"hook_event_name": "PreToolUse"}', "\0\xff", '{"session_id": 1, "x": NaN']
)
@pytest.mark.parametrize(("on_unreachable", "expected"), [("safe", "deny"), ("deny", "deny"), ("allow", "allow")])
def test_broken_input_is_decided_by_on_unreachable(home, text, on_unreachable, expected):
    hook = local(home, "--on-unreachable", on_unreachable)
    code, out, err = hook.raw("PreToolUse", text)
    assert (code, decision(json.loads(out))) == (0, expected)
    assert "identity-os-guard: " in err
    if "PreToolUse" not in text:
        for event in ("PostToolUse", "Stop", "UserPromptSubmit"):
            assert hook.raw(event, text)[:2] == (0, "{}\n")


@pytest.mark.parametrize("text", ["", "{", "{}", "[]"])
def test_an_event_that_nobody_can_name_is_taken_for_a_call(text):
    """The hook as somebody writes it into the settings by hand."""
    for on_unreachable, expected in (("safe", "deny"), ("allow", "allow")):
        assert decision(json.loads(client.without_engine("", text, on_unreachable))) == expected
        command = [*client.command("--on-unreachable", on_unreachable)]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=True)
        assert decision(json.loads(done.stdout)) == expected
    assert client.without_engine("", '{"hook_event_name": "Stop"}', "deny") == "{}\n"


def test_unknown_events_and_fields_are_no_opinion(home):
    hook = local(home)
    about = {"session_id": "s1", "cwd": "/x", "field_of_tomorrow": [1]}
    for name in ("EventOfTomorrow", "SessionEnd", "PreCompact"):
        assert hook({**about, "hook_event_name": name}) == {}
    assert hook({**pre(), "field_of_tomorrow": {}}) == {}
    without_id = {key: value for key, value in pre().items() if key != "tool_use_id"}
    assert hook(without_id) == {}
    hook({**without_id, "hook_event_name": "PostToolUseFailure", "error": "Exit code 1"})
    assert reports(home) == [["STRESS_RESPONSE", 0.45]]


@pytest.mark.parametrize(
    ("on_unreachable", "reading", "changing"),
    [("safe", "allow", "deny"), ("deny", "deny", "deny"), ("allow", "allow", "allow")],
)
def test_an_engine_that_cannot_be_opened_is_decided_by_on_unreachable(home, on_unreachable, reading, changing):
    (home / "file").write_text("")
    hook = Process(home, "--engine", f"local:{home / 'file' / 'agents.db'}", "--on-unreachable", on_unreachable)
    assert decision(hook(pre("Read"))) == reading
    assert hook.last[2] == ""
    assert decision(hook(pre(call_id="c2"))) == changing
    assert decision(hook(pre("AskUserQuestion"))) == "allow"


class Silent(BaseHTTPRequestHandler):
    """An API that takes requests and never answers."""

    def do_GET(self):
        self.server.asked += 1
        self.server.let_go.wait(30)

    do_POST = do_GET

    def log_message(self, *_):
        pass


def test_an_api_that_hangs_costs_one_wait_and_is_decided_by_on_unreachable(home):
    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        server.asked, server.let_go, server.daemon_threads = 0, threading.Event(), True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        key = {"IDENTITY_OS_BASE_URL": f"http://127.0.0.1:{server.server_port}", "IDENTITY_OS_API_KEY": "idos_sk_none"}
        hook = Process(home, "--agent", "a", **key)
        outputs = [hook(pre(call_id="c1")), hook(pre("Read", "c2")), hook(pre(call_id="c3"))]
        server.let_go.set()
        server.shutdown()
    assert [decision(output) for output in outputs] == ["deny", "allow", "deny"]
    assert "the engine has not answered yet" in outputs[0]["hookSpecificOutput"]["permissionDecisionReason"]
    assert server.asked == 1  # the second and the third know that the first one waited


def test_bad_options_and_a_map_that_is_gone_deny_and_say_why(home):
    hook = local(home, "--tools", str(home / "gone.json"))
    output = hook(pre())
    assert decision(output) == "deny"
    assert "gone.json: No such file or directory" in output["hookSpecificOutput"]["permissionDecisionReason"]
    assert decision(local(home, "--option-of-yesterday")(pre())) == "deny"


def test_the_command_that_the_person_is_shown_lets_the_agent_go_on(home):
    hook, shown = Process(home, "--agent", "it's me", "--engine", f"local:{home / 'agents.db'}"), None
    for number in range(3):
        hook(pre(call_id=f"c{number}"))
        shown = hook(failed(f"c{number}")).get("systemMessage")
    assert decision(hook(pre(call_id="c4"))) == "deny"
    program, *arguments = shlex.split(shown.partition("when you decide: ")[2])
    assert program == "identity-os-guard"
    assert main(arguments) == 0
    output = hook(pre(call_id="c5"))
    assert decision(output) == "allow"


def test_an_event_that_is_answered_twice_counts_once(home):
    """The process is killed after the engine's answer, before it kept its own: the next one begins where it began."""
    hook = local(home)
    hook(pre())
    (kept,) = (home / ".local" / "state" / "identity-os" / "claude-code").glob("*.db")
    before = kept.read_bytes()
    hook(failed("c1"))
    kept.write_bytes(before)
    hook(failed("c1"))
    with LocalEngine(str(home / "agents.db")) as engine:
        assert engine.get_snapshot(engine.find("a s1")).cycle == 1


def test_a_session_stays_one_agent_wherever_it_goes(home):
    hook = Process(home, "--engine", f"local:{home / 'agents.db'}", "--log", str(home / "log"))
    for folder in ("/home/dev/shop", "/home/dev/shop/src", "/tmp"):
        hook({**pre(call_id=folder), "cwd": folder})
    (named,) = {json.loads(line)["agent"] for line in (home / "log").read_text().splitlines()}
    assert named.startswith("claude-code shop ")
    assert named.endswith(" s1")


def test_an_engines_file_that_is_removed_is_not_written_to_any_more(home):
    hook = local(home)
    for number in range(3):
        hook(pre(call_id=f"c{number}"))
        hook(failed(f"c{number}"))
    assert decision(hook(pre(call_id="c4"))) == "deny"
    for file in home.glob("agents.db*"):
        file.unlink()
    assert decision(hook(pre(call_id="c5"))) == "allow"
    assert (home / "agents.db").exists()


def test_a_session_file_that_is_damaged_is_begun_anew(home):
    hook = local(home)
    hook(pre())
    (kept,) = (home / ".local" / "state" / "identity-os" / "claude-code").glob("*.db")
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    kept.write_bytes(b"damaged" * 1000)
    assert decision(hook(pre(call_id="c2"))) == "deny"
    assert decision(hook(pre(call_id="c3"))) == "allow"


@pytest.mark.parametrize(
    ("tool", "on_unreachable", "expected"), [("Read", "safe", "allow"), ("Edit", "safe", "deny"), ("Edit", "allow", "allow")]
)
def test_without_the_package_the_thin_client_answers(tmp_path, tool, on_unreachable, expected):
    """The last resort: neither daemon nor package can be started."""
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    alone = tmp_path / "a" / "b" / "c" / "client.py"
    alone.write_text(Path(CLIENT).read_text())
    python = sys._base_executable  # of no environment, so that the package is not there
    command = [python, "-I", "-S", str(alone), "PreToolUse", "--on-unreachable", on_unreachable]
    done = subprocess.run(command, input=json.dumps(pre(tool)), capture_output=True, text=True, timeout=60, check=True)
    assert decision(json.loads(done.stdout)) == expected


def test_nothing_of_the_projects_folder_is_imported(home, tmp_path):
    """A repository with a json.py of its own must not run in the hook."""
    for name in ("json", "socket", "logging", "pydantic", "identity_os_sdk"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the project runs in the hook')")
    hook = local(home, PYTHONPATH=str(tmp_path))
    done = subprocess.run(
        hook.command("PreToolUse"),
        input=json.dumps(pre()),
        cwd=tmp_path,
        env=hook.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("{}\n", "")
    assert len(sockets(home)) == 1


def test_the_thin_client_imports_next_to_nothing():
    program = f"import sys; sys.path.insert(0, {str(Path(CLIENT).parent)!r}); import client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert not {"json", "re", "argparse", "subprocess", "asyncio", "pydantic", "httpx", "socket", "hashlib"} & set(
        done.stdout.split()
    )


def test_who_only_observes_is_held_by_nothing_that_breaks(home):
    hook = local(home, "--mode", "observe", "--on-unreachable", "deny", "--tools", str(home / "gone.json"))
    assert hook(pre()) == {}
    assert hook.raw("PreToolUse", "{")[1] == "{}\n"
    assert Process(home, "--mode=observe", "--option-of-yesterday")(pre()) == {}


def test_observing_lets_all_through_and_writes_down_what_it_would_have_held(home):
    hook = local(home, "--mode", "observe")

    def fails(*_):
        raise RuntimeError("Exit code 1")

    claude = ClaudeCode(hook, fails)
    assert [claude.call("Bash", {"command": "make"}) for _ in range(5)] == ["Exit code 1"] * 5
    lines = [json.loads(line) for line in (home / "log").read_text().splitlines()]
    assert [line.get("would_have") for line in lines if line["event"] == "PreToolUse"][3] == {"deny": 1, "Bash": 1}
