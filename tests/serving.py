"""Runs `make run` as a separate process, for tests and benchmarks."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from local import template
from local.dynamodb import free_port


@contextmanager
def serving(kind: str) -> Iterator[tuple[str, dict[str, str]]]:
    """A server with a DynamoDB of this `kind` in a temporary folder. Yields the API's address and a key for each plan."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port(0)
        environment = os.environ | {"PORT": str(port), "IDENTITY_OS_LOCAL": name, "DYNAMODB": kind}
        with (folder / "log").open("w") as log:
            command = [sys.executable, "-m", "local"]
            process = subprocess.Popen(command, cwd=template.ROOT, env=environment, stdout=log, stderr=log)
        url = f"http://127.0.0.1:{port}/v1"
        try:
            _wait(process, url, folder / "log")
            yield url, json.loads((folder / "keys.json").read_text())
        finally:
            process.terminate()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    for _ in range(1200):
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/health").status_code == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"the server does not answer: {log.read_text()[-500:]}")
