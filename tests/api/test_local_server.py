"""`python -m local` as a separate process: start, requests, stop, and one-line error messages."""

import json
import re
import signal
import socket
import struct
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
        ({"LOG": "loud"}, "LOG=loud: use LOG=1"),
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


def incomplete(base, body):
    """A connection that has sent a request for an instance, but not all of its body."""
    connection = socket.create_connection(("127.0.0.1", int(base.rpartition(":")[2])))
    connection.sendall(b"POST /v1/test/submit HTTP/1.1\r\nHost: localhost\r\n" + body)
    return connection


def test_clients_that_disconnect_in_mid_body_print_nothing(tmp_path):
    port = free_port(0)
    process = start(PORT=port, IDENTITY_OS_LOCAL=tmp_path)
    base, screen = answering(process, port)
    authorization = b"Authorization: Bearer " + re.search(r"idos_sk_\w+", screen).group().encode()
    for body in (b"Content-Length: 1000\r\n\r\n{", b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n'):
        for reset in (False, True):
            connection = incomplete(base, authorization + b"\r\n" + body)
            # The server has read the head and waits for the rest when it answers another client.
            assert httpx.get(f"{base}/v1/health").status_code == 200
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            assert httpx.get(f"{base}/v1/health").status_code == 200
    assert stops(process) == []


def test_log_has_a_line_for_each_request(tmp_path):
    port = free_port(0)
    process = start(PORT=port, IDENTITY_OS_LOCAL=tmp_path, LOG="1", IDENTITY_OS_DOCS_ENABLED="true")
    base, screen = answering(process, port)
    authorized = {"Authorization": f"Bearer {re.search(r'idos_sk_[0-9A-Za-z]+', screen).group()}"}
    created = httpx.post(f"{base}/v1/instances", json={"name": "Aria"}, headers=authorized)
    refusal = httpx.get(f"{base}/v1/instances?limit=1")
    httpx.get(f"{base}/v1/a%0AGET%20/v1/b")
    httpx.get(f"{base}/openapi.json")
    incomplete(base, f"Authorization: {authorized['Authorization']}\r\nContent-Length: 9\r\n\r\n{{".encode()).close()
    httpx.get(f"{base}/v1/health")
    lines = [line for line in stops(process) if "/v1/health" not in line]
    found = [re.fullmatch(r"(\S+ \S+ \S+) \d+ ms (\S+)", line).groups() for line in lines]
    assert found[:2] == [
        ("POST /v1/instances 201", created.headers["X-Request-Id"]),
        ("GET /v1/instances 401", refusal.headers["X-Request-Id"]),
    ]
    assert [line for line, _ in found[2:]] == [
        "GET /v1/a%0AGET%20/v1/b 404",
        "GET /openapi.json 200",
        "POST /v1/test/submit -",
    ]
