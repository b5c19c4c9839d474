"""What each endpoint asks of DynamoDB: calls, hops (calls that wait for others), units, all counted on the embedded table."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from benchmarks.speed.story import Story, guarded, observation, restless, told
from benchmarks.speed.table import Row
from identity_service.limits import Meter
from identity_service.store import dynamodb as store_client

T = TypeVar("T")

#: Calls and hops of each endpoint at the most. Source of the first two: docs/architecture.md, "One request".
BUDGETS: dict[tuple[str, str], tuple[int, int]] = {
    ("POST", "/instances/{}/process"): (3, 2),
    ("POST", "/instances/{}/process/batch"): (3, 2),
    ("POST", "/instances/{}/simulate"): (2, 1),
    ("POST", "/instances/{}/goals/assess"): (2, 1),
    ("POST", "/instances/{}/reset"): (3, 2),
    ("GET", "/instances/{}/snapshot"): (2, 1),
    ("GET", "/instances/{}/contract"): (2, 1),
    ("GET", "/instances/{}/history"): (3, 2),
    ("GET", "/instances/{}/timeline"): (4, 3),
    ("GET", "/instances/{}/drift"): (3, 2),
    ("GET", "/instances/{}/audit"): (4, 3),
    ("GET", "/instances/{}/audit/verify"): (4, 3),
    ("GET", "/instances/{}"): (2, 1),
    ("PATCH", "/instances/{}"): (3, 2),
    ("GET", "/instances"): (4, 3),
    ("POST", "/instances"): (2, 2),
    ("GET", "/personas"): (1, 1),
    ("GET", "/personas/{persona}"): (1, 1),
    ("GET", "/test/questions"): (1, 1),
    ("POST", "/test/submit"): (2, 2),
    ("GET", "/health"): (0, 0),
    ("DELETE", "/instances/{}"): (3, 3),
}


@dataclass
class Bill:
    """What one request asked of DynamoDB: calls by name, hops, units, bytes that stay, bytes of the answer."""

    calls: list[str] = field(default_factory=list)
    hops: int = 0
    read: float = 0
    counted: float = 0
    committed: float = 0
    kept: int = 0
    answered: int = 0


def size(item: Mapping[str, Any]) -> int:
    """Bytes of an item as DynamoDB counts them: names and values, a number about half its digits and one."""
    return sum(
        len(name.encode()) + (len(value["N"]) // 2 + 2 if "N" in value else len(_bytes(value))) for name, value in item.items()
    )


def _bytes(value: Mapping[str, Any]) -> bytes:
    return value["B"] if "B" in value else value["S"].encode()


def _read(items: list[Mapping[str, Any]], consistent: bool) -> float:
    """Units of reading these together."""
    return math.ceil(sum(map(size, items)) / 4096) / (1 if consistent else 2)


def measure(request: Callable[[], httpx.Response]) -> Bill:
    """The bill of one request. What `count_while` runs in parallel runs one after the other here, and is told apart."""
    bill, call, beside = Bill(), store_client._call, Meter.count_while
    depth = [0]

    def recorded(operation: str, **arguments: Any) -> Any:
        answer = call(operation, **arguments)
        bill.calls.append(operation)
        bill.hops += not depth[0]
        match operation:
            case "get_item":
                bill.read += _read([answer.get("Item", {})], arguments.get("ConsistentRead", False))
            case "batch_get_item":
                for items in answer["Responses"].values():
                    bill.read += sum(_read([item], consistent=True) for item in items)
            case "query":
                bill.read += _read(answer["Items"], arguments.get("ConsistentRead", False))
            case "update_item":
                bill.counted += math.ceil(size(answer.get("Attributes", {})) / 1024)
            case "transact_write_items":
                for operations in arguments["TransactItems"]:
                    ((_, inner),) = operations.items()
                    stored = inner.get("Item", {})
                    bill.committed += 2 * max(math.ceil(size(stored) / 1024), 1)
                    bill.kept += 0 if stored.get("SK", {}).get("S", "HEAD") == "HEAD" else size(stored)
        return answer

    def one_after_the_other(meter: Meter, read: Callable[[], T], cycles: int = 0) -> T:
        before = len(bill.calls)
        depth[0] += 1
        meter.count_request(cycles)
        counted = len(bill.calls) - before
        found = read()
        depth[0] -= 1
        bill.hops += max(counted, len(bill.calls) - before - counted)
        return found

    store_client._call, Meter.count_while = recorded, one_after_the_other  # type: ignore[method-assign]
    try:
        bill.answered = len(request().raise_for_status().content)
    finally:
        store_client._call, Meter.count_while = call, beside  # type: ignore[method-assign]
    return bill


def rows() -> list[Row]:
    """Calls and hops of every endpoint."""
    found = []
    with told() as story:
        story.caller.get("/personas")  # the authorizer knows the key from now on
        for (method, path), (calls, hops) in BUDGETS.items():
            bill = measure(_request(story, method, path))
            units = f"read {bill.read:g}, written {bill.counted + bill.committed:g} units"
            found.append(Row(f"{method} {path}: DynamoDB calls", len(bill.calls), calls, "calls", units, exact=True))
            found.append(Row(f"{method} {path}: one after the other", bill.hops, hops, "hops", exact=True))
    return found


#: Units of the commit of one process request at the most: by itself, and with the key that the SDKs send with every POST. The
#: agent of the largest state drifts at each report, which is an item of two units more.
COMMITTED = {"that works": (6, 8), "that is restless": (8, 10)}


def unit_rows() -> list[Row]:
    """What a commit writes: the bill of a user. A context of 300 bytes; an agent that works, and one of the largest state."""
    found = []
    with told() as story:
        for agent, budgets in COMMITTED.items():
            if agent == "that is restless":
                for start in range(0, 300, 100):
                    body = {"observations": [restless(start + number) for number in range(100)]}
                    story.caller.post(f"/instances/{story.instance}/process/batch", json=body).raise_for_status()
            for key, budget in zip((False, True), budgets, strict=True):
                bill = measure(keyed(story, key))
                what = f"process, an agent {agent}{', with an Idempotency-Key' if key else ''}: commit"
                found.append(Row(what, bill.committed, budget, "units", f"{bill.kept} bytes kept", exact=True))
    return found


def keyed(story: Story, key: bool) -> Callable[[], httpx.Response]:
    """A report as a guard sends it, with a new Idempotency-Key or without one."""
    headers = {"Idempotency-Key": str(uuid4())} if key else {}
    path = f"/instances/{story.instance}/process"
    return lambda: story.caller.client.request("POST", path, json=guarded(0), headers=headers)


def _request(story: Story, method: str, path: str) -> Callable[[], httpx.Response]:
    body: dict[str, Any] | None = {
        "process": observation(0),
        "batch": {"observations": [observation(i) for i in range(100)]},
        "simulate": observation(0),
        "assess": {"complexity": "low", "required_modes": ["ORDER"]},
        "reset": {"mode": "initial"},
        "instances": {"name": "another"},
        "submit": {
            "version": "v1",
            "responses": [{"question_id": f"q{n}", "selected_option_id": f"q{n}_a"} for n in range(1, 13)],
            "create_instance": True,
            "instance_name": "tested",
        },
    }.get(path.rpartition("/")[2])
    if method == "PATCH":
        body = {"name": "Bo"}
    if method not in ("POST", "PATCH"):
        body = None
    persona = story.caller.get("/personas").json()["data"][0]["id"]
    where = path.replace("{}", story.instance).replace("{persona}", persona)
    return lambda: story.caller.client.request(method, where, json=body)


def page_rows(offset: int) -> list[Row]:
    """A history page of 100 at the beginning and far back: the same reads."""
    with told() as story:
        body = {"observations": [observation(i) for i in range(100)]}
        for _ in range(offset // 100):
            story.caller.post(f"/instances/{story.instance}/process/batch", json=body).raise_for_status()
        bills = [
            measure(lambda: story.caller.get(f"/instances/{story.instance}/history", params={"limit": 100, "offset": at}))  # noqa: B023
            for at in (0, offset)
        ]
    near, far = bills
    what = f"history page of 100 at offset {offset:,}"
    return [
        Row(
            f"{what}: more calls than at 0", len(far.calls) - len(near.calls), 0, "calls", f"{len(far.calls)} calls", exact=True
        ),
        Row(f"{what}: more units read than at 0", far.read - near.read, 0, "units", f"{far.read:g} units", exact=True),
    ]
