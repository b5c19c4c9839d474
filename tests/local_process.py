"""`python -m local` as a process of its own, for tests of its start, its output and its end."""

import atexit
import os
import signal
import subprocess
import sys
import time

import httpx

from local import template


def start(**environment):
    """A server. PORT and IDENTITY_OS_LOCAL must be given, so that no test meets a server of the developer's own."""
    assert {"PORT", "IDENTITY_OS_LOCAL"} <= set(environment)
    process = subprocess.Popen(
        [sys.executable, "-m", "local"],
        cwd=template.ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"} | {name: str(value) for name, value in environment.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in its background with SIGINT ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # A test that fails leaves its server; it must not outlive the tests. kill() does nothing to one that has ended.
    atexit.register(process.kill)
    return process


def welcome(process):
    """The output at startup."""
    lines = []
    while not lines or '"name": "Aria"' not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    return "".join(lines)


def answering(process, port):
    """Wait until the server answers; its address and its output at startup."""
    screen = welcome(process)
    base = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            httpx.get(f"{base}/v1/health")
            break
        except httpx.ConnectError:
            time.sleep(0.05)
    return base, screen


def stops(process, how=signal.SIGINT):
    """Stop the server, which must say nothing but `stopped`. Returns what it printed while it ran."""
    process.send_signal(how)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert err == ""
    *lines, last = out.strip().splitlines()
    assert last == "stopped"
    return [line for line in lines if line]


def refused(process):
    """The one line with which a server refuses to start."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == ""
    (line,) = err.strip().splitlines()
    return line
