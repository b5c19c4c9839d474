"""Several server processes with one DynamoDB, and many clients."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from uuid import uuid4

import httpx

from identity_service.store import accounts
from local import template
from local.dynamodb import free_port

CLIENTS = 50
ENGINES = template.ROOT / "tests" / "engines"


class Servers:
    """`count` processes of `make run`; a killed one is restarted on the same port.

    Those with an even number also know the older engine of the tests, as half way through a deployment.
    """

    def __init__(self, endpoint, folder, count):
        self.endpoint, self.folder = endpoint, folder
        # Below the ephemeral port range, so that a killed server's port is still free at its restart.
        self.ports = list(islice((port for port in range(18_000, 32_000) if free_port(port) == port), count))
        self.processes = [self._start(port) for port in self.ports]
        self.killed = 0

    def _start(self, port):
        home = self.folder / str(port)
        older = ENGINES if self.ports.index(port) % 2 == 0 else ""
        environment = os.environ | {
            "PORT": str(port),
            "DYNAMODB": self.endpoint,
            "IDENTITY_OS_LOCAL": str(home),
            "POWERTOOLS_LOG_LEVEL": "CRITICAL",
            "IDENTITY_OS_ENGINE_RELEASES": str(older),
        }
        with (self.folder / f"{port}.log").open("ab") as log:
            command = [sys.executable, "-m", "local"]
            return subprocess.Popen(command, cwd=template.ROOT, env=environment, stdout=log, stderr=log)

    def wait(self, port):
        """Wait until the server responds; restart it if it exited at startup because of a network fault."""
        number = self.ports.index(port)
        for _ in range(600):
            if self.processes[number].poll() is not None:
                self.processes[number] = self._start(port)
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/v1/health", timeout=2).status_code == 200:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"the server on port {port} does not answer; see {self.folder}")

    def kill_one(self, number):
        """Kill a server without warning and restart it."""
        self.processes[number].send_signal(signal.SIGKILL)
        self.processes[number].wait()
        self.killed += 1
        self.processes[number] = self._start(self.ports[number])

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


@contextmanager
def serving(endpoint, folder, count=4):
    servers = Servers(endpoint, folder, count)
    try:
        for port in servers.ports:
            servers.wait(port)
        yield servers
    finally:
        servers.stop()


class Caller:
    """An account whose clients are spread over the servers."""

    def __init__(self, servers, plan="enterprise", **limits):
        self.account_id = accounts.create_account("integration", plan)
        if limits:
            accounts.set_plan(self.account_id, plan, **limits)
        self.key = accounts.create_key(self.account_id, "integration").secret
        self.servers = servers
        self._own = threading.local()

    def call(self, method, path, body=None, server=0, timeout=30.0, **headers):
        if not hasattr(self._own, "client"):
            self._own.client = httpx.Client(headers={"Authorization": f"Bearer {self.key}"})
        port = self.servers.ports[server % len(self.servers.ports)]
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        arguments = {} if body is None else {"json": body}
        url = f"http://127.0.0.1:{port}/v1{path}"
        return self._own.client.request(method, url, headers=headers, timeout=timeout, **arguments)

    def new_instance(self, name="Aria", **config):
        headers = {"Idempotency_Key": str(uuid4())}
        for _ in range(10):
            response = self.call("POST", "/instances", {"name": name, "initial_config": config}, **headers)
            if response.status_code != 503:  # the network to DynamoDB may be faulty
                break
        assert response.status_code == 201, response.text
        return response.json()["data"]["id"]

    def all_at_once(self, requests):
        """The responses to (method, path, body, headers), sent by 50 clients to all servers."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            sent = [
                pool.submit(self.call, method, path, body, number, **headers)
                for number, (method, path, body, headers) in enumerate(requests)
            ]
            return [each.result() for each in sent]
