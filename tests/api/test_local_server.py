"""`python -m local` as a separate process: start, requests, stop, and one-line error messages."""

import json
import re
import signal
import socket
import subprocess

import httpx
import pytest

from local.dynamodb import free_port
from tests.local_process import answering, refused, start, stops, welcome


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A temporary data folder, so that the tests do not touch the keys of a running server."""
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def server(data):
    port = free_port(0)
    process = start(PORT=port, IDENTITY_OS_DOCS_ENABLED="true", IDENTITY_OS_LOCAL=data)
    yield answering(process, port)
    assert stops(process) == []


def test_printed_keys_are_stored_and_valid(server, data):
    base, screen = server
    shown = dict(re.findall(r"(free|indie|pro|enterprise) +(idos_sk_\w+)", screen))
    assert list(shown) == ["free", "indie", "pro", "enterprise"]
    path = data / "keys.json"
    assert json.loads(path.read_text()) == shown
    assert path.stat().st_mode & 0o077 == 0
    limits = {}
    for plan, key in shown.items():
        response = httpx.get(f"{base}/v1/personas", headers={"Authorization": f"Bearer {key}"})
        limits[plan] = response.headers["X-RateLimit-Limit"]
    assert limits == {"free": "10", "indie": "60", "pro": "300", "enterprise": "100000"}


def test_printed_curl_command_works(server):
    _, screen = server
    command = screen[screen.index("curl") :].replace("http://localhost", "-s http://127.0.0.1")
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["data"]["name"] == "Aria"


def test_docs_load_all_assets_locally(server):
    base, _ = server
    for page in ("/docs", "/redoc"):
        html = httpx.get(base + page).text
        for source in re.findall(r'(?:src|href)="([^"]+)"', html):
            assert source.startswith(("/", "data:"))
            if source.startswith("/"):
                assert len(httpx.get(base + source).content) > 10_000
    assert httpx.get(f"{base}/openapi.json").json()["info"]["title"] == "Identity OS"
    assert httpx.get(f"{base}/nothing").json()["error"] == "not_found"


def test_keep_alive_connection_survives_a_too_large_body(server):
    base, screen = server
    key = re.search(r"idos_sk_\w+", screen[screen.index("enterprise") :]).group()
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}) as client:
        large = client.post("/v1/instances", content=b"x" * 2_000_000, headers={"Content-Type": "application/json"})
        assert (large.status_code, large.json()["error"]) == (413, "payload_too_large")
        assert client.get("/v1/personas").status_code == 200


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_server_stops_cleanly(how, tmp_path):
    process = start(PORT=free_port(0), IDENTITY_OS_LOCAL=tmp_path)
    welcome(process)
    assert stops(process, how) == []


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"PORT": "taken"}, "PORT=taken: use a number"),
        ({"DYNAMODB": "postgres"}, "DYNAMODB=postgres: use embedded, local or"),
        ({"DYNAMODB": "http://127.0.0.1:9"}, "no DynamoDB answers at http://127.0.0.1:9"),
        ({"IDENTITY_OS_LOCAL": "/dev/null/folder"}, "the folder /dev/null/folder cannot be used"),
    ],
)
def test_invalid_setting_prints_one_line(environment, says, tmp_path):
    assert says in refused(start(**{"PORT": free_port(0), "IDENTITY_OS_LOCAL": tmp_path} | environment))


def test_port_in_use_prints_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(start(PORT=port, IDENTITY_OS_LOCAL=tmp_path))
    assert f"port {port} is not free" in line
    assert f"PORT={port + 1} make run" in line
