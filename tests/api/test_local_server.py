"""`python -m local` as a process of its own: starts, answers, stops, and says in one line what is wrong."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from local import template


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(**environment):
    return subprocess.Popen(
        [sys.executable, "-m", "local"],
        cwd=template.ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def welcome(process):
    """What it says until it serves."""
    lines = []
    while not lines or '"name": "Aria"' not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    return "".join(lines)


def stops(process, how):
    process.send_signal(how)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert out.strip() == "stopped"
    assert err == ""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of its own: the tests must not touch the keys of a server that somebody is using."""
    return tmp_path_factory.mktemp("local")


@pytest.fixture(scope="module")
def server(data):
    port = free_port()
    process = start(PORT=str(port), IDENTITY_OS_DOCS_ENABLED="true", PYTHONUNBUFFERED="1", IDENTITY_OS_LOCAL=str(data))
    screen = welcome(process)
    base = f"http://127.0.0.1:{port}"
    for _ in range(100):
        try:
            httpx.get(f"{base}/v1/health")
            break
        except httpx.ConnectError:
            time.sleep(0.05)
    yield base, screen
    stops(process, signal.SIGINT)


def test_keys_on_the_screen_are_those_in_the_file_and_work(server, data):
    base, screen = server
    shown = dict(re.findall(r"(free|indie|pro|enterprise) +(idos_sk_\w+)", screen))
    assert list(shown) == ["free", "indie", "pro", "enterprise"]
    path = data / "keys.json"
    assert json.loads(path.read_text()) == shown
    assert path.stat().st_mode & 0o077 == 0
    limits = {}
    for plan, key in shown.items():
        answer = httpx.get(f"{base}/v1/personas", headers={"Authorization": f"Bearer {key}"})
        limits[plan] = answer.headers["X-RateLimit-Limit"]
    assert limits == {"free": "10", "indie": "60", "pro": "300", "enterprise": "100000"}


def test_the_command_on_the_screen_works_when_pasted(server):
    _, screen = server
    command = screen[screen.index("curl") :].replace("http://localhost", "-s http://127.0.0.1")
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["data"]["name"] == "Aria"


def test_docs_are_served_from_here_alone(server):
    base, _ = server
    for page in ("/docs", "/redoc"):
        html = httpx.get(base + page).text
        for source in re.findall(r'(?:src|href)="([^"]+)"', html):
            assert source.startswith(("/", "data:"))
            if source.startswith("/"):
                assert len(httpx.get(base + source).content) > 10_000
    assert httpx.get(f"{base}/openapi.json").json()["info"]["title"] == "Identity OS"
    assert httpx.get(f"{base}/nothing").json()["error"] == "not_found"


def test_a_keep_alive_connection_survives_a_body_that_is_too_large(server):
    base, screen = server
    key = re.search(r"idos_sk_\w+", screen[screen.index("enterprise") :]).group()
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}) as client:
        large = client.post("/v1/instances", content=b"x" * 2_000_000, headers={"Content-Type": "application/json"})
        assert (large.status_code, large.json()["error"]) == (413, "payload_too_large")
        assert client.get("/v1/personas").status_code == 200


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopping_it_undoes_what_it_started(how, data):
    process = start(PORT=str(free_port()), PYTHONUNBUFFERED="1", IDENTITY_OS_LOCAL=str(data))
    welcome(process)
    stops(process, how)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"PORT": "taken"}, "PORT=taken: use a number"),
        ({"DYNAMODB": "postgres"}, "DYNAMODB=postgres: use embedded, local or"),
        ({"DYNAMODB": "http://127.0.0.1:9"}, "no DynamoDB answers at http://127.0.0.1:9"),
    ],
)
def test_a_wrong_setting_is_one_line(environment, says):
    process = start(**{"PORT": str(free_port())} | environment)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_a_taken_port_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(PORT=str(port))
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"port {port} is not free" in err
    assert f"PORT={port + 1} make run" in err
    assert len(err.strip().splitlines()) == 1
