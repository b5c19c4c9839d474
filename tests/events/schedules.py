"""Random schedules of failure, from a request to a receiver, compared with a model in plain Python.

The model asks the API for the contract before and after each request. What it expects must arrive, verified by the published
library, or be given up after eight attempts; nothing else may arrive. On the way everything fails now and then: calls of the
table, the queue, the receiver, DNS, and each function is killed between any two of its steps.
"""

import json
import random
import socket
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch
from uuid import uuid4

from standardwebhooks import Webhook

from functions.deliver import app as deliver
from functions.deliver.app import DELAYS
from identity_service import limits
from identity_service.store import webhooks
from identity_service.webhooks import hooks, queue, sending
from local import stream
from tests.conftest import Caller
from tests.events.world import Receiver, world
from tests.faults import machine
from tests.faults.client import KINDS, InOrder, Killed

URL = "https://hooks.example.com/a"
PUBLIC, PRIVATE = "93.184.216.34", "169.254.169.254"
#: Faults of the table in front of fan-out and delivery: each of them is killed or refused somewhere.
BEHIND = [kind for kind in KINDS if not kind.startswith(("late", "slow"))]


class Flaky:
    """The queue's client, which is refused or killed before or after a call took effect, on the call that a schedule names."""

    def __init__(self, real):
        self.real, self.countdown, self.after, self.kind = real, 0, False, "killed"
        self.met = Counter()

    def arm(self, chance):
        self.countdown = chance.choice([0, 0, 1, 2, 3])
        self.after, self.kind = chance.random() < 0.5, chance.choice(["killed", "refused"])

    def __getattr__(self, name):
        def call(*arguments, **named):
            self.countdown -= 1
            if self.countdown:
                return getattr(self.real, name)(*arguments, **named)
            if self.after:
                getattr(self.real, name)(*arguments, **named)
            self.met[f"queue {self.kind} {'after' if self.after else 'before'}"] += 1
            raise Killed if self.kind == "killed" else ConnectionError

        return call


class OneByOne:
    """The delivery's pool of threads, in order, so that schedules are reproducible."""

    def __init__(self, **_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def map(self, function, records):
        return [function(record) for record in records]


class Run:
    """One account with a webhook, and what the model expects to arrive at it."""

    def __init__(self, here, chance, receiver, network, figures):
        self.here, self.chance, self.receiver, self.network, self.figures = here, chance, receiver, network, figures
        self.client = machine.world.client
        self.caller = Caller(machine.world.edge, "enterprise")
        self.hook = hooks.create(self.caller.account_id, URL)
        self.expected = Counter()
        self.agents = [self.caller.new_instance("Aria")]
        self.expected[self.agents[0], "agent.created"] += 1
        # The request that made the key came before the webhook, maybe in the same second.
        self.calm()

    def calm(self):
        self.client.arm({})
        self.here.queue.countdown = 0

    def seen(self, agent):
        contract = self.caller.get(f"/instances/{agent}/contract").json()["data"]
        total = self.caller.get(f"/instances/{agent}/audit").json()["pagination"]["total"]
        drift = self.caller.get(f"/instances/{agent}/drift?limit=1000").json()["data"]
        return contract, total, drift

    def request(self):
        """One request under faults; the model looks at what it did, not at what was answered."""
        agent, chance = self.chance.choice(self.agents), self.chance
        before, records, drifts = self.seen(agent)
        reset = chance.random() < 0.15
        strong = {"mode_target": "STRESS_RESPONSE", "signal_strength": chance.choice([0.3, 0.9])}
        calm = {"mode_target": chance.choice(["ORDER", "PERCEPTION", "EXPLORATION"]), "signal_strength": 0.7}
        count = chance.choice([1, 1, 5, 30])
        body = {"mode": chance.choice(["initial", "rebaseline"])} if reset else {
            "observations": [strong if chance.random() < 0.7 else calm] * count
        }  # fmt: skip
        path = f"/instances/{agent}/{'reset' if reset else 'process/batch'}"
        key = {"Idempotency-Key": str(uuid4())} if chance.random() < 0.7 else {}
        self.client.arm({chance.randint(1, 5): chance.choice(KINDS) for _ in range(chance.choice([0, 1, 2]))})
        try:
            self.caller.client.post(path, json=body, headers=key)
        except Killed:
            self.figures["requests killed"] += 1
        self.calm()
        self.client.settle()
        after, now, drifted = self.seen(agent)
        self.figures["requests"] += 1
        if now == records:
            self.figures["requests without effect"] += 1
            assert (before, drifts) == (after, drifted)
            return
        if reset:
            self.expected[agent, "agent.reset" if body["mode"] == "initial" else "agent.rebaselined"] += 1
        self.expected[agent, "agent.stress_changed"] += before["stress_state"] != after["stress_state"]
        for flag, begun, ended in (("pause", "paused", "resumed"), ("escalate", "escalated", "deescalated")):
            was, is_now = before[f"should_{flag}"], after[f"should_{flag}"]
            self.expected[agent, f"agent.{begun}"] += is_now and not was
            self.expected[agent, f"agent.{ended}"] += was and not is_now
        new = drifted[: len(drifted) - len(drifts)]
        self.expected[agent, "agent.rolled_back"] += any(event["rolled_back"] for event in new)

    def step(self):
        """One call of the fan-out or of the delivery, with a schedule of faults."""
        self.client.arm(
            {self.chance.randint(1, 6): self.chance.choice(BEHIND) for _ in range(self.chance.choice([0, 0, 1, 2]))}
        )
        self.here.queue.arm(self.chance)
        try:
            self.here.tell() if self.chance.random() < 0.5 else self.here.deliver()
        except Killed:
            self.figures["functions killed"] += 1
        except ConnectionError:
            self.figures["queue refused"] += 1
        self.calm()
        self.here.time += self.chance.choice([0, 1, 60, 700])

    def settle(self):
        """No more faults: everything that is due arrives, or was given up."""
        self.calm()
        self.client.settle()
        self.receiver.bad = self.network.bad = False
        for _ in range(3 * len(DELAYS)):
            self.here.later(12 * 3600)
        assert len(self.here.queue.real) == 0

    def check(self):
        """What arrived is what the model expects."""
        arrived, given_up = {}, {}
        for headers, body in self.receiver.got:
            event = Webhook(self.hook.secret).verify(body, headers)
            arrived[headers["webhook-id"]] = event
        attempts = {sent["id"]: sent["attempts"] for sent in webhooks.deliveries(self.caller.account_id, self.hook.hook["id"])}
        for letter in self.here.queue.real.dead_letters:
            message = json.loads(letter)
            if message["id"] not in arrived:
                assert attempts[message["id"]] == len(DELAYS) + 1, message
                given_up[message["id"]] = json.loads(message["payload"])
        told = [*arrived.values(), *given_up.values()]
        found = Counter((event["data"]["instance_id"], event["type"]) for event in told if event["type"].startswith("agent."))
        drifted = {key: count for key, count in found.items() if key[1] == "agent.drifted"}
        assert found - Counter(drifted) == +self.expected
        assert len({event["id"] for event in told}) == len(told)
        self.figures["events"] += sum(self.expected.values())
        self.figures["arrived"] += len(arrived)
        self.figures["given up"] += len(given_up)
        self.figures["arrived more than once"] += len(self.receiver.got) - len(arrived)
        self.figures["lost"] += sum((self.expected - found).values())
        self.figures["of failed requests"] += sum((found - self.expected - Counter(drifted)).values())


class Network:
    """DNS and connections: names have good and bad addresses, and other ones a moment later."""

    def __init__(self, chance, port, figures):
        self.chance, self.port, self.figures = chance, port, figures
        self.bad = True

    def getaddrinfo(self, host, port, *_, **__):
        addresses = [[PUBLIC]] * 8 + [[PRIVATE], [PUBLIC, PRIVATE], None] if self.bad else [[PUBLIC]]
        found = self.chance.choice(addresses)
        if found is None:
            self.figures["names without an address"] += 1
            raise socket.gaierror
        self.figures["names with a private address"] += PRIVATE in found
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    def connect(self, connection):
        assert connection._where.address == PUBLIC, "connected to an address that is not public"
        connection.sock = socket.socket()
        connection.sock.settimeout(5)
        connection.sock.connect(("127.0.0.1", self.port))


class Moody(Receiver):
    """A receiver that answers as it likes; what it refused it does not keep."""

    def __init__(self, chance, figures):
        super().__init__()
        self.chance, self.figures, self.bad = chance, figures, True
        self.plan = self

    # `plan` is asked for each answer.
    def __bool__(self):
        return True

    def popleft(self):
        answer = self.chance.choice([204] * 5 + [500, 302, "reset"]) if self.bad else 204
        if answer != 204:
            self.figures[f"answered {answer}"] += 1
            self.got.pop()
        return answer


def play(runs, seed):
    """Play so many accounts, with so many requests each. Returns the figures."""
    figures, chance = Counter(), random.Random(seed)
    with (
        patch.object(stream, "POLL_INTERVAL", 10**6),  # nothing but the schedule reads the stream
        machine.running() as shared,
        tempfile.TemporaryDirectory() as folder,
        patch.object(limits, "_executor", InOrder()),
    ):
        for _ in range(runs):
            shared.client.clock.time = time.time()  # the library compares it with this machine's
            with _run(chance, Path(folder), figures) as run:
                for _ in range(8):
                    run.request()
                    for _ in range(chance.randint(0, 4)):
                        run.step()
                run.settle()
                run.check()
        figures["faults met"] = sum(shared.client.met.values())
    return figures


@contextmanager
def _run(chance, folder, figures):
    with world(folder) as here:
        receiver = Moody(chance, figures)
        network = Network(chance, receiver.port, figures)
        here.queue = Flaky(here.queue)
        queue.use(here.queue)
        fakes = SimpleNamespace(getaddrinfo=network.getaddrinfo)
        with (
            patch.object(deliver, "ThreadPoolExecutor", OneByOne),
            patch.object(sending.addresses.socket, "getaddrinfo", fakes.getaddrinfo),
            patch.object(sending._Connection, "connect", lambda connection: network.connect(connection)),
        ):
            try:
                yield Run(here, chance, receiver, network, figures)
            finally:
                figures.update(here.queue.met)
                receiver.close()
