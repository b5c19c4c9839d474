"""What the MCP proxy adds to a tool call over stdio: a small server with and without it, `make bench-mcp`.

Client and server are the standard library alone, so that nothing but the proxy is measured. The engine is the one in the
proxy's process, over a file. Rounds with and without are taken in turn, since other work on the machine comes and goes.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.table import Row, judge
from local.template import ROOT

_ROUNDS, _CALLS, _WARM = 12, 50, 20
_SERVER = """\
import json, sys
for line in sys.stdin.buffer:
    asked = json.loads(line)
    if asked["method"] == "tools/list":
        result = {"tools": [{"name": "look", "annotations": {"readOnlyHint": True}, "inputSchema": {"type": "object"}}]}
    else:
        result = {"content": [{"type": "text", "text": str(asked["id"])}]}
    sys.stdout.buffer.write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode() + b"\\n")
    sys.stdout.buffer.flush()
"""


class _Host:
    """A server as a host has started it."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT / "sdks" / "python")}
        self._number = 0
        began = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            env=environment,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.request("tools/list", {})
        self.start = time.perf_counter() - began

    def request(self, method: str, params: object) -> float:
        """Ask, and wait for the answer: the seconds that it took."""
        self._number += 1
        line = json.dumps({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}).encode() + b"\n"
        began = time.perf_counter()
        self._process.stdin.write(line)
        self._process.stdout.readline()
        return time.perf_counter() - began

    def call(self) -> float:
        """A tool call that works."""
        return self.request("tools/call", {"name": "look", "arguments": {"order": self._number}})

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def rows() -> list[Row]:
    """Medians over all rounds."""
    direct = [sys.executable, "-c", _SERVER]
    with tempfile.TemporaryDirectory() as folder:
        engine = f"local:{Path(folder) / 'agents.db'}"
        proxy = [sys.executable, "-m", "identity_os_sdk.commands.main", "mcp-proxy", "--engine", engine, "--", *direct]
        hosts = {"without": _Host(direct), "with": _Host(proxy)}
        took: dict[tuple[str, str], list[float]] = {}
        for _ in range(_WARM):
            hosts["with"].call()
        for _ in range(_ROUNDS):
            for name, host in hosts.items():
                took.setdefault((name, "call"), []).extend(host.call() for _ in range(_CALLS))
                took.setdefault((name, "ping"), []).extend(host.request("ping", {}) for _ in range(_CALLS))
        for host in hosts.values():
            host.close()
    middle = {what: statistics.median(times) * 1_000 for what, times in took.items()}
    tail = {what: statistics.quantiles(times, n=20)[-1] * 1_000 for what, times in took.items()}
    call, ping = ("with", "call"), ("with", "ping")
    first = {name: host.start * 1_000 for name, host in hosts.items()}
    return [
        Row("MCP proxy: added to a tool call (guard and engine included)", middle[call] - middle["without", "call"], 3.0, "ms"),
        Row("  the call with the proxy", middle[call], None, "ms", f"95 %: {tail[call]:.2f} ms"),
        Row("  the call without", middle["without", "call"], None, "ms", f"95 %: {tail['without', 'call']:.2f} ms"),
        Row("  added to a message that nobody judges", middle[ping] - middle["without", "ping"], None, "ms"),
        Row("  until the first answer, once", first["with"], None, "ms", f"without: {first['without']:.0f} ms"),
    ]


if __name__ == "__main__":
    sys.exit(judge(rows()))
