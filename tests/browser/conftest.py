"""The console in a real browser: `make test-console`. Runs in an environment of its own, against `make run`'s server.

Nothing of the project is imported here: the server is a process, and the browser and HTTP are the only ways in.
"""

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Server:
    """The local server: where the console and the API are, and keys by plan."""

    console: str
    api: str
    keys: dict


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(folder):
    port, issuer = free_port(), free_port()
    environment = os.environ | {"PORT": str(port), "ISSUER_PORT": str(issuer), "IDENTITY_OS_LOCAL": str(folder)}
    with (folder / "log").open("w") as log:
        command = [ROOT / ".venv" / "bin" / "python", "-m", "local"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    server = None
    try:
        for _ in range(600):
            with suppress(httpx.TransportError):
                httpx.get(f"http://localhost:{issuer}/jwks")
                if httpx.get(f"http://localhost:{port}/v1/health").status_code == 200:
                    keys = json.loads((folder / "keys.json").read_text())
                    server = Server(f"http://localhost:{port}/console", f"http://localhost:{port}/v1", keys)
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        assert server, (folder / "log").read_text()
        yield server
    finally:
        process.terminate()
        process.wait()
    assert '"level":"ERROR"' not in (folder / "log").read_text()


@contextmanager
def chromium():
    found = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium has no sandbox of its own.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("local")) as running:
        yield running


@pytest.fixture(scope="session")
def browser():
    with chromium() as running:
        yield running


def sign_up(page, server, email):
    """From the landing page to the welcome page, by way of the issuer."""
    page.goto(server.console)
    page.get_by_role("link", name="Sign up or log in").click()
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Continue").click()


@pytest.fixture
def context(browser):
    """A browser that nobody has used. No error may be in its console: the policy refuses nothing of ours."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    errors = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    context.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield context
    context.close()
    assert [error for error in errors if "the server responded with a status of" not in error] == []


@pytest.fixture
def page(context):
    return context.new_page()
