"""The parts of the proxy: server-sent events, headers, lines, streams that break off, and the options of the commands."""

import argparse
import asyncio
import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from identity_os_sdk import ConfigurationError, InvalidArgumentError, ToolPolicy
from identity_os_sdk.commands import engine
from identity_os_sdk.commands.main import main
from identity_os_sdk.integrations.mcp import headers, sse, stdio
from identity_os_sdk.integrations.mcp.streamable import Server
from identity_os_sdk.local import LocalEngine
from test_mcp_stdio import GUARD, proxy


async def collected(chunks, reader):
    async def given():
        for chunk in chunks:
            yield chunk

    return [each async for each in reader(given())]


STREAM = (
    b": hello\r\n\r\n"
    b"id: 1\nretry: 250\ndata: \n\n"
    b'event: message\r\nid: 2\r\ndata: {"a":\r\ndata: "\xe2\x80\xa8"}\r\n\r\n'
    b"event: other\rdata: {}\r\r"
    b'data:{"b":1}\n\n'
    b"data: broken off"
)


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_events_are_read_whatever_the_chunks(size):
    found = asyncio.run(collected([STREAM[at : at + size] for at in range(0, len(STREAM), size)], sse.events))
    assert b"".join(each.raw for each in found) == STREAM.removesuffix(b"data: broken off")
    said = [(each.name, each.event_id, each.retry, each.message) for each in found if each.data is not None]
    assert said == [
        ("message", "1", 250, None),
        ("message", "2", None, b'{"a": "\xe2\x80\xa8"}\n'),
        ("other", None, None, None),
        ("message", None, None, b'{"b":1}\n'),
    ]


@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_lines_are_read_whatever_the_chunks(size):
    text = b"a\n\nbc\r\nd\xe2\x80\xa8e\nrest"
    found = asyncio.run(collected([text[at : at + size] for at in range(0, len(text), size)], stdio.lines))
    assert found == [b"a\n", b"\n", b"bc\r\n", b"d\xe2\x80\xa8e\n", b"rest"]


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("us-west1", "us-west1"),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("", "=?base64??="),
    ],
)
def test_header_values_are_encoded_as_in_the_specification(value, header):
    assert headers.encoded(value) == header


def test_arguments_are_repeated_as_headers_where_the_schema_says_so():
    schema = {
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"properties": {"dry": {"type": "boolean", "x-mcp-header": "Dry"}}},
            "count": {"type": "integer", "x-mcp-header": "Count"},
            "ratio": {"type": "number", "x-mcp-header": "Ratio"},
            "bad": {"type": "string", "x-mcp-header": "no token\r\n"},
            "list": {"items": {"type": "string", "x-mcp-header": "Item"}},
        }
    }
    repeated = headers.param_headers(schema)
    arguments = {"region": "eu", "deep": {"dry": True}, "count": None, "ratio": 1.5, "bad": "x"}
    message = {
        "method": "tools/call",
        "params": {"name": "run", "arguments": arguments, "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}},
    }
    assert headers.modern(message, repeated) == {
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "run",
        "Mcp-Param-Region": "eu",
        "Mcp-Param-Dry": "true",
    }


class Playing:
    """An HTTP server with a script: for each request (status, headers, body); keeps what it was asked."""

    def __init__(self, *script):
        playing, self.script, self.seen = self, list(script), []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                playing.seen.append((self.command, self.path, dict(self.headers), body))
                status, given, answer = playing.script.pop(0) if playing.script else (405, {}, b"")
                self.send_response(status)
                for name, value in given.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_DELETE = do_POST

            def log_message(self, *_): ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/mcp"

    def __enter__(self):
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


STREAMS, BODIES = {"content-type": "text/event-stream"}, {"content-type": "application/json"}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "pay"}}


def exchange(playing, message=CALL):
    """Send a request; the messages that came back."""

    async def work():
        got, done = [], asyncio.Event()

        async def deliver(line):
            got.append(json.loads(line))
            if "id" in got[-1]:
                done.set()

        server = Server(playing.url, {}, deliver)
        await server.send(json.dumps(message).encode() + b"\n", message)
        await asyncio.wait_for(done.wait(), 20)
        await server.close()
        return got

    return asyncio.run(work())


def test_a_stream_that_breaks_off_is_taken_up_where_it_was():
    first = b'id: e1\nretry: 1\ndata:\n\nid: e2\ndata: {"method":"notifications/progress"}\n\n'
    rest = b'id: e3\ndata: {"id":1,"result":{}}\n\n'
    with Playing((200, STREAMS, first), (200, STREAMS, b""), (200, STREAMS, rest)) as playing:
        assert exchange(playing) == [{"method": "notifications/progress"}, {"id": 1, "result": {}}]
    assert [(method, asked.get("Last-Event-ID")) for method, _, asked, _ in playing.seen] == [
        ("POST", None),
        ("GET", "e2"),
        ("GET", "e2"),
    ]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ([(200, STREAMS, b"")], "the MCP server's stream ended without an answer"),
        ([(200, STREAMS, b"id: 1\nretry: 1\ndata:\n\n"), (404, {}, b"")], "cannot be taken up again: HTTP 404"),
        ([(401, {"content-type": "text/plain"}, b"who?")], "HTTP 401 Unauthorized"),
        ([(302, {"location": "https://elsewhere.example/"}, b"")], "HTTP 302 Found"),
        ([(307, {"location": "https://elsewhere.example/"}, b"")], "HTTP 307"),
        ([(202, {}, b"")], "HTTP 202 Accepted"),
        ([(400, BODIES, b'{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"no"}}')], "no"),
        ([(400, BODIES, b'{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"version"}}')], "version"),
    ],
)
def test_a_request_that_gets_no_answer_is_answered_with_why(script, said):
    with Playing(*script) as playing:
        (found,) = exchange(playing)
    assert found["id"] == 1
    assert said in found["error"]["message"]


def test_a_redirect_within_the_server_is_followed():
    with Playing((307, {"location": "/mcp/"}, b""), (200, BODIES, b'{"id":1,\n"result":{}}')) as playing:
        assert exchange(playing) == [{"id": 1, "result": {}}]
    assert [path for _, path, _, _ in playing.seen] == ["/mcp", "/mcp/"]
    assert playing.seen[0][3] == playing.seen[1][3] == json.dumps(CALL).encode()


def options(*given):
    parser = argparse.ArgumentParser()
    engine.add_arguments(parser)
    return parser.parse_args(given)


def test_a_map_of_tools_is_read_from_a_file(tmp_path):
    file = tmp_path / "tools.json"
    file.write_text('{"search_*": "explore", "fetch": {"action": "explore", "outside": true}}')
    assert engine.read_tools(str(file)) == {"search_*": "explore", "fetch": ToolPolicy("explore", outside=True)}
    for text, said in (
        ("no JSON", "no JSON"),
        ("[]", "an object such as"),
        ('{"a": {"actoin": "explore"}}', "action, and perhaps outside"),
    ):
        file.write_text(text)
        with pytest.raises(InvalidArgumentError, match=said):
            engine.read_tools(str(file))
    with pytest.raises(InvalidArgumentError, match="No such file"):
        engine.read_tools(str(tmp_path / "nothing"))


def test_where_the_engine_is(tmp_path, monkeypatch):
    monkeypatch.delenv("IDENTITY_OS_API_KEY", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "platform", "linux")
    guard, where = engine.open_guard(options("--agent", "bot"))
    assert where == str(tmp_path / "data" / "identity-os" / "agents.db")
    with LocalEngine(where) as again:
        assert again.find("bot") == guard.instance_id
    assert engine.open_guard(options("--engine", f"local:{tmp_path}/x/a.db"))[1] == f"{tmp_path}/x/a.db"
    for platform, name in (("darwin", "Library"), ("win32", "AppData")):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.delenv("LOCALAPPDATA", raising=False)
        assert name in engine.default_file().parts
    with pytest.raises(InvalidArgumentError, match="local, local:FILE or api"):
        engine.open_guard(options("--engine", "remote"))
    with pytest.raises(ConfigurationError):
        engine.open_guard(options("--engine", "api"))


def test_an_api_that_is_away_at_the_start_is_asked_again(monkeypatch, server):
    """The proxy starts without it; on_unreachable decides until it answers."""
    url, keys = server
    monkeypatch.setenv("IDENTITY_OS_API_KEY", keys["enterprise"])
    monkeypatch.setenv("IDENTITY_OS_BASE_URL", "http://127.0.0.1:9")
    guard, _ = engine.open_guard(options("--agent", "late"))
    assert guard.before_tool("get_it", {}, "c1").allowed
    assert "has not answered yet" in guard.before_tool("pay", {}, "c2").message
    later = guard.engine
    later._client._options = later._client._options.__class__(**{**vars_of(later._client._options), "base_url": f"{url}/v1"})
    guard.core._failed_at = None
    assert guard.before_tool("pay", {}, "c3").allowed
    guard.after_tool("pay", "c3", result="paid")
    assert later._client.engine.get_history(later._id).data[0].mode_target == "EXPLORATION"


def vars_of(value):
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "give a server"),
        (["--url", "http://x", "--", "server"], "give a server"),
        (["--listen", "127.0.0.1:1", "--", "server"], "--listen needs --url"),
        (["--url", "http://x", "--listen", "8000x"], "HOST:PORT"),
        (["--url", "http://x", "--header", "nothing"], "NAME: VALUE"),
        (["--url", "http://x", "--header", "A: ${NO_SUCH_VARIABLE}"], "is not in the environment"),
        (["--", "/no/such/command"], "cannot be started: /no/such/command: No such file"),
    ],
)
def test_wrong_options_say_what_is_wrong(given, said, tmp_path, capfd):
    assert main(["mcp-proxy", "--engine", f"local:{tmp_path}/a.db", *given]) == 1
    captured = capfd.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_the_map_is_explained_before_anything_is_blocked(tmp_path):
    command = proxy(tmp_path, "--explain")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert rows["pay"] == ["execute", "verb", "yes"]
    assert rows["look"] == ["clarify", "annotations", "yes"]


def test_a_reset_of_an_agent_that_is_not_there_says_so(tmp_path):
    command = [GUARD, "reset", "--engine", f"local:{tmp_path}/a.db", "--agent", "nobody", "last_stable"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no agent of the name 'nobody'" in done.stderr
