"""The proxy in front of a server over Streamable HTTP: from stdio (`--url`), and over HTTP on both sides (`--listen`)."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import httpx
import pytest
from identity_os_sdk.local import LocalEngine
from mcp_world import text, tour, visit
from test_mcp_stdio import DOWN, GUARD, HERE, MODES, TAP, proxy, started

pytestmark = pytest.mark.parametrize("mode", MODES)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(command, url, place):
    environment = os.environ | {"SHOP_NOTES": str(place / "notes"), "SHOP_LOG": str(place / "http"), "TOKEN": "t0k"}
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                with suppress(OSError):
                    socket.create_connection(("127.0.0.1", httpx.URL(url).port)).close()
                    break
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()


@contextmanager
def shop(place, *options):
    """The example server over HTTP; its address."""
    (place / "http").unlink(missing_ok=True)
    url = f"http://127.0.0.1:{(port := free_port())}/mcp"
    with running([sys.executable, str(HERE / "mcp_shop.py"), str(port), *options], url, place):
        yield url


@contextmanager
def listening(place, upstream, *options):
    """The proxy that listens; its address."""
    url = f"http://127.0.0.1:{(port := free_port())}/mcp"
    given = ["--engine", f"local:{place}/agents.db", "--agent", "bot", "--url", upstream]
    with running([GUARD, "mcp-proxy", *given, "--listen", f"127.0.0.1:{port}", *options], url, place):
        yield url


def exchanges(place):
    return [json.loads(line) for line in (place / "http").read_text().splitlines()]


def messages(exchange):
    """What was answered: the body, or the data of each event."""
    events = [
        line.removeprefix("data: ") for line in exchange["answer"].replace("\r", "").split("\n") if line.startswith("data: {")
    ]
    return events or ([exchange["answer"]] if exchange["answer"].startswith("{") else [])


def from_stdio(place, url, *options):
    command = proxy(place, "--url", url, *options)
    return [*TAP, str(place / "host"), *command[: command.index("--")]]


@pytest.mark.parametrize("answers", ["json", "streams"])
def test_stdio_in_front_of_http_gives_the_same_answers(tmp_path, mode, answers):
    # In a session, a server that answers with bodies can neither ask nor tell in between.
    visitor = reading if (answers, mode) == ("json", "legacy") else tour
    found = []
    for _ in range(2):
        with shop(tmp_path, answers) as url:
            target = started(tmp_path, from_stdio(tmp_path, url)) if found else url
            found.append(asyncio.run(visit(target, mode, visitor)))
            seen = exchanges(tmp_path)
    assert found[0] == found[1]
    sent, got = (lines(tmp_path / f"host.{way}") for way in ("in", "out"))
    cancels = [line for line in sent if "notifications/cancelled" in line]
    assert sorted(each["body"] for each in seen if each["body"]) == sorted(set(sent) - set(cancels))
    assert sorted(line for each in seen for line in messages(each)) == sorted(got)
    if mode == "legacy":
        assert sorted(each["method"] for each in seen if each["method"] != "POST") == ["DELETE", "GET"]
        assert len({each["headers"].get("mcp-session-id") for each in seen[1:]} - {None}) == 1
        assert {each["headers"].get("mcp-protocol-version") for each in seen[1:]} == {"2025-11-25"}
    else:
        assert {each["headers"]["mcp-protocol-version"] for each in seen} == {mode}
        assert len(cancels) == 1  # the stream of changes was closed instead
        assert {each["headers"]["mcp-method"] for each in seen} >= {"tools/call", "subscriptions/listen", "prompts/get"}


def lines(path):
    return [line for line in path.read_text().split("\n") if line]


async def reading(client, _changed):
    return [await client.list_tools(), await client.call_tool("look", {"what": "a"}), await client.read_resource("shop://list")]


def test_what_is_held_is_held_over_http(tmp_path, mode):
    with shop(tmp_path) as url:
        told = asyncio.run(visit(started(tmp_path, from_stdio(tmp_path, url)), mode, hammer))
    assert_held(told, tmp_path)


async def hammer(client, _changed):
    await client.list_tools()
    return [text(await client.call_tool("pay", {"amount": -1})) for _ in range(7)]


def assert_held(told, place):
    """Three failures, three denials, and a pause that `person` lets through; the server saw four calls."""
    assert [each.partition("\n")[0] == DOWN for each in told] == [True, True, True, False, False, False, True]
    assert [each.startswith("pay is not allowed now") for each in told[3:6]] == [True] * 3
    assert "Tools that are held now: pay." in told[2]
    assert (place / "notes").read_text().splitlines() == ["pay -1"] * 4


def test_http_on_both_sides_gives_the_same_answers(tmp_path, mode):
    found = []
    for through in (False, True):
        with shop(tmp_path) as url:
            if not through:
                found.append(asyncio.run(visit(url, mode)))
                continue
            with listening(tmp_path, url) as front:
                found.append(asyncio.run(visit(front, mode)))
    assert found[0] == found[1]
    with LocalEngine(str(tmp_path / "agents.db")) as engine:
        assert engine.get_snapshot(engine.find("bot")).cycle == 12


def test_what_is_held_is_held_with_http_on_both_sides(tmp_path, mode):
    with shop(tmp_path) as url, listening(tmp_path, url) as front:
        told = asyncio.run(visit(front, mode, hammer))
    assert_held(told, tmp_path)


def test_http_passes_bodies_and_headers_as_they_are(tmp_path, mode):
    """Raw requests, with and without the proxy between: the same status, headers and body."""
    with shop(tmp_path) as url, listening(tmp_path, url, "--header", "Authorization: Bearer ${TOKEN}") as front:
        asked = [
            ("POST", b"no JSON", {}),
            ("POST", b'{"jsonrpc":"2.0","id":1,"method":"ping"}', {}),
            ("POST", b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', {"accept": "*/*"}),
            ("GET", b"", {"accept": "application/json"}),
            ("DELETE", b"", {"mcp-session-id": "nothing"}),
            ("POST", b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}', {"mcp-protocol-version": mode}),
        ]
        for method, body, headers in asked:
            sent = {"content-type": "application/json"} | headers
            direct, passed = (httpx.request(method, at, content=body, headers=sent) for at in (url, front))
            assert (passed.status_code, passed.content) == (direct.status_code, direct.content)
            assert ("mcp-session-id" in passed.headers) == ("mcp-session-id" in direct.headers)
            kept = {"content-type", "allow", "cache-control"}
            assert {name: passed.headers.get(name) for name in kept} == {name: direct.headers.get(name) for name in kept}
        assert exchanges(tmp_path)[-1]["headers"]["authorization"] == "Bearer t0k"


def test_pages_of_elsewhere_may_not_call(tmp_path, mode):
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    with shop(tmp_path) as url, listening(tmp_path, url) as front:
        for headers, status in (
            ({"origin": "https://elsewhere.example"}, 403),
            ({"host": "elsewhere.example"}, 421),
            ({"origin": "http://localhost:6274"}, httpx.post(url, content=body).status_code),
        ):
            assert httpx.post(front, content=body, headers=headers).status_code == status


def test_a_call_in_a_batch_is_refused_over_http(tmp_path, mode):
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "pay", "arguments": {"amount": 1}}}
    with shop(tmp_path) as url, listening(tmp_path, url) as front:
        answer = httpx.post(front, json=[call])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)
    assert not (tmp_path / "notes").exists()


def test_a_server_that_is_away_is_an_error_that_says_so(tmp_path, mode):
    away = f"http://127.0.0.1:{free_port()}/mcp"
    ping = b'{"jsonrpc":"2.0","id":5,"method":"ping"}\n'
    done = subprocess.run(from_stdio(tmp_path, away), input=ping, capture_output=True, timeout=60)
    error = json.loads(done.stdout)
    assert (error["id"], error["error"]["code"]) == (5, -32603)
    assert error["error"]["message"].startswith("the MCP server does not answer: ")
    with listening(tmp_path, away) as front:
        answer = httpx.post(front, content=ping)
    assert (answer.status_code, answer.json()["id"]) == (502, 5)


def test_a_cancelled_call_ends_at_the_server(tmp_path, mode):
    async def visitor(client, _changed):
        await client.list_tools()
        with pytest.raises(Exception, match=r"[Tt]imed out"):
            await client.call_tool("sleep", {"seconds": 30}, read_timeout_seconds=0.5)
        return text(await client.call_tool("look", {"what": "a"}))

    with shop(tmp_path) as url:
        assert asyncio.run(visit(started(tmp_path, from_stdio(tmp_path, url)), mode, visitor)).startswith("looked")
        with listening(tmp_path, url) as front:
            assert asyncio.run(visit(front, mode, visitor)).startswith("looked")
    assert (tmp_path / "notes").read_text().split().count("cancelled") == 2


def test_a_caller_that_leaves_before_the_answer_begins_ends_its_request(tmp_path, mode):
    """Without a session that is what cancels it; in a session the answer may be fetched later."""
    left = Event()

    class Waiting(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.connection.settimeout(20)
            with suppress(OSError):
                if self.connection.recv(1) == b"":
                    left.set()

        def log_message(self, *_): ...

    meta = {} if mode == "legacy" else {"_meta": {"io.modelcontextprotocol/protocolVersion": mode}}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "x://y", **meta}}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Waiting)
    Thread(target=server.serve_forever, daemon=True).start()
    with listening(tmp_path, f"http://127.0.0.1:{server.server_port}/mcp") as front:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(front, json=asked, timeout=1.0)
        assert left.wait(0.5 if mode == "legacy" else 20) is (mode != "legacy")
    server.shutdown()
    server.server_close()
