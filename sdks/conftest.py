"""Fixtures: a local server of this checkout, and a faulty server that follows a script."""

import json
import os
import socket
import subprocess
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A `make run` server on a free port; its address and keys."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"PORT": str(port), "IDENTITY_OS_LOCAL": str(folder), "DYNAMODB": "embedded"}
    # A second engine, for upgrades.
    environment["IDENTITY_OS_ENGINE_RELEASES"] = str(ROOT / "tests" / "engines")
    command = [ROOT / ".venv/bin/python", "-m", "local"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(600):
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/v1/health").status_code == 200:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", json.loads((folder / "keys.json").read_text())
    finally:
        process.kill()
        process.wait()


class Scripted:
    """A server with scripted responses, one entry per request, that records the requests."""

    def __init__(self):
        scripted = self
        self.script, self.seen = [], []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                length = int(self.headers.get("Content-Length") or 0)
                scripted.seen.append((time.monotonic(), self.command, dict(self.headers), self.rfile.read(length)))
                scripted.answer(self, scripted.script.pop(0))

            do_POST = do_DELETE = do_PATCH = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, handler, what):
        handler.close_connection = True
        if what == "reset":
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if what == "slow":
            time.sleep(1.5)
            with suppress(OSError):
                handler.connection.shutdown(socket.SHUT_RDWR)
            return
        status, headers, body = what if what != "half" else (200, {}, b'{"data": {"snapshot": {"id":')
        with suppress(OSError):
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(body) + (1000 if what == "half" else 0)))
            handler.end_headers()
            handler.wfile.write(body)


@pytest.fixture
def scripted():
    made = Scripted()
    yield made
    made.server.shutdown()
    made.server.server_close()
