"""`identity-os-guard mcp-proxy -- COMMAND` as a host starts it: every byte of both sides, and every end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from identity_os_sdk.local import LocalEngine
from mcp import StdioServerParameters
from mcp_world import outcome, text, visit

HERE = Path(__file__).parent
GUARD = str(Path(sysconfig.get_path("scripts")) / "identity-os-guard")
SHOP, TAP = [sys.executable, str(HERE / "mcp_shop.py")], [sys.executable, str(HERE / "mcp_tap.py")]
DOWN = "Error executing tool pay: the backend is down"
MODES = ["legacy", "2026-07-28"]


@pytest.fixture
def place(tmp_path):
    """A folder of its own for the engine, the notes of the server, and what the taps wrote."""
    return tmp_path


def proxy(place, *options, server=SHOP):
    return [GUARD, "mcp-proxy", "--engine", f"local:{place}/agents.db", "--agent", "bot", *options, "--", *server]


def started(place, command):
    return StdioServerParameters(command=command[0], args=command[1:], env={"SHOP_NOTES": str(place / "notes")})


def tapped(place, *options):
    """The proxy between two taps."""
    return [*TAP, str(place / "host"), *proxy(place, *options, server=[*TAP, str(place / "server"), *SHOP])]


def reports(place):
    """How many reports the agent has had."""
    with LocalEngine(str(place / "agents.db")) as engine:
        return engine.get_snapshot(engine.find("bot")).cycle


def play(place, lines, *options, server=SHOP):
    """Give raw lines to the proxy, one after the other; the lines that came out, its exit code, and what it said to people."""
    environment = os.environ | {"SHOP_NOTES": str(place / "notes")}
    with (place / "log").open("wb") as log:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        with subprocess.Popen(proxy(place, *options, server=server), env=environment, **pipes) as host:
            out = []
            for line in lines:
                host.stdin.write(line)
                host.stdin.flush()
                waiting = asked(line)
                while waiting and (answer := host.stdout.readline()):
                    out.append(answer)
                    found = json.loads(answer)
                    waiting -= {each.get("id") for each in (found if isinstance(found, list) else [found])}
            host.stdin.close()
            out += host.stdout.read().splitlines(keepends=True)
            return out, host.wait(30), (place / "log").read_text()


def asked(line):
    """The ids of the requests in a line."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return set()
    messages = found if isinstance(found, list) else [found]
    return {each["id"] for each in messages if isinstance(each, dict) and "id" in each and "method" in each}


@pytest.mark.parametrize("mode", MODES)
def test_both_sides_see_the_same_bytes(place, mode):
    asyncio.run(visit(started(place, tapped(place)), mode))
    for way in ("in", "out"):
        host, server = ((place / f"{side}.{way}").read_bytes() for side in ("host", "server"))
        assert host == server, way
    assert len((place / "host.in").read_bytes().splitlines()) > 20
    assert reports(place) == 12  # each call once, those that the server asked about in between too


@pytest.mark.parametrize("mode", MODES)
def test_a_client_gets_the_same_answers_with_and_without(place, mode):
    with_proxy = asyncio.run(visit(started(place, proxy(place)), mode))
    without = asyncio.run(visit(started(place, SHOP), mode))
    assert with_proxy == without


@pytest.mark.parametrize("mode", MODES)
def test_a_cancelled_call_is_cancelled_at_the_server_and_not_reported(place, mode):
    async def visitor(client, _changed):
        await client.list_tools()
        with pytest.raises(Exception, match=r"[Tt]imed out"):
            await client.call_tool("sleep", {"seconds": 30}, read_timeout_seconds=0.5)
        return await client.call_tool("look", {"what": "a"})

    found = asyncio.run(visit(started(place, tapped(place)), mode, visitor))
    assert text(found).startswith("looked")
    assert "cancelled" in (place / "notes").read_text().split()
    assert b"notifications/cancelled" in (place / "server.in").read_bytes()
    assert reports(place) == 1


@pytest.mark.parametrize("mode", MODES)
def test_many_calls_at_once(place, mode):
    async def visitor(client, _changed):
        await client.list_tools()
        calls = [client.call_tool("look", {"what": str(number)}) for number in range(40)]
        slow = [client.call_tool("sleep", {"seconds": 0.2}) for _ in range(3)]
        return [text(each) for each in await asyncio.gather(*calls, *slow)]

    found = asyncio.run(visit(started(place, proxy(place)), mode, visitor))
    assert [each.split(" ")[2] for each in found[:40]] == [str(number) for number in range(40)]
    assert found[40:] == ["slept"] * 3
    assert reports(place) == 43


def test_huge_messages_pass(place):
    async def visitor(client, _changed):
        return text(await client.call_tool("big", {"characters": 8_000_000, "given": "y" * 3_000_000}))

    found = asyncio.run(visit(started(place, tapped(place)), "legacy", visitor))
    assert found == "3000000 " + "x" * 8_000_000
    assert (place / "host.out").read_bytes().splitlines()[-1] == (place / "server.out").read_bytes().splitlines()[-1]


def test_a_tool_that_the_host_did_not_list_is_judged_by_its_annotations_too(place):
    """A host may keep a list from before; the proxy then asks the server by itself, and keeps the answer to itself."""

    async def visitor(client, _changed):
        await client.session.send_ping() if client.protocol_version < "2026" else None
        for _ in range(3):
            await client.call_tool("pay", {"amount": -1})
        denied, allowed = await client.call_tool("pay", {"amount": 5}), await client.call_tool("count", {"to": 1})
        return text(denied), text(allowed)

    for mode in MODES:
        (place / "agents.db").unlink(missing_ok=True)
        denied, allowed = asyncio.run(visit(started(place, tapped(place)), mode, visitor))
        assert "execute is not allowed while stress is HIGH" in denied
        assert allowed == "counted"  # no verb says that count only reads, an annotation does
        assert b"identity-os-" in (place / "server.out").read_bytes()
        assert b"identity-os-" not in (place / "host.out").read_bytes()


def test_the_model_is_told_when_tools_are_held_and_when_they_are_not(place):
    async def visitor(client, _changed):
        await client.list_tools()
        return [text(await client.call_tool("pay", {"amount": -1})) for _ in range(4)]

    told = asyncio.run(visit(started(place, proxy(place)), "legacy", visitor))
    assert told[:2] == [DOWN] * 2
    assert told[2].startswith(f"{DOWN}\n[Identity OS] ")
    assert "Tools that are held now: pay." in told[2]
    assert "is not allowed now" in told[3]
    (place / "agents.db").unlink()
    assert asyncio.run(visit(started(place, proxy(place, "--no-notes")), "legacy", visitor))[2] == DOWN


@pytest.mark.parametrize("mode", MODES)
def test_a_host_that_cannot_ask_is_told_who_approves(place, mode):
    async def visitor(client, _changed):
        await client.list_tools()
        return [text(await client.call_tool("pay", {"amount": -1})) for _ in range(7)][-1]

    log = (place / "log").open("w")
    command = f"{' '.join(proxy(place))} 2> {place}/log"
    last = asyncio.run(visit(started(place, ["sh", "-c", command]), mode, visitor, elicitation_callback=None))
    log.close()
    assert last.startswith("pay waits for a person: execute is not allowed while stress is HIGH.")
    assert "how to approve it stands in the log" in last
    assert "identity-os-guard" not in last  # the command is for people, the model does not get it
    said = (place / "log").read_text()
    command = next(line.partition("go on: ")[2] for line in said.splitlines() if "go on: " in line)
    assert command == f"identity-os-guard reset --engine local:{place}/agents.db --agent bot last_stable"
    done = subprocess.run([GUARD, *command.split()[1:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "stress LOW" in done.stdout
    assert "execute" in done.stdout


def test_observing_lets_all_through_and_counts(place):
    lines = [HELLO, READY, *(call(number, "pay", amount=-1) for number in range(2, 8))]
    out, _, log = play(place, lines, "--mode", "observe")
    assert [json.loads(line)["result"]["content"][0]["text"] for line in out[1:]] == [DOWN] * 6
    assert "would have held: deny 3, pay 3" in log


HELLO = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    b'"clientInfo":{"name":"test","version":"1"}}}\n'
)
READY = b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'


def call(number, name, **arguments):
    message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    return json.dumps(message).encode() + b"\n"


ECHO = [sys.executable, "-c", "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line); sys.stdout.flush()"]


@pytest.mark.parametrize(
    "line",
    [
        b"this is no JSON\n",
        b'{"jsonrpc": "2.0", "id": 1, "method": "unknown/thing",   "params": {"b": 1.50, "a": "\\u00e9 \xe2\x80\xa8"}}\r\n',
        b'{"jsonrpc":"2.0","method":"notifications/x","x":1,"x":2}\n',
        b'[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","id":7,"method":"b"}]\n',
        b"\n",
        b"\xff\xfe\n",
        b'"text"\n',
        b'{"jsonrpc":"2.0","id":"q","result":{"role":"assistant"}}\n',
        b"without a line end",
    ],
)
def test_what_is_no_call_passes_byte_for_byte_understood_or_not(place, line):
    out, *_ = play(place, [line], server=ECHO)
    assert b"".join(out) == line


CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":{"n":%b}}}\n'


@pytest.mark.parametrize(
    "line",
    [
        CALL % (b"[" * 200_000 + b"]" * 200_000),  # deeper than Python reads
        CALL % (b"9" * 5_000),  # a longer number than Python reads
        b'{"a":1}\r{"jsonrpc":"2.0","id":1,"method":"tools/call"}\n',  # two lines for some readers
        (CALL % b"1").rstrip().decode().encode("utf-16-le") + b"\n",
    ],
    ids=["deep", "long number", "two lines", "UTF-16"],
)
def test_what_cannot_be_read_and_may_be_a_call_does_not_pass(place, line):
    out, *_ = play(place, [line], server=ECHO)
    assert [json.loads(each)["error"]["code"] for each in out] == [-32700]


def test_a_batch_cannot_carry_a_call_past_the_guard(place):
    lines = [HELLO, READY, *(call(number, "pay", amount=-1) for number in (2, 3, 4))]
    batch = json.dumps([json.loads(call(5, "pay", amount=1)), json.loads(call(6, "look", what="b"))]).encode() + b"\n"
    out, *_ = play(place, [*lines, batch])
    found = {json.loads(line)["id"]: json.loads(line)["result"] for line in out}
    assert "is not allowed now" in found[5]["content"][0]["text"]
    assert found[6]["content"][0]["text"].startswith("looked at b")
    assert "pay 1" not in (place / "notes").read_text()


def test_a_call_without_an_id_is_judged_too(place):
    silent = (
        json.dumps({key: value for key, value in json.loads(call(0, "pay", amount=7)).items() if key != "id"}).encode() + b"\n"
    )
    lines = [HELLO, READY, *(call(number, "pay", amount=-1) for number in (2, 3, 4)), silent]
    out, *_ = play(place, lines)
    assert len(out) == 4
    assert "pay 7" not in (place / "notes").read_text()


def test_the_server_crashes(place):
    async def visitor(client, _changed):
        await client.list_tools()
        return await outcome(client.call_tool("crash", {}))

    assert "closed" in asyncio.run(visit(started(place, proxy(place)), "legacy", visitor)).lower()
    assert reports(place) == 1  # the call failed
    out, code, _ = play(place, [HELLO, READY, call(2, "crash")])
    assert (len(out), code) == (1, 3)


def test_a_server_that_ends_itself_ends_the_proxy_while_the_host_still_listens(place):
    command = proxy(place, server=["sh", "-c", "exit 4"])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as host:
        assert host.stdout.read() == b""
        assert host.wait(30) == 4


def test_the_host_closes_its_end(place):
    """The server sees the end of its input, answers what was asked, and ends; nothing of it is lost."""
    out, code, _ = play(place, [HELLO, READY, b'{"jsonrpc":"2.0","id":9,"method":"ping"}\n'])
    assert [json.loads(line)["id"] for line in out] == [1, 9]
    assert code == 0
    assert (place / "notes").read_text().split() == ["ended"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_reaches_the_server(place):
    server = ["sh", "-c", f"trap 'echo told > {place}/trap; exit 7' TERM; echo '{{}}'; while :; do sleep 0.05; done"]
    with subprocess.Popen(proxy(place, server=server), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as host:
        assert host.stdout.readline() == b"{}\n"
        host.send_signal(signal.SIGTERM)
        assert host.wait(30) == 7
    assert (place / "trap").read_text() == "told\n"


def test_the_server_does_not_get_the_key(place):
    server = [sys.executable, "-c", "import os; print([name for name in os.environ if name.startswith('IDENTITY_OS')])"]
    environment = os.environ | {"IDENTITY_OS_API_KEY": "idos_sk_x", "IDENTITY_OS_BASE_URL": "http://127.0.0.1:9"}
    done = subprocess.run(proxy(place, server=server), input=b"", capture_output=True, env=environment, timeout=30)
    assert done.stdout == b"['IDENTITY_OS_BASE_URL']\n"
