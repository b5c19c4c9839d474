"""`make bench-cost`: what a million cycles cost on AWS, item by item, from the calls that the functions make and their sizes.

Calls and bytes are measured on the embedded table, through the API's edge; prices are AWS's list prices for us-east-1 before
free tiers; the duration of a function is an assumption, because no machine but Lambda can say (the dashboard does).
"""

import logging
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from identity_service.store import table as seam
from local import dynamodb
from local.edge import Edge
from tests.conftest import Caller

#: Dollars: a request of API Gateway and of Lambda, a GB-second on arm64, a write and a read unit, a GB of logs, a trace.
GATEWAY, INVOCATION, GB_SECOND = 3.50e-6, 0.20e-6, 0.0000133334
WRITE, READ, LOGS, TRACE = 0.625e-6, 0.125e-6, 0.50, 5e-6
STORAGE, BACKUP = 0.25, 0.20  # a GB and month
#: Assumptions: seconds of a call with one observation and with a hundred, bytes of an access line, share of calls traced.
DURATION: Final = {1: 0.025, 100: 0.080}
MEMORY, LINE, TRACED = 1.0, 500, 0.05
CYCLES: Final = 1_000_000


@dataclass
class Bill:
    """What one request asked of DynamoDB: calls by name, units, bytes that stay."""

    calls: list[str] = field(default_factory=list)
    read: float = 0
    counted: float = 0
    committed: float = 0
    kept: int = 0


def size(item: Mapping[str, Any]) -> int:
    """Bytes of an item as DynamoDB counts them: names and values, a number about half its digits and one."""
    return sum(
        len(name.encode()) + (len(value["S"].encode()) if "S" in value else len(value["N"]) // 2 + 2)
        for name, value in item.items()
    )


def measure(request: Callable[[], Any]) -> Bill:
    """The bill of one request."""
    bill, call = Bill(), seam._call

    def recorded(operation: str, **arguments: Any) -> Any:
        answer = call(operation, **arguments)
        bill.calls.append(operation)
        if operation == "get_item":
            bill.read += math.ceil(size(answer.get("Item", {})) / 4096)
        elif operation == "update_item":
            bill.counted += math.ceil(size(answer.get("Attributes", {})) / 1024)
        elif operation == "transact_write_items":
            for operations in arguments["TransactItems"]:
                ((_, inner),) = operations.items()
                bytes_ = size(inner["Item"])
                bill.committed += 2 * math.ceil(bytes_ / 1024)
                bill.kept += 0 if inner["Item"]["SK"]["S"] == "HEAD" else bytes_
        return answer

    seam._call = recorded
    try:
        response = request()
        response.raise_for_status()
    finally:
        seam._call = call
    return bill


def main() -> int:
    """Print the table."""
    logging.disable()
    with dynamodb.running("embedded"):
        caller = Caller(Edge(), "enterprise")
        instance = caller.new_instance()
        observation = {
            "mode_target": "ORDER",
            "signal_strength": 0.6,
            "context": {"turn": 17, "tool": "search", "outcome": "ok"},
        }
        for _ in range(5):  # past the youth of the state, and the authorizer's cache is warm
            caller.post(f"/instances/{instance}/process/batch", json={"observations": [observation] * 100})
        single = measure(lambda: caller.post(f"/instances/{instance}/process", json=observation))
        batch = measure(lambda: caller.post(f"/instances/{instance}/process/batch", json={"observations": [observation] * 100}))
    rows = [("API Gateway", GATEWAY, GATEWAY), ("Lambda, requests", INVOCATION, INVOCATION)]
    rows += [("Lambda, duration (assumed)", *(DURATION[n] * MEMORY * GB_SECOND for n in (1, 100)))]
    for name, attribute, price in (("count", "counted", WRITE), ("read", "read", READ), ("commit", "committed", WRITE)):
        rows.append((f"DynamoDB, {name}", getattr(single, attribute) * price, getattr(batch, attribute) * price))
    rows += [("logs", LINE / 1e9 * LOGS, LINE / 1e9 * LOGS), ("X-Ray", TRACED * TRACE, TRACED * TRACE)]
    kept = [("kept: storage a month", *(b.kept / 1e9 * STORAGE for b in (single, batch)))]
    kept += [("kept: backup a month", *(b.kept / 1e9 * BACKUP for b in (single, batch)))]

    for name, bill in (("one observation", single), ("a hundred", batch)):
        units = f"count {bill.counted:.0f}, read {bill.read:.0f}, commit {bill.committed:.0f} units; {bill.kept} bytes kept"
        print(f"{name + ':':<17} {', '.join(sorted(bill.calls))}; {units}")
    print(f"\n{'$ for a million cycles':<28}{'one by one':>12}{'in hundreds':>14}")
    for name, one, hundred in rows:
        print(f"{name:<28}{one * CYCLES:>12.2f}{hundred * CYCLES / 100:>14.2f}")
    print(f"{'sum':<28}{sum(r[1] for r in rows) * CYCLES:>12.2f}{sum(r[2] for r in rows) * CYCLES / 100:>14.2f}")
    for name, one, hundred in kept:
        print(f"{name:<28}{one * CYCLES:>12.2f}{hundred * CYCLES / 100:>14.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
