"""DynamoDB Local as `DYNAMODB=local make run` starts it. Needs Java, and the jar that the first such run downloads."""

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack

import httpx
import pytest

from local import dynamodb_local, template
from local.dynamodb_local import Unusable, free_port, java
from local.folder import InUse, locked
from tests.local_process import answering, start, stops

JAR = template.ROOT / ".local" / "npm" / "package" / "emulator" / "DynamoDBLocal.jar"
pytestmark = pytest.mark.skipif(shutil.which("java") is None or not JAR.exists(), reason="needs Java and DynamoDB Local")


def listens(host, port):
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0


def ended(folder):
    """Wait until the Java of this folder has ended: it holds the lock as long as it lives."""
    for _ in range(300):
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(folder / "dynamodb.lock", "the test"))
                return True
            except InUse:
                time.sleep(0.1)
    return False


@pytest.mark.long
def test_it_ends_with_a_killed_server_and_the_next_one_finds_the_data(tmp_path):
    settings = {"IDENTITY_OS_LOCAL": tmp_path, "DYNAMODB": "local"}
    port = free_port(0)
    process = start(PORT=port, **settings)
    base, _ = answering(process, port)
    keys = json.loads((tmp_path / "keys.json").read_text())
    authorized = {"Authorization": f"Bearer {keys['pro']}"}
    created = httpx.post(f"{base}/v1/instances", json={"name": "Aria"}, headers=authorized).json()["data"]["id"]
    process.kill()
    process.communicate()
    # No wait: the next server waits for the Java of the last one.
    port = free_port(0)
    process = start(PORT=port, **settings)
    base, _ = answering(process, port)
    assert json.loads((tmp_path / "keys.json").read_text()) == keys
    listed = httpx.get(f"{base}/v1/instances", headers=authorized).json()["data"]
    assert [instance["id"] for instance in listed] == [created]
    child = (tmp_path / "dynamodb.lock").read_text().removeprefix("process ")
    process.kill()
    process.communicate()
    assert ended(tmp_path)
    # Z: it has ended, and the system's first process has not yet asked how.
    assert subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True).stdout[:1] in ("", "Z")


@pytest.mark.long
def test_it_stops_with_the_server(tmp_path):
    port = free_port(0)
    process = start(PORT=port, IDENTITY_OS_LOCAL=tmp_path, DYNAMODB="local")
    answering(process, port)
    assert stops(process) == []
    with locked(tmp_path / "dynamodb.lock", "the test"):
        pass


def test_it_listens_on_one_address(tmp_path):
    with java(tmp_path / "dynamodb") as endpoint:
        port = int(endpoint.rpartition(":")[2])
        assert endpoint == f"http://127.0.0.1:{port}"
        assert listens("127.0.0.1", port)
        others = {"127.0.0.2", *(each[4][0] for each in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET))}
        assert [host for host in others - {"127.0.0.1"} if listens(host, port)] == []


def test_DYNAMODB_HOST_is_the_address(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNAMODB_HOST", "0.0.0.0")
    with java(tmp_path / "dynamodb") as endpoint:
        assert listens("127.0.0.2", int(endpoint.rpartition(":")[2]))
    monkeypatch.setenv("DYNAMODB_HOST", "192.0.2.1")
    with pytest.raises(Unusable, match=r"no port is free on 192\.0\.2\.1"), java(tmp_path / "dynamodb"):
        pass


def test_a_second_one_on_the_same_data_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(dynamodb_local, "_LOCK_TIMEOUT", 0)
    with java(tmp_path / "dynamodb"):
        holder = (tmp_path / "dynamodb.lock").read_text()
        assert os.kill(int(holder.removeprefix("process ")), 0) is None
        says = f"another DynamoDB Local uses {tmp_path}/dynamodb: stop {holder}$"
        with pytest.raises(Unusable, match=says), java(tmp_path / "dynamodb"):
            pass


def test_a_port_that_another_program_took_is_not_mistaken_for_it(tmp_path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(dynamodb_local, "free_port", lambda preferred, _: port if preferred else free_port(0))
        with java(tmp_path / "dynamodb") as endpoint:
            assert not endpoint.endswith(f":{port}")
        monkeypatch.setattr(dynamodb_local, "free_port", lambda *_: port)
        with pytest.raises(Unusable, match="DynamoDB Local exited at startup; see"), java(tmp_path / "dynamodb"):
            pass
