"""A local server on DynamoDB Local that is killed (SIGKILL) at any moment, and started again: no event may be lost."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx
from standardwebhooks import Webhook

from local import template
from local.dynamodb import free_port
from tests.events.world import Receiver

STRESS = {"mode_target": "STRESS_RESPONSE", "signal_strength": 0.9}
#: What each agent goes through, and what must be told of it.
TYPES = {"agent.created", "agent.stress_changed", "agent.paused", "agent.escalated"}


class Server:
    """`python -m local` in a folder, which is killed and started again."""

    def __init__(self, folder):
        self.folder, self.port, self.kills = folder, free_port(0), 0
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.start()

    def start(self):
        ports = {"PORT": str(self.port), "ISSUER_PORT": str(free_port(0))}
        environment = os.environ | ports | {"IDENTITY_OS_LOCAL": str(self.folder), "DYNAMODB": "local"}
        for name in [name for name in environment if name.startswith("AWS_ENDPOINT") or name == "IDENTITY_OS_SECRET_FILE"]:
            del environment[name]
        with (self.folder / "log").open("a") as log:
            command = [sys.executable, "-m", "local"]
            self.process = subprocess.Popen(command, cwd=template.ROOT, env=environment, stdout=log, stderr=log)
        for _ in range(600):
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/health").status_code == 200:
                    return
            # A server that was killed may hold its database for a moment.
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def kill(self):
        self.kills += 1
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait()


def play(kills, seed):
    """Kill the server so many times. Returns the figures."""
    chance, receiver = random.Random(seed), Receiver()
    with tempfile.TemporaryDirectory() as name:
        server = Server(Path(name))
        try:
            key = json.loads((Path(name) / "keys.json").read_text())["enterprise"]
            client = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=10)
            secret = client.post("/webhooks", json={"url": receiver.url, "types": sorted(TYPES)}).json()["data"]["secret"]
            expected = set()
            for _ in range(kills):
                receiver.plan.extend([500] * chance.choice([0, 0, 1]))
                one = _sent(server, client, "/instances", {"name": "Aria"}, chance, kill=chance.random() < 0.2)["id"]
                _sent(server, client, f"/instances/{one}/process/batch", {"observations": [STRESS] * 30}, chance, kill=True)
                expected |= {(one, kind) for kind in TYPES}
            found = _arrived(receiver, secret, expected)
        finally:
            server.stop()
            receiver.close()
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    return {
        "servers killed": server.kills,
        "events": len(expected),
        "lost": len(expected - found),
        "of nothing": len(found - expected),
        "arrived more than once": len(ids) - len(set(ids)),
    }


def _sent(server, client, path, body, chance, kill):
    """The data of a request that is repeated until it succeeds, with a server that is killed meanwhile or a moment later."""
    headers = {"Idempotency-Key": str(uuid4())}
    while True:
        data = None
        with suppress(httpx.TransportError):
            answer = client.post(path, json=body, headers=headers)
            assert answer.status_code in (200, 201, 503), answer.text
            data = answer.json()["data"] if answer.status_code < 300 else None
        if kill:
            time.sleep(chance.choice([0, 0.01, 0.1, 0.4, 0.6, 1.0]))
            server.kill()
            server.start()
            kill = False
        if data is not None:
            return data


def _arrived(receiver, secret, expected):
    for _ in range(600):
        found = set()
        for headers, body in list(receiver.got):
            event = Webhook(secret).verify(body, headers)
            found.add((event["data"]["instance_id"], event["type"]))
        if found >= expected:
            return found
        time.sleep(0.2)
    return found
