"""What the hook of Claude Code costs, as processes from their start to their end: `make bench-hook`.

Each event is a process of its own. A bare Python that does nothing is run in turn with it, since other work on the machine
comes and goes. The engine is the one of the daemon's process, over a file.
"""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from identity_os_sdk.integrations.claude_code import client, daemon

from benchmarks.speed.table import Row, judge

_ROUNDS, _FEW = 60, 8
_BARE = [sys.executable, "-I", "-S", "-c", "pass"]


def _event(number: int, **more: object) -> bytes:
    about = {
        "session_id": "bench",
        "cwd": "/",
        "hook_event_name": "PreToolUse",
        "tool_name": "Edit",
        "tool_use_id": f"c{number}",
    }
    return json.dumps(
        {**about, "tool_use_id": f"c{number}", "tool_input": {"file_path": "/a", "number": number}, **more}
    ).encode()


def _took(command: Sequence[str], environment: Mapping[str, str], text: bytes = b"") -> float:
    began = time.perf_counter()
    done = subprocess.run(command, input=text, env=environment, capture_output=True, check=True)
    took = (time.perf_counter() - began) * 1_000
    if command is not _BARE and done.stdout != b"{}\n":
        raise RuntimeError(f"the hook did not let the call pass: {done.stdout!r} {done.stderr!r}")
    return took


def _end_daemon(home: Path) -> None:
    for address in home.glob("identity-os-*/*.sock"):
        process = daemon.running(str(address))
        address.unlink()
        if process:
            os.kill(process, signal.SIGTERM)


def rows() -> list[Row]:
    """Medians over all rounds."""
    home = Path(tempfile.mkdtemp(prefix="hook", dir="/tmp"))
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PATH": os.environ["PATH"]}
    options = ["--engine", f"local:{home / 'agents.db'}"]
    hook = [sys.executable, "-I", "-S", client.__file__]
    alone = client.command(*options)
    bare, before, after, first, without = list[float](), list[float](), list[float](), list[float](), list[float]()
    try:
        for number in range(_FEW):
            first.append(_took([*hook, "PreToolUse", *options], environment, _event(-number)))
            _end_daemon(home)
        for number in range(_FEW):
            without.append(_took(alone, environment, _event(1_000 + number)))
        _took([*hook, "PreToolUse", *options], environment, _event(0))
        for number in range(1, _ROUNDS):
            bare.append(_took(_BARE, environment))
            before.append(_took([*hook, "PreToolUse", *options], environment, _event(number)))
            ended = _event(number, hook_event_name="PostToolUse", tool_response={"filePath": "/a"})
            after.append(_took([*hook, "PostToolUse", *options], environment, ended))
    finally:
        _end_daemon(home)
        shutil.rmtree(home)
    start, verdict = statistics.median(bare), statistics.median(before)
    return [
        Row("Claude Code hook: verdict, a cold process", verdict, 200.0, "ms", f"95 %: {_tail(before):.0f} ms"),
        Row("  as a multiple of a bare Python's start", verdict / start, 4.0, "x", f"bare: {start:.0f} ms"),
        Row("  a call's end, reported", statistics.median(after), None, "ms", f"95 %: {_tail(after):.0f} ms"),
        Row("  the first event, which starts the daemon", statistics.median(first), None, "ms"),
        Row("  without a daemon", statistics.median(without), None, "ms"),
    ]


def _tail(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


if __name__ == "__main__":
    sys.exit(judge(rows()))
