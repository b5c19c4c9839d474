"""The two loads on one partition: requests of one account, which are counted, and reports about one agent."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Final
from unittest.mock import patch

from benchmarks.cost import ANSWER, TRANSACTION
from benchmarks.scaling.clock import Clock
from benchmarks.scaling.partition import WRITES, Partition
from identity_service.engines import birth
from identity_service.settings import settings
from identity_service.store import commits, dynamodb, instances, retry, usage
from identity_service.store.commits import Change
from identity_service.store.instances import Head

#: Shares of what a partition writes in a second.
HOT: Final = (0.5, 0.9, 1.5, 3.0, 10.0)
_ACCOUNT, _MOMENT = "acct_hot", 1_774_347_330.0
_NO_LIMIT = 10**12
#: Seconds of load before anything is counted: a partition that was idle has units, and a container no lease.
_WARM = 0.5


@dataclass
class Result:
    """What became of the requests. `calls` counts calls of DynamoDB, `stranded` what was leased and not used."""

    seconds: float
    offered: int = 0
    unavailable: int = 0
    conflicts: int = 0
    calls: int = 0
    units: int = 0
    stranded: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def admitted(self) -> int:
        """Requests that were counted, or reports that were committed."""
        return len(self.latencies)

    def percentile(self, share: int) -> float:
        """Seconds that this share of the admitted took at most."""
        return sorted(self.latencies)[min(len(self.latencies) * share // 100, len(self.latencies) - 1)]


def usage_item(times: float, lease: int = 0, seconds: float = 1) -> Result:
    """Requests of one account at `times` what a partition writes, counted one by one or in leases of each container."""
    with _simulated(seconds) as (clock, result):
        windows = usage.windows(_MOMENT)
        # Containers that wait for a request, the last used first; each has what is left of its lease.
        waiting: list[SimpleNamespace] = []
        containers: list[SimpleNamespace] = []

        def count(container: SimpleNamespace) -> None:
            if not lease:
                usage.count(_ACCOUNT, windows, 1, _NO_LIMIT, _NO_LIMIT)
                return
            if not container.left:
                names, values = {"#m": windows.minute, "#c": windows.month}, {":n": lease}
                key = {"PK": f"ACCOUNT#{_ACCOUNT}", "SK": "USAGE"}
                dynamodb.write(dynamodb.update(key, "ADD #m :n, #c :n", values, names=names), repeatable=False)
                container.left = lease
            container.left -= 1

        def request() -> None:
            if not waiting:
                containers.append(SimpleNamespace(left=0))
                waiting.append(containers[-1])
            container = waiting.pop()
            if _timed(clock, result, lambda: count(container)):
                clock.sleep(TRANSACTION)
            waiting.append(container)

        _offer(clock, result, WRITES * times, request)
    result.stranded = sum(container.left for container in containers)
    return result


def instance(rate: float, seconds: float = 10) -> Result:
    """Reports about one agent, so many a second: each reads the head and commits it with its record."""
    born = birth()
    head = Head(_ACCOUNT, "inst_0", "Hot", "", "", "", "", born.encoded, "0" * 64, born.engine_version)

    def compute(current: Head) -> Change[None]:
        record = {"PK": current.partition(), "SK": f"H#{current.version:012d}", "record": "0" * 600}
        return Change(current, born.turn, [dynamodb.put(record)], None)

    def request() -> None:
        clock.sleep(ANSWER)  # the count, beside which the head is read, is another partition's
        commits.commit(instances.get(_ACCOUNT, "inst_0"), compute)

    with _simulated(seconds) as (clock, result):
        clock.at(0, lambda: dynamodb.write_all([instances.put_head(head, born.turn, after=1)]))
        _offer(clock, result, rate, lambda: _timed(clock, result, request))
    return result


def _offer(clock: Clock, result: Result, rate: float, request: Callable[[], object]) -> None:
    """Requests at random moments, so many a second on average."""
    arrivals, moment = random.Random(1), 0.1
    while (moment := moment + arrivals.expovariate(rate)) < _WARM + result.seconds:
        result.offered += moment >= _WARM
        clock.at(moment, request)


def _timed(clock: Clock, result: Result, work: Callable[[], None]) -> bool:
    """Do the work and note what became of it, as `middleware.py` would answer."""
    began = clock.now
    counts = began >= _WARM
    try:
        work()
    except dynamodb.StoreUnavailable:
        result.unavailable += counts
        return False
    except dynamodb.Conflict:
        result.conflicts += counts
        return False
    if counts:
        result.latencies.append(clock.now - began)
    return True


@contextmanager
def _simulated(seconds: float) -> Iterator[tuple[Clock, Result]]:
    """The store on one partition in simulated time. What was offered inside is played at the end."""
    clock, result = Clock(), Result(seconds)
    partition = Partition(clock)
    with (
        patch.dict(os.environ, IDENTITY_OS_TABLE="simulated"),
        patch.object(dynamodb, "client", lambda: partition),
        patch.object(retry, "time", SimpleNamespace(sleep=clock.sleep)),
        patch.object(retry, "random", random.Random(2)),
    ):
        settings.cache_clear()
        yield clock, result

        def note(sign: int) -> None:
            result.calls += sign * partition.calls
            result.units += sign * partition.writes.spent

        clock.at(_WARM, lambda: note(-1))
        clock.at(_WARM + result.seconds, lambda: note(1))
        clock.run()
    settings.cache_clear()
