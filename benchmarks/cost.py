"""`make bench-cost`: what a million cycles cost on AWS, item by item, from the calls that the functions make and their sizes.

Calls, bytes and the handler's time on a processor are measured here; prices are AWS's list prices for us-east-1 before free
tiers. What DynamoDB takes to answer is an assumption, because no machine but Lambda can say (the dashboard does).
"""

import logging
import sys
from typing import Final

from benchmarks.speed import handler
from benchmarks.speed.calls import measure
from benchmarks.speed.story import observation, told

#: Dollars: a request of API Gateway and of Lambda, a GB-second on arm64, a write and a read unit, a GB of logs, a trace.
GATEWAY, INVOCATION, GB_SECOND = 3.50e-6, 0.20e-6, 0.0000133334
WRITE, READ, LOGS, TRACE = 0.625e-6, 0.125e-6, 0.50, 5e-6
STORAGE, BACKUP = 0.25, 0.20  # a GB and month
#: GB, and the share of a core that Lambda gives with it. Assumptions: seconds that DynamoDB takes for a read or count and for a
#: transaction, bytes of an access line, share of calls traced.
MEMORY, CORE = 1.0, 1024 / 1769
ANSWER, TRANSACTION, LINE, TRACED = 0.005, 0.010, 500, 0.05
CYCLES: Final = 1_000_000


def main() -> int:
    """Print the table."""
    logging.disable()
    with told() as story:
        path, hundred = f"/instances/{story.instance}/process", {"observations": [observation(i) for i in range(100)]}
        story.caller.get("/personas")  # the authorizer knows the key from now on
        single = measure(lambda: story.caller.post(path, json=observation(0)))
        batch = measure(lambda: story.caller.post(f"{path}/batch", json=hundred))
    seconds = {n: micro / 1e6 / CORE + ANSWER + TRANSACTION for n, micro in handler.microseconds().items()}
    rows = [("API Gateway", GATEWAY, GATEWAY), ("Lambda, requests", INVOCATION, INVOCATION)]
    rows += [("Lambda, duration", *(seconds[n] * MEMORY * GB_SECOND for n in (1, 100)))]
    for name, attribute, price in (("count", "counted", WRITE), ("read", "read", READ), ("commit", "committed", WRITE)):
        rows.append((f"DynamoDB, {name}", getattr(single, attribute) * price, getattr(batch, attribute) * price))
    rows += [("logs", LINE / 1e9 * LOGS, LINE / 1e9 * LOGS), ("X-Ray", TRACED * TRACE, TRACED * TRACE)]
    kept = [("kept: storage a month", *(b.kept / 1e9 * STORAGE for b in (single, batch)))]
    kept += [("kept: backup a month", *(b.kept / 1e9 * BACKUP for b in (single, batch)))]

    for name, bill in (("one observation", single), ("a hundred", batch)):
        units = f"count {bill.counted:.0f}, read {bill.read:.0f}, commit {bill.committed:.0f} units; {bill.kept} bytes kept"
        print(f"{name + ':':<17} {', '.join(sorted(bill.calls))}; {units}")
    print(f"{'seconds billed:':<17} {seconds[1]:.4f} and {seconds[100]:.4f}")
    print(f"\n{'$ for a million cycles':<28}{'one by one':>12}{'in hundreds':>14}")
    for name, one, hundred in rows:
        print(f"{name:<28}{one * CYCLES:>12.2f}{hundred * CYCLES / 100:>14.2f}")
    print(f"{'sum':<28}{sum(r[1] for r in rows) * CYCLES:>12.2f}{sum(r[2] for r in rows) * CYCLES / 100:>14.2f}")
    for name, one, hundred in kept:
        print(f"{name:<28}{one * CYCLES:>12.2f}{hundred * CYCLES / 100:>14.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
