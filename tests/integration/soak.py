"""Minutes of load with all faults at once: a bad network to DynamoDB, killed servers, retrying clients."""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx

from identity_service.clock import now
from identity_service.store import instances, reconcile, usage
from tests.integration.races import check_instance
from tests.integration.servers import Caller

WORKERS = 12
AGENTS = 8


def soak(servers, proxy, seconds, seed):
    """The figures. `lost` and `doubled` compare the responses that clients got with the history."""
    caller = Caller(servers)
    agents = [caller.new_instance(f"agent {i}") for i in range(AGENTS)]
    end = time.monotonic() + seconds
    acknowledged = Counter()  # acknowledged cycles, by agent
    figures = Counter()
    lock = threading.Lock()

    def work(number):
        chance = random.Random(seed + number)
        while time.monotonic() < end:
            agent, marks = chance.choice(agents), [str(uuid4()) for _ in range(chance.choice((1, 1, 1, 5)))]
            rows = [{"mode_target": "ORDER", "signal_strength": 0.4, "context": {"mark": mark}} for mark in marks]
            path, body = ("process", rows[0]) if len(rows) == 1 else ("process/batch", {"observations": rows})
            if chance.random() < 0.02:
                path, body, marks = "reset", {"mode": "last_stable"}, []
            succeeded = retry(chance, f"/instances/{agent}/{path}", body)
            with lock:
                figures["responses"] += 1
                acknowledged.update({(agent, mark): 1 for mark in marks} if succeeded else {})

    def retry(chance, path, body):
        """Retry with one key, on any server, until there is a response."""
        key, first = str(uuid4()), True
        while True:
            try:
                response = caller.call("POST", path, body, chance.randrange(4), timeout=20.0, Idempotency_Key=key)
                outcome = str(response.status_code)
            except httpx.TransportError as error:
                response, outcome = None, f"no response ({type(error).__name__})"
            with lock:
                figures["requests"] += 1
                figures[outcome] += 1
                figures["retries"] += not first
                figures["replayed"] += response is not None and "idempotent-replayed" in response.headers
            first = False
            if response is not None and response.status_code == 200:
                return True
            assert response is None or response.status_code in (409, 503), response.text
            time.sleep(chance.uniform(0, 0.1))

    with ThreadPoolExecutor(WORKERS + 1) as pool:
        workers = [pool.submit(work, number) for number in range(WORKERS)]
        killer = random.Random(seed)
        while time.monotonic() < end - 5:
            time.sleep(killer.uniform(2, 5))
            for number, process in enumerate(servers.processes):
                if process.poll() is not None:
                    servers.wait(servers.ports[number])
            servers.kill_one(killer.randrange(len(servers.ports)))
        for worker in workers:
            worker.result()

    proxy.rate = 0
    for port in servers.ports:
        servers.wait(port)
    marks = Counter()
    for agent in agents:
        rows = check_instance(caller, agent, instances.get(caller.account_id, agent).seq)
        marks.update((agent, row["context"]["mark"]) for row in rows)
    figures["cycles"] = sum(marks.values())
    figures["lost"] = sum(mark not in marks for mark in acknowledged)
    figures["doubled"] = sum(count - 1 for count in marks.values())
    figures["unexpected"] = sum(mark not in acknowledged for mark in marks)
    figures["killed"] = servers.killed

    at = usage.windows(now())
    finding = reconcile.find([caller.account_id], at, lambda: None)[0]
    figures["reserved by killed servers"] = finding.reserved.counted - figures["cycles"]
    if finding.lost:
        reconcile.repair(finding, at)
    assert usage.reserved(caller.account_id, at).counted == figures["cycles"] == finding.processed
    return figures
